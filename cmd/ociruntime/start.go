package main

// startCommand lets a created container's program run.
func startCommand() *command {
	var trace string
	return &command{
		name: "start", args: "ID", min: 1, max: 1,
		summary: "run the program of a created container",
		about: `Lets a container that "create" has made run its program. It returns once the program
runs, or tells why it can't be run.`,
		flags: func(f *flags) {
			f.text(&trace, "trace", "FILE", "write to this file when each step was carried out")
		},
		run: func(a *app, args []string) (int, error) {
			c, err := a.runtime().Load(args[0])
			if err != nil {
				return 0, err
			}
			manager := a.notifySocket()
			if manager != "" {
				c.ListenNotify()
			}
			if err := c.Start(trace); err != nil {
				return 0, err
			}
			return 0, c.ForwardReady(manager, 0)
		},
	}
}
