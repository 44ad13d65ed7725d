package refusal

import (
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/feature"
)

// call is a system call that this runtime needs.
type call struct {
	name   string
	number uintptr
	since  feature.Version // the first Linux that has all of it that we use
	// it says EPERM to those who may not mount before it looks at its arguments
	mounts bool
}

// lookup finds a call by the name in its manual page.
func lookup(name string) (call, bool) {
	c := call{name: name, since: feature.Since(name)}
	switch name {
	case "clone":
		c.number = unix.SYS_CLONE
	case "clone3":
		c.number = unix.SYS_CLONE3
	case "close_range":
		c.number = unix.SYS_CLOSE_RANGE
	case "faccessat2":
		c.number = unix.SYS_FACCESSAT2
	case "fsconfig":
		c.number = unix.SYS_FSCONFIG
	case "fsmount":
		c.number, c.mounts = unix.SYS_FSMOUNT, true
	case "fsopen":
		c.number, c.mounts = unix.SYS_FSOPEN, true
	case "memfd_create":
		c.number = unix.SYS_MEMFD_CREATE
	case "mount":
		c.number = unix.SYS_MOUNT
	case "mount_setattr":
		c.number = unix.SYS_MOUNT_SETATTR
	case "move_mount":
		c.number, c.mounts = unix.SYS_MOVE_MOUNT, true
	case "open_tree":
		c.number = unix.SYS_OPEN_TREE
	case "openat2":
		c.number = unix.SYS_OPENAT2
	case "pidfd_open":
		c.number = unix.SYS_PIDFD_OPEN
	case "pidfd_send_signal":
		c.number = unix.SYS_PIDFD_SEND_SIGNAL
	case "pivot_root":
		c.number, c.mounts = unix.SYS_PIVOT_ROOT, true
	case "prlimit64":
		c.number = unix.SYS_PRLIMIT64
	case "seccomp":
		c.number = unix.SYS_SECCOMP
	case "setns":
		c.number = unix.SYS_SETNS
	case "statx":
		c.number = unix.SYS_STATX
	case "umount2":
		c.number = unix.SYS_UMOUNT2
	case "unshare":
		c.number = unix.SYS_UNSHARE
	default:
		return c, false
	}
	return c, true
}
