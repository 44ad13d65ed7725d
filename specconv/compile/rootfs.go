package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/names"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// lateChange is a mount that becomes read-only once everything below it is in place.
type lateChange struct {
	from, dest string
	mount      kept // not looked up again: the image's owner may have put something else at dest
}

// propagation is what linux.rootfsPropagation asks for, MS_SLAVE by default as every runtime has
// it: the host's new mounts arrive, the container's own stay inside.
func (c *compiler) propagation() uint64 {
	switch strings.TrimPrefix(c.lin.RootfsPropagation, "r") {
	case "shared":
		return unix.MS_SHARED
	case "private":
		return unix.MS_PRIVATE
	case "unbindable":
		return unix.MS_UNBINDABLE
	}
	return unix.MS_SLAVE
}

// cloned is the propagation of a tree that has just been cloned from the host. A clone is a peer of
// what it was cloned from; only `shared` wants that.
func (c *compiler) cloned() uint64 {
	switch p := c.propagation(); p {
	case unix.MS_SHARED:
		return 0
	case unix.MS_UNBINDABLE:
		// until everything is mounted: an unbindable tree can't be cloned for masks and read-only
		// paths
		return unix.MS_PRIVATE
	default:
		return p
	}
}

// rootfs builds the container's file system: a copy of the mounts at root.path, mounted over the
// old root, and everything that config.json puts into it. Targets are descriptors opened below the
// new root, never paths that are looked up twice (CVE-2021-30465, CVE-2024-45310).
func (c *compiler) rootfs() error {
	c.Group = plan.Rootfs
	c.root = c.Reg()
	root := RootfsPath(c.spec, c.in.Bundle)
	c.Step("default", "clear the umask while files are made", plan.Umask(0))
	if !c.mountsRoot() {
		fd := c.File(plan.File{Name: FileRootfs, Open: plan.OpenPath, Path: root, From: "root.path"})
		c.Step("root.path", "take "+root+" as the root file system", plan.SetReg(c.root, fd))
		return nil
	}
	if c.ns.has(unix.CLONE_NEWNS) {
		c.detachFromHost()
	}
	c.attachRoot(root)
	for i := range c.spec.Mounts {
		if err := c.mount(i); err != nil {
			return err
		}
	}
	return c.devices()
}

// mountsRoot reports whether the container's root file system is a mount of its own. A container
// that shares the runtime's mount namespace has one, too, if it has mounts: they lie in it on the
// host, and libcontainer takes it away as a whole.
func (c *compiler) mountsRoot() bool { return c.ns.has(unix.CLONE_NEWNS) || MountsOnHost(c.spec) }

// MountsOnHost reports whether the mounts of a configuration are made in the runtime's own mount
// namespace, at root.path.
func MountsOnHost(spec *specs.Spec) bool {
	_, own := namespace.Of(spec, specs.MountNamespace)
	return !own && len(spec.Mounts) > 0
}

// othersMounts says that what is mounted around the root file system is to keep its propagation:
// `shared` asks for that, and the mounts of a namespace that is joined are not ours to change. The
// old root's are changed only when they are let go of, which must not happen to their peers on the
// host, too.
func (c *compiler) othersMounts() bool {
	return c.propagation() == unix.MS_SHARED || c.ns.joins(unix.CLONE_NEWNS)
}

// detachFromHost ends the propagation of our mounts to the host, or, see othersMounts, of one: the
// container's root is mounted on root.path, and the mount that this lies in must be private, or
// that would happen on the host, too (and pivot_root would refuse).
func (c *compiler) detachFromHost() {
	from := "linux.rootfsPropagation"
	if c.lin.RootfsPropagation == "" {
		from = "default"
	}
	below := c.in.Facts.RootParent
	if c.ns.joins(unix.CLONE_NEWNS) {
		below = "/" // where joining leads to
	}
	switch p := c.propagation(); {
	case c.othersMounts():
		c.Step(from, "make the mount below the root file system private", setPropagation(below, 0, unix.MS_PRIVATE).OnHost())
	case p == unix.MS_PRIVATE, p == unix.MS_UNBINDABLE:
		c.Step(from, "cut the mounts off from the host", setPropagation("/", unix.AT_RECURSIVE, unix.MS_PRIVATE).OnHost())
	default:
		c.Step(from, "stop mounts from propagating to the host", setPropagation("/", unix.AT_RECURSIVE, unix.MS_SLAVE).OnHost())
	}
}

