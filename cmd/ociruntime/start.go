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
runs, or tells why it can't be run. HUP, INT, QUIT and TERM while a hook runs
end the hook and remove the container.`,
		Flags: []cli.Flag{text(&trace, "trace", "write to `FILE` when each step was carried out")},
		Action: a.action(1, 1, a.container(func(c *libcontainer.Container) error {
			manager := a.notifySocket()
			if manager != "" {
				c.ListenNotify()
			}
			// Without hooks, start ends as soon as the program runs: nothing is left when a signal
			// ends it at once, and to catch four signals takes a third of its time.
			start := func(ctx context.Context) error { return c.Start(ctx, trace) }
			wait := a.interruptible
			if !c.HasStartHooks() {
				wait = uninterruptible
			}
			if err := wait(start); err != nil {
				return err
			}
			return c.ForwardReady(manager, 0)
		})),
	}
}
