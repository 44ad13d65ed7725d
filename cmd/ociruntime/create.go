package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"
)

// createCommand makes a container that waits for start.
func createCommand(a *app) *cli.Command {
	var b bundleFlags
	return &cli.Command{
		Name: "create", ArgsUsage: "ID",
		Usage: "make a container, ready to start",
		Description: `Makes a container out of a bundle. Everything is set up, and the process waits for
"start" to run its program. Standard input, output and error become the container's.
HUP, INT, QUIT and TERM undo what was made, and end the hook that runs.

The ID is a name for the container: letters, digits and _ + . - .`,
		Flags: b.flags(),
		Action: a.action(1, 1, func(c *cli.Context) error {
			err := a.interruptible(func(ctx context.Context) error {
				opts, err := b.options(a, false)
				if err != nil {
					return err
				}
				_, _, err = a.runtime().Create(ctx, c.Args().First(), opts)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s create failed: %w", name, err)
			}
			return nil
		}),
	}
}