func setPropagation(path string, flags int64, propagation uint64) plan.Op {
	label := "0"
	if flags != 0 {
		label = "AT_RECURSIVE"
	}
	op := plan.Sys(plan.SysMountSetattr, plan.CWD(), plan.Str(path), plan.Int(flags, label),
		plan.Change(0, 0, propagation), plan.Num(32))
	// EINVAL from the kernel, as where the runtime was started by chroot(8).
	return op.Says("linux.rootfsPropagation: change how mounts propagate: mount_setattr " + path +
		", which has to be a mount point of the host's (in a plain chroot it is none: mount --bind DIR DIR before chroot DIR makes it one)")
}

// enterRootfs goes to root.path while the init has the host's rights: a user namespace may not be
// allowed to walk there. Making a mount namespace turns the working directory into the same place
// of the new one.
func (c *compiler) enterRootfs() {
	if !c.mountsRoot() || c.spec.Root == nil {
		return
	}
	root := RootfsPath(c.spec, c.in.Bundle)
	c.Step("root.path", "go to "+root, plan.Sys(plan.SysChdir, plan.Str(root)).OnHost())
}

// attachRoot mounts a copy of the root file system over itself, which makes it a mount of its own:
// pivot_root takes nothing else. Hooks find the container's mounts at root.path.
func (c *compiler) attachRoot(root string) {
	tree := plan.Val(c.root)
	ops := append(c.lendDevices(), c.cloneFromHost(c.root, plan.File{Name: FileRootfs, Path: root, From: "root.path", Recursive: true}))
	if p := c.cloned(); p != 0 {
		ops = append(ops, plan.MountSetattr(tree, true, 0, 0, p))
	} else {
		// What is mounted below root.path stays shared with the host; the container's own mounts
		// must not appear there, too (and pivot_root refuses a shared root).
		ops = append(ops, plan.MountSetattr(tree, false, 0, 0, unix.MS_PRIVATE))
	}
	ops = append(ops, plan.Sys(plan.SysMoveMount, tree, plan.Str(""), plan.CWD(), plan.Str("."),
		plan.Int(unix.MOVE_MOUNT_F_EMPTY_PATH, "F_EMPTY_PATH")).OnHost())
	c.Step("root.path", "mount "+root+" as the new root", ops...)
}

// cloneFromHost puts a detached copy of a host's mount into r. The init clones it itself, in its
// turn: it has the rights of the host's user until the program runs. A user namespace takes these
// away, and in a mount namespace that is joined a path is something else, so that there a
// privileged host clones it before the init exists, as it does for an idmapped mount, which only it
// may make.
func (c *compiler) cloneFromHost(r plan.Reg, f plan.File) plan.Op {
	if c.in.Facts.OwnsMounts && (c.ns.has(unix.CLONE_NEWUSER) || c.ns.joins(unix.CLONE_NEWNS) || f.IDMap != nil) {
		f.Open = plan.OpenTree
		return plan.SetReg(r, c.File(f))
	}
	if f.NoFollow {
		return plan.OpenTreeNoFollow(plan.CWD(), f.Path, f.Recursive).OnHost().Into(r)
	}
	return plan.OpenTreeClone(plan.CWD(), f.Path, f.Recursive).OnHost().Into(r)
}

// linkRule says which symbolic links in a path are followed. None leads out of the root file
// system.
type linkRule uint8

const (
	allLinks linkRule = iota
	notLast           // not one at the end of the path
	noLinks
)

