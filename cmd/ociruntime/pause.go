package main

import (
	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// pauseCommand stops a container's processes where they are.
func pauseCommand(a *app) *cli.Command {
	return &cli.Command{
		Name: "pause", ArgsUsage: "ID",
		Usage:       "freeze a container's processes",
		Description: `Freezes every process of a container, until "resume". It needs the cgroup freezer.`,
		Action:      a.action(1, 1, a.container((*libcontainer.Container).Pause)),
	}
}
