package main

import (
	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// resumeCommand lets a paused container go on.
func resumeCommand(a *app) *cli.Command {
	return &cli.Command{
		Name: "resume", ArgsUsage: "ID",
		Usage: "let a paused container go on",
		Description: `Lets the processes of a container that "pause" has frozen go on. It fails when a cgroup
above the container's is frozen too.`,
		Action: a.action(1, 1, a.container((*libcontainer.Container).Resume)),
	}
}
