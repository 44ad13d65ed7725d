package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Stamped by the Makefile with -ldflags -X.
var version, commit string

// versionText is the answer to --version. Engines show it whole, and look for "NAME version X",
// "commit: " and "spec: ".
func versionText() string {
	v, c := build()
	return name + " version " + v + "\ncommit: " + c + "\nspec: " + specs.Version + "\ngo: " + runtime.Version() + "\n"
}

// build gives the version and the commit; without the Makefile's stamps, what the go command has
// noted in the binary.
func build() (v, c string) {
	v, c = version, commit
	if v != "" && c != "" {
		return v, c
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		v = cmp.Or(v, strings.Trim(info.Main.Version, "()"))
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = cmp.Or(c, s.Value)
			}
		}
	}
	return cmp.Or(v, "unknown"), cmp.Or(c, "unknown")
}
