// Package version says which version of this project a command is.
package version

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// Release is the version of this source; between releases it is the next one's with "-dev" behind
// it.
const Release = "1.0.0-dev"

// commit is stamped by the Makefile with -ldflags -X.
var commit string

// Build gives the version and the commit of the running program; without the Makefile's stamp, the
// commit that the go command has noted in the binary.
func Build() (version, hash string) {
	hash = cmp.Or(commit, notedCommit(), "unknown")
	return full(Release, hash), hash
}

// full has the commit as build metadata between releases (semver.org).
func full(release, hash string) string {
	if !strings.HasSuffix(release, "-dev") || hash == "unknown" {
		return release
	}
	short, dirty, _ := strings.Cut(hash, "-")
	return release + "+" + strings.TrimSuffix(short[:min(len(short), 7)]+"-"+dirty, "-")
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
