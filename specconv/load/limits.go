package load

import (
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Limits are resources as a config.json of that ociVersion means them. Up to 1.2 the Go types that
// engines are built with could not leave pids.limit out: 0 meant that it is not set, and Podman
// sends it so for Docker's clients. From 1.3 on (config-linux.md, "PIDs") 0 is the number 0. An
// update has no version of its own, and comes from the engine that wrote the container's
// config.json.
func Limits(ociVersion string, res *specs.LinuxResources) *specs.LinuxResources {
	if res == nil || res.Pids == nil || res.Pids.Limit == nil || *res.Pids.Limit != 0 || minorVersion(ociVersion) >= 3 {
		return res
	}
	unset := *res
	unset.Pids = nil
	return &unset
}

// minorVersion is the 2 of 1.2.0.
func minorVersion(v string) int {
	_, rest, _ := strings.Cut(v, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, _ := strconv.Atoi(minor)
	return n
}
