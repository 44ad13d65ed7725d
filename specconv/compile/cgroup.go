package compile

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// cgroup compiles a mount of type cgroup: the container's view of its own cgroups.
func (e *mountEntry) cgroup() error {
	if e.in.Facts.Cgroup2 {
		e.cgroup2()
		return nil
	}
	return e.cgroup1()
}

func (e *mountEntry) cgroupFile(h facts.Hierarchy) plan.File {
	return plan.File{Name: fmt.Sprintf("mounts[%d].cgroup.%s", e.i, h.Name), Path: h.Host, From: e.from, Recursive: false}
}

// cgroup2 mounts the tree afresh in a cgroup namespace, whose root is the container's cgroup.
// Without one, or where the kernel refuses (a user namespace that doesn't own the cgroup
// namespace), the container's directory of the host is bound there, with the same restrictions.
func (e *mountEntry) cgroup2() {
	h := facts.Hierarchy{Name: "unified", V2: true}
	if len(e.in.Facts.Hierarchies) > 0 {
		h = e.in.Facts.Hierarchies[0]
	}
	m := e.tmp()
	var ops []plan.Op
	what := "bind the container's cgroup on"
	if e.ns.has(unix.CLONE_NEWCGROUP) {
		what = "mount the cgroup tree on"
		ops = e.freshCgroup(h, m, e.o.AttrSet, unix.EPERM, unix.EBUSY)
		clone := e.cloneFromHost(m, e.cgroupFile(h)).When(m.NotOK())
		ops = append(ops, clone)
	} else {
		ops = []plan.Op{e.cloneFromHost(m, e.cgroupFile(h))}
	}
	target, open := e.target(e.m.Destination, true, allLinks)
	ops = append(ops, open...)
	e.Step(e.from, e.what(what), append(ops, e.attach(m, target, e.cloned(), e.o.AttrSet, e.o.AttrClr)...)...)
}

// freshCgroup mounts a hierarchy anew into m. An errno in allow leaves m unset or failed.
func (e *mountEntry) freshCgroup(h facts.Hierarchy, m plan.Reg, attr uint64, allow ...unix.Errno) []plan.Op {
	fs, ok := e.tmp(), e.tmp()
	v := plan.Val(fs)
	fstype := "cgroup"
	if h.V2 {
		fstype = "cgroup2"
	}
	ops := append(unset(m, ok), plan.Fsopen(fstype).Into(fs).Allowing(allow...))
	for _, c := range h.Controllers {
		if name, named := strings.CutPrefix(c, "name="); named {
			ops = append(ops, plan.FsString(v, "name", name).When(fs.OK()), plan.FsFlag(v, "none").When(fs.OK()))
		} else {
			ops = append(ops, plan.FsFlag(v, c).When(fs.OK()))
		}
	}
	return append(ops,
		plan.FsCreate(v).When(fs.OK()).Into(ok).Allowing(allow...),
		plan.Fsmount(v, attr).When(ok.OK()).Into(m).Allowing(allow...),
		plan.Close(v).When(fs.OK()))
}

// cgroup1 makes a tmpfs with a directory for each hierarchy, as the host has it, and symbolic links
// for the names of controllers that share one.
func (e *mountEntry) cgroup1() error {
	attr := e.o.AttrSet
	m, target, open := e.tmpfsFor(attr &^ unix.MOUNT_ATTR_RDONLY)
	if e.cgroups == 0 {
		e.cgroups = e.Reg()
	}
	dir := e.cgroups
	ops := append(open, plan.MoveMount(plan.Val(m), plan.Val(target)), plan.SetReg(dir, plan.Val(m)), plan.Close(plan.Val(target)))
	e.Step(e.from, e.what("make a tmpfs for the cgroup hierarchies on"), ops...)
	for _, h := range e.in.Facts.Hierarchies {
		e.hierarchy(h, dir, attr)
	}
	if attr&unix.MOUNT_ATTR_RDONLY != 0 {
		e.Step(e.from, "make the tmpfs of the cgroup hierarchies read-only", plan.MountSetattr(plan.Val(dir), false, unix.MOUNT_ATTR_RDONLY, 0, 0),
			plan.Close(plan.Val(dir)))
	}
	return nil
}

func (e *mountEntry) tmpfsFor(attr uint64) (m, target plan.Reg, ops []plan.Op) {
	m = e.tmp()
	ops = e.open("tmpfs", m, func(fs plan.Arg) []plan.Op {
		return append([]plan.Op{plan.FsString(fs, "mode", "755")}, e.context(fs, "tmpfs")...)
	}, attr)
	target, open := e.target(e.m.Destination, true, allLinks)
	return m, target, append(ops, open...)
}

func (e *mountEntry) hierarchy(h facts.Hierarchy, dir plan.Reg, attr uint64) {
	m, t := e.tmp(), e.tmp()
	ops := []plan.Op{plan.Mkdir(plan.Val(dir), h.Name, 0o755)}
	what := "bind the container's cgroup of "
	if e.ns.has(unix.CLONE_NEWCGROUP) {
		what = "mount the cgroup hierarchy "
		ops = append(ops, e.freshCgroup(h, m, attr)...)
	} else {
		ops = append(ops, e.cloneFromHost(m, e.cgroupFile(h)))
		if p := e.cloned(); p != 0 {
			ops = append(ops, plan.MountSetattr(plan.Val(m), false, attr, e.o.AttrClr, p))
		}
	}
	ops = append(ops, plan.OpenInRoot(plan.Val(dir), h.Name, unix.O_DIRECTORY).Into(t),
		plan.MoveMount(plan.Val(m), plan.Val(t)), plan.Close(plan.Val(m)), plan.Close(plan.Val(t)))
	for _, l := range h.Links {
		ops = append(ops, plan.Symlink(h.Name, plan.Val(dir), l))
	}
	e.Step(e.from, what+h.Name+" on "+path.Join(e.m.Destination, h.Name), ops...)
}
