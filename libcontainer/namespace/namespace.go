// Package namespace has the kinds of namespaces (namespaces(7)), by all the names that they go by.
package namespace

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Kind is a kind of namespace.
type Kind struct {
	Flag uint64 // CLONE_NEW*
	Name string // the type in config.json
	Link string // the name below /proc/PID/ns
}

// Kinds are all kinds. A user namespace comes first: it gives the rights over the others.
func Kinds() [8]Kind {
	return [...]Kind{
		{unix.CLONE_NEWUSER, "user", "user"},
		{unix.CLONE_NEWNS, "mount", "mnt"},
		{unix.CLONE_NEWPID, "pid", "pid"},
		{unix.CLONE_NEWNET, "network", "net"},
		{unix.CLONE_NEWIPC, "ipc", "ipc"},
		{unix.CLONE_NEWUTS, "uts", "uts"},
		{unix.CLONE_NEWCGROUP, "cgroup", "cgroup"},
		{unix.CLONE_NEWTIME, "time", "time"},
	}
}

// ByName is the kind that config.json calls name. ok is false for a name that the specification
// does not have.
func ByName(name string) (k Kind, ok bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Of looks for a namespace of that kind among those of a configuration. path is that of one to
// join, "" for a new one.
func Of(spec *specs.Spec, kind specs.LinuxNamespaceType) (path string, ok bool) {
	if spec.Linux == nil {
		return "", false
	}
	for _, ns := range spec.Linux.Namespaces {
		if ns.Type == kind {
			return ns.Path, true
		}
	}
	return "", false
}

// Names are config.json's words for the CLONE_NEW* bits in flags.
func Names(flags uint64) []string {
	var names []string
	for _, k := range Kinds() {
		if flags&k.Flag != 0 {
			names = append(names, k.Name)
		}
	}
	return names
}
