package main

import (
	"encoding/json"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/specconv"
)

// featuresCommand prints what the runtime knows. Engines call it without any global flag, as any user and in an empty
// environment, and read both output streams together.
func featuresCommand() *command {
	return &command{
		name:    "features",
		summary: "print what this runtime supports, as JSON",
		about: `Prints the features document of the runtime specification: known hooks, mount
options, namespaces, capabilities and so on. It tells what this program knows,
whatever the host it runs on.`,
		run: func(a *app, _ []string) (int, error) {
			v, c := build()
			data, err := json.MarshalIndent(specconv.Features(seccomp.Features(), map[string]string{
				"org.ociruntime.version": v,
				"org.ociruntime.commit":  c,
			}), "", "    ")
			if err != nil {
				return 0, err
			}
			return 0, a.print(string(data) + "\n")
		},
	}
}
