package main

import (
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/internal/version"
)

// versionText is the answer to --version. Engines show it whole, and look for "NAME version X.Y.Z",
// "commit: " and "spec: ".
func versionText() string {
	v, c := version.Build()
	return name + " version " + v + "\ncommit: " + c + "\nspec: " + specs.Version + "\ngo: " + runtime.Version() + "\n"
}
