package cgroups

import (
	"path"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Owner is who shall own the container's cgroup, in the ids of this process's user namespace; -1
// leaves an id alone.
type Owner struct{ UID, GID int }

// OwnerWanted says whether the container's user should own its cgroup (config-linux.md, "Cgroup
// ownership"): it has a cgroup namespace of its own and a writable cgroup mount. On cgroup v1
// nobody should, which Create sees to.
func OwnerWanted(spec *specs.Spec) bool {
	if spec.Linux == nil {
		return false
	}
	private := slices.ContainsFunc(spec.Linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		return ns.Type == specs.CgroupNamespace && ns.Path == ""
	})
	return private && slices.ContainsFunc(spec.Mounts, func(m specs.Mount) bool {
		return m.Source == "cgroup" && path.Clean(m.Destination) == root && !slices.Contains(m.Options, "ro")
	})
}
