// Package feature knows which Linux was the first to have what this runtime uses of it.
package feature

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What is not a system call.
const (
	// OverlayLayers is that overlay takes its lower directories one by one (lowerdir+).
	OverlayLayers = "overlay: lowerdir+"
	// ProcOfOthers is that a procfs is made of a pid namespace by its descriptor (pidns).
	ProcOfOthers = "proc: pidns"
)

// Since is the first Linux that has all of a feature that this runtime uses. A system call goes by
// the name of its manual page. It is zero for what is not in the table. The versions are from the
// manual pages and, for flags and mount options, from the commits.
func Since(name string) Version {
	switch name {
	case "mount", "pivot_root", "umount2":
		return Version{2, 4}
	case "clone", "prlimit64", "unshare":
		return Version{2, 6}
	case "memfd_create", "seccomp":
		return Version{3, 17}
	case "statx":
		return Version{4, 11}
	case "pidfd_send_signal":
		return Version{5, 1}
	case "fsconfig", "fsmount", "fsopen", "move_mount", "open_tree":
		return Version{5, 2}
	case "pidfd_open":
		return Version{5, 3}
	case "openat2":
		return Version{5, 6}
	case "clone3":
		return Version{5, 7} // 5.3, CLONE_INTO_CGROUP 5.7
	case "faccessat2":
		return Version{5, 8}
	case "setns":
		return Version{5, 8} // 3.0, with a pidfd 5.8
	case "close_range":
		return Version{5, 11} // 5.9, CLOSE_RANGE_CLOEXEC 5.11
	case "mount_setattr":
		return Version{5, 12}
	case OverlayLayers:
		return Version{6, 11}
	case ProcOfOthers:
		return Version{6, 17}
	}
	return Version{}
}

// Version is that of a kernel. The third number never matters here.
type Version struct{ Major, Minor int }

// Has says whether a kernel of this version has a feature. It says no if either is not known.
func (v Version) Has(name string) bool {
	since := Since(name)
	return v != Version{} && since != Version{} && !v.Before(since)
}

// Before says whether v is older than w.
func (v Version) Before(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// String is the version as uname(1) begins it: "5.15".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Running is the version of this kernel, or zero if it can't be told.
func Running() Version {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Version{}
	}
	return parse(unix.ByteSliceToString(u.Release[:]))
}

// parse reads the release of uname(2): "6.18.5", "5.15.0-91-generic", "6.1-rc2".
func parse(release string) Version {
	var v Version
	if _, err := fmt.Sscanf(release, "%d.%d", &v.Major, &v.Minor); err != nil {
		return Version{}
	}
	return v
}
