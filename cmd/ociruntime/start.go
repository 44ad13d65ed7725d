package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// startCommand lets a created container's program run.
func startCommand(a *app) *cli.Command {
	var trace string
	return &cli.Command{
		Name: "start", ArgsUsage: "ID",
		Usage: "run the program of a created container",
		Description: `Lets a container that "create" has made run its program. It returns once the program
runs, or tells why it can't be run. HUP, INT, QUIT and TERM before it returns remove
the container, and end the hook that runs.`,
		Flags: []cli.Flag{text(&trace, "trace", "write to `FILE` when each step was carried out")},
		Action: a.action(1, 1, a.container(func(c *libcontainer.Container) error {
			manager := a.notifySocket()
			if manager != "" {
				c.ListenNotify()
			}
			start := func(ctx context.Context) error { return c.Start(ctx, trace) }
			if err := interruptible(start); err != nil {
				return err
			}
			return c.ForwardReady(manager, 0)
		})),
	}
}
