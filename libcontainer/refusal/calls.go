package refusal

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// call is a system call that this runtime needs.
type call struct {
	name   string
	number uintptr
	since  version // the first Linux that has all of it that we use
	mounts bool    // it says EPERM to those who may not mount before it looks at its arguments
}

// lookup finds a call by the name in its manual page. Versions are from the manual pages and, for flags, from the commits.
func lookup(name string) (call, bool) {
	c := call{name: name}
	switch name {
	case "clone":
		c.number, c.since = unix.SYS_CLONE, version{2, 6}
	case "clone3":
		c.number, c.since = unix.SYS_CLONE3, version{5, 7} // 5.3, CLONE_INTO_CGROUP 5.7
	case "close_range":
		c.number, c.since = unix.SYS_CLOSE_RANGE, version{5, 11} // 5.9, CLOSE_RANGE_CLOEXEC 5.11
	case "faccessat2":
		c.number, c.since = unix.SYS_FACCESSAT2, version{5, 8}
	case "fsconfig":
		c.number, c.since = unix.SYS_FSCONFIG, version{5, 2}
	case "fsmount":
		c.number, c.since, c.mounts = unix.SYS_FSMOUNT, version{5, 2}, true
	case "fsopen":
		c.number, c.since, c.mounts = unix.SYS_FSOPEN, version{5, 2}, true
	case "memfd_create":
		c.number, c.since = unix.SYS_MEMFD_CREATE, version{3, 17}
	case "mount":
		c.number, c.since = unix.SYS_MOUNT, version{2, 4}
	case "mount_setattr":
		c.number, c.since = unix.SYS_MOUNT_SETATTR, version{5, 12}
	case "move_mount":
		c.number, c.since, c.mounts = unix.SYS_MOVE_MOUNT, version{5, 2}, true
	case "open_tree":
		c.number, c.since = unix.SYS_OPEN_TREE, version{5, 2}
	case "openat2":
		c.number, c.since = unix.SYS_OPENAT2, version{5, 6}
	case "pidfd_open":
		c.number, c.since = unix.SYS_PIDFD_OPEN, version{5, 3}
	case "pidfd_send_signal":
		c.number, c.since = unix.SYS_PIDFD_SEND_SIGNAL, version{5, 1}
	case "pivot_root":
		c.number, c.since, c.mounts = unix.SYS_PIVOT_ROOT, version{2, 4}, true
	case "prlimit64":
		c.number, c.since = unix.SYS_PRLIMIT64, version{2, 6}
	case "seccomp":
		c.number, c.since = unix.SYS_SECCOMP, version{3, 17}
	case "setns":
		c.number, c.since = unix.SYS_SETNS, version{5, 8} // 3.0, with a pidfd 5.8
	case "statx":
		c.number, c.since = unix.SYS_STATX, version{4, 11}
	case "umount2":
		c.number, c.since = unix.SYS_UMOUNT2, version{2, 4}
	case "unshare":
		c.number, c.since = unix.SYS_UNSHARE, version{2, 6}
	default:
		return c, false
	}
	return c, true
}

// version is that of a kernel; the third number never matters here.
type version struct{ major, minor int }

func (v version) before(w version) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// parseVersion reads the release of uname(2): "6.18.5", "5.15.0-91-generic", "6.1-rc2".
func parseVersion(release string) version {
	var v version
	if _, err := fmt.Sscanf(release, "%d.%d", &v.major, &v.minor); err != nil {
		return version{}
	}
	return v
}
