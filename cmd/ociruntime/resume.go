package main

// resumeCommand lets a paused container go on.
func resumeCommand() *command {
	return &command{
		name: "resume", args: "ID", min: 1, max: 1,
		summary: "let a paused container go on",
		about:   `Lets the processes of a container that "pause" has frozen go on.`,
		run: func(a *app, args []string) (int, error) {
			c, err := a.runtime().Load(args[0])
			if err != nil {
				return 0, err
			}
			return 0, c.Resume()
		},
	}
}
