package main

// pauseCommand stops a container's processes where they are.
func pauseCommand() *command {
	return &command{
		name: "pause", args: "ID", min: 1, max: 1,
		summary: "freeze a container's processes",
		about:   `Freezes every process of a container, until "resume". It needs the cgroup freezer.`,
		run: func(a *app, args []string) (int, error) {
			c, err := a.runtime().Load(args[0])
			if err != nil {
				return 0, err
			}
			return 0, c.Pause()
		},
	}
}
