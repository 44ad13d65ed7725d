// Package backend is what cgroup v1 and v2 have in common: the interface that packages v1 and v2
// implement, and the directory with its files that both work on.
//
// A container has one Cgroup in every hierarchy of its host: several of package v1, one of package
// v2, or on a hybrid host both kinds.
package backend

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Cgroup is a container's cgroup in one hierarchy.
type Cgroup interface {
	// Dir is its directory.
	Dir() *Dir
	// Names are its keys in a state file: the controllers of a v1 hierarchy, "" for the v2 tree.
	Names() []string
	// LockFile is the file of the directory on which creations lock each other out. It is one that
	// only the cgroup's owner may open: anybody could hold a lock on a file that everybody may
	// read.
	LockFile() (name string, flags uint64)
	// Prepare gets a cgroup without processes ready for limits and for its first process.
	Prepare(s Setup) error
	// MissingFile says why a file for a limit may not be there.
	MissingFile() string
	// Entrance is what a process needs to get into the cgroup by itself (see cgroups.Entrance).
	Entrance() (*os.File, error)

	// Frozen says whether the processes stand still or are being stopped, by this cgroup or by one
	// above it. A cgroup that is gone, or that has no freezer, is not frozen.
	Frozen() (bool, error)
	// Freeze stops the processes and returns when they stand still.
	Freeze(timeout time.Duration) error
	// Thaw lets the processes run again, unless a cgroup above is frozen.
	Thaw() error
	// ReleaseKilled lets processes that were sent SIGKILL while they were frozen run to their end.
	ReleaseKilled() error

	// OOMKills counts the processes that the kernel has killed for the memory limit.
	OOMKills() (uint64, error)
	// WatchOOM begins to watch for a lack of memory, with descriptors of its own.
	WatchOOM() (OOMWatch, error)
}

// NotOffered is MissingFile's answer when nothing better is known.
const NotOffered = "not offered by this kernel"

// Setup is what Prepare needs to know.
type Setup struct {
	Mount string // of the hierarchy
	Rel   string // the cgroup below Mount, beginning with "/"
	Fresh bool   // the directory was made just now

	Controllers []string // v2: to enable for the cgroup
	Limits      []Write  // that will be set
}

// OOMWatch is a watch for a lack of memory.
type OOMWatch interface {
	// Poll is what to wait for before the next Look.
	Poll() []unix.PollFd
	// Look says what has happened, and arms the next notice. When alive is false, no more will
	// come.
	Look() (oom, alive bool)
	Close()
}
