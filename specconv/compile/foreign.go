package compile

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// foreignMount is a file system that was made before the init entered its user namespace.
type foreignMount struct {
	fs       string
	mount    kept
	set, clr uint64
}

// shows is the kind of namespace that a file system shows, 0 for most.
func shows(fstype string) uint64 {
	switch fstype {
	case "sysfs":
		return unix.CLONE_NEWNET
	case "mqueue":
		return unix.CLONE_NEWIPC
	case "proc":
		return unix.CLONE_NEWPID
	}
	return 0
}

// foreignMounts makes the file systems that show a namespace over which the container's user
// namespace has no power, be it the host's or one that the host has made for a pod. There the
// kernel would refuse it (EPERM). So the init makes them while it has the host's credentials, and
// mounts them in their turn. What they show belongs to ids of the host, and root of the container
// can't write to it.
func (c *compiler) foreignMounts() error {
	if !c.in.Facts.Privileged || !c.mountsRoot() {
		return nil
	}
	for i := range c.spec.Mounts {
		e := c.entry(i)
		flag := shows(e.m.Type)
		switch {
		case flag == 0 || e.o.Bind || e.o.Remount || !c.ns.foreign(flag):
			continue
		case c.in.Facts.InUserNS && !c.ns.joins(flag):
			continue // it may be foreign to the runtime, too: bindHosts
		case flag == unix.CLONE_NEWPID && c.ns.joins(flag) && !c.in.Facts.ProcOfOthers:
			return fmt.Errorf("%s: a procfs of %s, which does not belong to the container's user namespace, needs Linux 6.17",
				e.from, c.ns.joining(flag).path)
		}
		m, ops, set, clr, err := e.made(e.o.AttrSet)
		if err != nil {
			return err
		}
		mount, keep := c.keep(plan.Val(m))
		if c.foreign == nil {
			c.foreign = make(map[int]foreignMount)
		}
		c.foreign[i] = foreignMount{e.m.Type, mount, set, clr}
		c.Step(e.from, "make the "+e.m.Type+" while the init may: it shows a namespace that is not the user namespace's", append(ops, keep)...)
	}
	return nil
}

// made gives a detached mount of a new file system, or of the one that foreignMounts has made.
func (e *mountEntry) made(attr uint64) (m plan.Reg, ops []plan.Op, set, clr uint64, err error) {
	if f, ok := e.foreign[e.i]; ok {
		m, ops = e.take(f.mount)
		return m, ops, f.set, f.clr, nil
	}
	m = e.tmp()
	if ops, set, clr, err = e.makeFilesystem(m, attr); err != nil {
		return m, nil, 0, 0, err
	}
	return m, append(ops, e.relabel(m, e.m.Type)...), set, clr, nil
}

// bindHosts binds what the host has in the place of a file system that shows the host's namespace
// and that the runtime itself may not make, with the same restrictions, on everything below, too.
func (e *mountEntry) bindHosts() {
	at := map[string]string{"sysfs": "/sys", "proc": "/proc", "mqueue": "/dev/mqueue"}[e.m.Type]
	tree := e.tmp()
	ops := []plan.Op{e.cloneFromHost(tree, plan.File{Name: SourceFile(e.i), Path: at, From: e.from, Recursive: true})}
	target, open := e.target(e.m.Destination, true, noLinks)
	ops = append(ops, open...)
	if e.o.AttrSet != 0 {
		ops = append(ops, plan.MountSetattr(plan.Val(tree), true, e.o.AttrSet&^unix.MOUNT_ATTR__ATIME, 0, 0))
	}
	ops = append(ops, e.attach(tree, target, e.cloned(), 0, 0)...)
	e.Step(e.from, e.what("bind the host's "+e.m.Type+", since its namespace is not the container's own, on"), ops...)
}
