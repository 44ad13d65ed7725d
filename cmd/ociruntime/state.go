package main

import "encoding/json"

// stateCommand prints a container's state. Engines read it with standard error mixed in.
func stateCommand() *command {
	return &command{
		name: "state", args: "ID", min: 1, max: 1,
		summary: "print a container's state, as JSON",
		about: `Prints the state of a container as the runtime specification defines it. The status
is one of creating, created, running, paused and stopped; pid is 0 when the
container has stopped.`,
		run: func(a *app, args []string) (int, error) {
			c, err := a.runtime().Load(args[0])
			if err != nil {
				return 0, err
			}
			state, err := c.State()
			if err != nil {
				return 0, err
			}
			data, err := json.MarshalIndent(state, "", "  ")
			if err != nil {
				return 0, err
			}
			return 0, a.print(string(data)) // without a newline at the end, as runc
		},
	}
}
