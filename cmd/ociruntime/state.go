package main

import (
	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// stateCommand prints a container's state. Engines read it with standard error mixed in.
func stateCommand(a *app) *cli.Command {
	return &cli.Command{
		Name: "state", ArgsUsage: "ID",
		Usage: "print a container's state, as JSON",
		Description: `Prints the state of a container as the runtime specification defines it. The status
is one of creating, created, running, paused and stopped; pid is 0 when the
container has stopped.`,
		Action: a.action(1, 1, a.container(func(c *libcontainer.Container) error {
			state, err := c.State()
			if err != nil {
				return err
			}
			state.Owner = c.Owner()
			text, err := state.MarshalIndent()
			if err != nil {
				return err
			}
			return a.print(string(text) + "\n")
		})),
	}
}