// target opens the place for a mount, relative to the new root, and makes it where it is missing:
// the missing directories, then a directory or an empty file. The ops for that are skipped when the
// first open succeeds.
func (c *compiler) target(dest string, dir bool, follow linkRule) (plan.Reg, []plan.Op) {
	t, parent := c.tmp(), c.tmp()
	var extra uint64
	if dir {
		extra = unix.O_DIRECTORY
	}
	open := plan.OpenInRoot(plan.Val(c.root), rel(dest), extra).Into(t)
	switch follow {
	case notLast:
		open = plan.OpenInRoot(plan.Val(c.root), rel(dest), extra|unix.O_NOFOLLOW).Into(t)
	case noLinks:
		open = plan.OpenNoLinks(plan.Val(c.root), rel(dest), unix.O_PATH|extra).Into(t)
	}
	ops := []plan.Op{open.Allowing(unix.ENOENT)}
	missing := t.Failed()
	at := plan.Val(c.root)
	parts := strings.Split(rel(dest), "/")
	for i, name := range parts {
		last := i == len(parts)-1
		if last && !dir {
			ops = append(ops, plan.Mknod(at, name, unix.S_IFREG|0o755, 0).When(missing).Allowing(unix.EEXIST))
			break
		}
		ops = append(ops, plan.Mkdir(at, name, 0o755).When(missing).Allowing(unix.EEXIST))
		if last {
			break
		}
		if i > 0 {
			ops = append(ops, plan.Close(at).When(missing))
		}
		ops = append(ops, plan.OpenInRoot(plan.Val(c.root), strings.Join(parts[:i+1], "/"), unix.O_DIRECTORY).Into(parent).When(missing))
		at = plan.Val(parent)
	}
	if len(parts) > 1 {
		ops = append(ops, plan.Close(plan.Val(parent)).When(missing))
	}
	return t, append(ops, open.When(missing))
}

// hooksBeforePivot is the point where the environment exists and the host's root can still be seen.
func (c *compiler) hooksBeforePivot() error {
	h := c.spec.Hooks
	if h == nil {
		return nil
	}
	c.Group = plan.Hooks
	for _, k := range []struct {
		n    int
		do   plan.HostStep
		from string
	}{
		{len(h.Prestart), DoPrestart, "hooks.prestart"}, //nolint:staticcheck // deprecated, and dockerd 20.10 sets up its network with it
		{len(h.CreateRuntime), DoCreateRuntime, "hooks.createRuntime"},
		{len(h.CreateContainer), DoCreateContainer, "hooks.createContainer"},
	} {
		if k.n == 0 {
			continue
		}
		what := fmt.Sprintf("run %d %s", k.n, k.do)
		if k.do != DoCreateContainer {
			c.Host(k.do, k.from, what)
			continue
		}
		// These run in the container's namespaces, and begin in its root file system.
		c.HostWith(k.do, k.from, what, plan.Val(c.root))
	}
	c.Group = plan.Rootfs
	return nil
}

