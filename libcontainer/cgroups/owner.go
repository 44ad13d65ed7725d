package cgroups

import (
	"errors"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Owner is who shall own the container's cgroup, in the ids of this process's user namespace; -1 leaves an id alone.
type Owner struct{ UID, GID int }

// OwnerWanted says whether the container's user should own its cgroup (config-linux.md, "Cgroup ownership"): it has a cgroup
// namespace of its own and a writable cgroup mount. On cgroup v1 nobody should, which Create sees to.
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

// giveTo makes the owner able to manage the cgroup's inside: the directory and the files that the kernel names for it, which
// hold no limits.
func (c *Cgroup) giveTo(o Owner) error {
	if !c.Unified() {
		return nil
	}
	n := &c.nodes[0]
	dir, err := n.open()
	if err != nil {
		return err
	}
	for _, name := range append([]string{""}, delegated()...) {
		err := chownAt(dir, name, o)
		if name != "" && errors.Is(err, unix.ENOENT) {
			continue // of a controller that is not enabled here
		}
		if err != nil {
			return &FileError{From: "process.user", Verb: "change the owner of", Path: path.Join(n.path, name), Err: err}
		}
	}
	return nil
}

func chownAt(dir int, name string, o Owner) error {
	if name == "" {
		return unix.Fchownat(dir, "", o.UID, o.GID, unix.AT_EMPTY_PATH)
	}
	return unix.Fchownat(dir, name, o.UID, o.GID, unix.AT_SYMLINK_NOFOLLOW)
}

// delegated are the names in /sys/kernel/cgroup/delegate (cgroups(7)).
func delegated() []string {
	text, err := readFile("/sys/kernel/cgroup/delegate")
	if err != nil {
		return []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
	}
	return slices.DeleteFunc(strings.Fields(text), func(name string) bool {
		return strings.Contains(name, "/")
	})
}
