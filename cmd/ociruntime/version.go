package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// release is the version of this source; between releases it is the next one's with "-dev" behind
// it.
const release = "1.0.0-dev"

// commit is stamped by the Makefile with -ldflags -X.
var commit string

// versionText is the answer to --version. Engines show it whole, and look for "NAME version X.Y.Z",
// "commit: " and "spec: ".
func versionText() string {
	v, c := build()
	return name + " version " + v + "\ncommit: " + c + "\nspec: " + specs.Version + "\ngo: " + runtime.Version() + "\n"
}

// build gives the version and the commit; without the Makefile's stamp, the one that the go command
// has noted in the binary.
func build() (v, c string) {
	if c = commit; c == "" {
		c = cmp.Or(notedCommit(), "unknown")
	}
	if strings.HasSuffix(release, "-dev") && c != "unknown" {
		// The commit as build metadata (semver.org).
		hash, dirty, _ := strings.Cut(c, "-")
		v = "+" + strings.TrimSuffix(hash[:min(len(hash), 7)]+"-"+dirty, "-")
	}
	return release + v, c
}

func notedCommit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