// pivot makes the new root the root. pivot_root(".", ".") stacks the old root on the new one, where
// umount2 finds it.
func (c *compiler) pivot() error {
	root := plan.Val(c.root)
	dot := plan.Str(".")
	if !c.ns.has(unix.CLONE_NEWNS) {
		c.Step("root.path", "change the root to the new root file system", plan.Fchdir(root), plan.Sys(plan.SysChroot, dot))
		return nil
	}
	if c.in.NoPivot {
		c.hideKernelMounts()
		// Over the old root it covers what exec would find when it joins the mount namespace, and
		// what a process that walks out of its root directory arrives at.
		ops := []plan.Op{plan.Fchdir(root), plan.Sys(plan.SysChroot, dot)}
		if c.ns.joins(unix.CLONE_NEWNS) {
			// Joining has led to the old root, so that it lies there already.
			c.Step("root.path", "change the root to the new one, which covers the old one", ops...)
			return nil
		}
		ops = append([]plan.Op{plan.Sys(plan.SysMoveMount, root, plan.Str(""), plan.CWD(), plan.Str("/"),
			plan.Int(unix.MOVE_MOUNT_F_EMPTY_PATH, "F_EMPTY_PATH")).OnHost()}, ops...)
		if c.propagation() == unix.MS_SHARED {
			// Or it would cover the host's, too.
			ops = append([]plan.Op{setPropagation("/", 0, unix.MS_PRIVATE).OnHost()}, ops...)
		}
		c.Step("root.path", "move the new root over the old one and change the root to it", ops...)
		return nil
	}
	var before, after []plan.Op
	if c.othersMounts() {
		// The old root's mounts may be peers of the host's: letting go of them must not propagate.
		old := c.tmp()
		before = []plan.Op{plan.OpenFile(plan.CWD(), "/", unix.O_PATH|unix.O_DIRECTORY, 0, 0).OnHost().Into(old)}
		after = []plan.Op{plan.MountSetattr(plan.Val(old), true, 0, 0, unix.MS_SLAVE), plan.Close(plan.Val(old))}
	}
	ops := append(before, plan.Fchdir(root), plan.Sys(plan.SysPivotRoot, dot, dot))
	ops = append(ops, after...)
	ops = append(ops, plan.Sys(plan.SysUmount2, dot, plan.Int(unix.MNT_DETACH, "MNT_DETACH")), plan.Fchdir(root))
	c.Step("root.path", "pivot to the new root and let go of the old one", ops...)
	return nil
}

// afterPivot closes the file system: what is read-only, masked, or set once it stands.
func (c *compiler) afterPivot() error {
	mounts := c.mountsRoot()
	if c.ns.has(unix.CLONE_NEWNS) {
		switch p := c.propagation(); p {
		case unix.MS_SHARED, unix.MS_UNBINDABLE:
			c.Step("linux.rootfsPropagation", "make the root mount "+c.lin.RootfsPropagation,
				plan.MountSetattr(plan.Val(c.root), false, 0, 0, p))
		}
	}
	if err := c.nullStdio(); err != nil {
		return err
	}
	c.workdir()
	if err := c.terminal(); err != nil {
		return err
	}
	c.sysctls()
	if mounts {
		for _, l := range c.readonly {
			c.setReadonly(l)
		}
		if c.spec.Root.Readonly {
			c.Step("root.readonly", "make the root file system read-only",
				plan.MountSetattr(plan.Val(c.root), false, unix.MOUNT_ATTR_RDONLY, 0, 0))
		}
		c.readonlyPaths()
		c.maskedPaths()
		c.closeGuarded()
	}
	return nil
}

func (c *compiler) setReadonly(l lateChange) {
	m, ops := c.take(l.mount)
	c.Step(l.from, "make "+l.dest+" read-only, now that it is filled",
		append(ops, plan.MountSetattr(plan.Val(m), false, unix.MOUNT_ATTR_RDONLY, 0, 0), plan.Close(plan.Val(m)))...)
}

// workdir makes process.cwd where the image lacks it, as every runtime does.
func (c *compiler) workdir() {
	if c.spec.Process == nil || rel(c.spec.Process.Cwd) == "." {
		return
	}
	t, ops := c.target(c.spec.Process.Cwd, true, allLinks)
	// On a read-only file system, or where something of another kind is in the way, chdir will tell
	// what is wrong.
	c.Step("process.cwd", "make the working directory "+c.spec.Process.Cwd+" if it is missing", append(ops, plan.Close(plan.Val(t)))...)
}

// sysctls are written through the verified procfs: the container's own /proc may be anything, or
// nothing.
func (c *compiler) sysctls() {
	for _, key := range slices.Sorted(maps.Keys(c.lin.Sysctl)) {
		value := c.lin.Sysctl[key]
		c.Step(problem.MemberPath("linux.sysctl", key), "set "+key+" to "+value, c.writeProc("sys/"+names.SysctlPath(key), value)...)
	}
}
