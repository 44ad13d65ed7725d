package compile

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// hideUnreachableMounts does as hideKernelMounts, and before the init becomes root of a user
// namespace: this root may not be allowed to walk to a mount that lies below another user's
// directory, and the kernel counts what nobody can reach, too. A mount namespace in between is
// where the mounts can be taken away. What is on /proc and /sys has to stay until the container's
// own are mounted, which takes a whole one that is there already.
func (c *compiler) hideUnreachableMounts() {
	if !c.hidesEarly() || !slices.ContainsFunc(c.in.Facts.KernelMounts, c.unreachable) {
		return
	}
	c.Step("default", "make a mount namespace to let go of the host's proc and sysfs in",
		plan.Unshare(plan.Int(unix.CLONE_NEWNS, "NEWNS")), setPropagation("/", unix.AT_RECURSIVE, unix.MS_SLAVE).OnHost())
	for _, at := range c.in.Facts.KernelMounts {
		if c.unreachable(at) {
			c.hideKernelMount(at)
		}
	}
}

// hidesEarly reports whether the init has rights of the host that its user namespace takes away.
func (c *compiler) hidesEarly() bool {
	return c.in.NoPivot && c.in.Facts.Privileged && c.ns.has(unix.CLONE_NEWUSER) && c.ns.created&unix.CLONE_NEWNS != 0
}

// unreachable reports whether a mount may lie where root of a user namespace can't walk to.
func (c *compiler) unreachable(at string) bool {
	return c.hidesEarly() && at != "/proc" && at != "/sys"
}

// hideKernelMounts takes the host's proc and sysfs away, which stay below the new root otherwise:
// for a process of the container that makes a user namespace, the kernel allows a new mount of
// either only as long as a whole one is there, and that would have neither masks nor read-only
// paths. Those that a user namespace has inherited can't be unmounted, but covered. So are those
// that are shared with the host, which would lose its own.
func (c *compiler) hideKernelMounts() {
	for _, at := range c.in.Facts.KernelMounts {
		if !c.unreachable(at) {
			c.hideKernelMount(at)
		}
	}
}

func (c *compiler) hideKernelMount(at string) {
	kept, place, fs, m := c.tmp(), c.tmp(), c.tmp(), c.tmp()
	ops := append(unset(place), plan.Sys(plan.SysUmount2, plan.Str(at), plan.Int(unix.MNT_DETACH, "MNT_DETACH")).OnHost().Into(kept).
		Allowing(unix.EINVAL, unix.EPERM, unix.ENOENT))
	if c.othersMounts() {
		ops = append(unset(place), setPropagation(at, 0, unix.MS_PRIVATE).OnHost().Allowing(unix.ENOENT, unix.EINVAL),
			plan.SetReg(kept, plan.Int(-1, "cover it")))
	}
	// What is there no more has another mount over it.
	there := place.OK()
	c.Step("default", "let go of the host's "+at, append(ops,
		plan.OpenFile(plan.CWD(), at, unix.O_PATH|unix.O_DIRECTORY, 0, 0).OnHost().When(kept.Failed()).Into(place).Allowing(unix.ENOENT, unix.ENOTDIR),
		plan.Fsopen("tmpfs").Into(fs).When(there),
		plan.FsCreate(plan.Val(fs)).When(there),
		plan.Fsmount(plan.Val(fs), unix.MOUNT_ATTR_RDONLY).Into(m).When(there),
		plan.MoveMount(plan.Val(m), plan.Val(place)).When(there),
		plan.Close(plan.Val(m)).When(there),
		plan.Close(plan.Val(fs)).When(there),
		plan.Close(plan.Val(place)).When(there))...)
}
