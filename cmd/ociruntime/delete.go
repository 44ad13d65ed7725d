package main

import "github.com/urfave/cli/v2"

// deleteCommand removes what is left of a container.
func deleteCommand(a *app) *cli.Command {
	var force bool
	return &cli.Command{
		Name: "delete", ArgsUsage: "ID",
		Usage: "remove a container",
		Description: `Removes a container that has stopped, or was never started: its cgroup, its
directory and what else was made for it. The bundle stays.

With --force a running container is killed first, whatever an interrupted command
has left is removed, too, and an unknown ID is no error.`,
		Flags: []cli.Flag{boolean(&force, "force,f", "kill it first if it runs")},
		Action: a.action(1, 1, func(c *cli.Context) error {
			return a.runtime().Delete(c.Args().First(), force)
		}),
	}
}
