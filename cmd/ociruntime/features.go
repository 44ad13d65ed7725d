package main

import (
	"encoding/json"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/internal/version"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/specconv"
)

// featuresCommand prints what the runtime knows. Engines call it without any global flag, as any
// user and in an empty environment, and read both output streams together.
func featuresCommand(a *app) *cli.Command {
	return &cli.Command{
		Name:  "features",
		Usage: "print what this runtime supports, as JSON",
		Description: `Prints the features document of the runtime specification: known hooks, mount
options, namespaces, capabilities and so on. It tells what this program knows,
whatever the host it runs on.`,
		Action: a.action(0, 0, func(*cli.Context) error {
			v, c := version.Build()
			data, err := json.MarshalIndent(specconv.Features(seccomp.Features(), map[string]string{
				"org.ociruntime.version": v,
				"org.ociruntime.commit":  c,
			}), "", "    ")
			if err != nil {
				return err
			}
			return a.print(string(data) + "\n")
		}),
	}
}
