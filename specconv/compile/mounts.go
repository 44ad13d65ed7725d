package compile

import (
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// mountEntry is one entry of mounts while its step is put together.
type mountEntry struct {
	*compiler
	i    int
	from string
	m    *specs.Mount
	o    mountopt.MountOptions
	late bool // becomes read-only once it is filled
}

// mount compiles mounts[i].
func (c *compiler) mount(i int) error {
	e := c.entry(i)
	m := e.m
	switch {
	case e.o.Remount:
		e.remount()
	case e.o.Bind:
		return e.bind()
	case m.Type == "cgroup" || m.Type == "cgroup2":
		return e.cgroup()
	default:
		return e.filesystem()
	}
	return nil
}

func (c *compiler) entry(i int) *mountEntry {
	return &mountEntry{compiler: c, i: i, from: fmt.Sprintf("mounts[%d]", i), m: &c.spec.Mounts[i], o: c.options[i]}
}

func (e *mountEntry) what(verb string) string {
	s := verb + " " + e.m.Destination
	if len(e.m.Options) > 0 {
		s += " (" + strings.Join(e.m.Options, ",") + ")"
	}
	return s
}

// place is where the mount goes: its destination, less links that lead to nothing.
func (e *mountEntry) place() string {
	if p, ok := e.in.Facts.Targets[e.i]; ok && !e.o.DestNoFollow {
		return p
	}
	return e.m.Destination
}

func (e *mountEntry) follow() linkRule {
	if e.o.DestNoFollow {
		return notLast
	}
	return allLinks
}

// attach changes what was mounted, still out of sight, and moves it to its target. base is the
// propagation that a clone needs in any case, or 0.
func (e *mountEntry) attach(tree plan.Reg, target plan.Reg, base uint64, set, clr uint64) []plan.Op {
	t := plan.Val(tree)
	var ops []plan.Op
	switch {
	case base != 0 && e.o.Bind && !e.o.Recursive:
		// A single mount: one call does both.
		ops = append(ops, plan.MountSetattr(t, false, set, clr, base))
	case base != 0:
		ops = append(ops, plan.MountSetattr(t, true, 0, 0, base))
		fallthrough
	default:
		if set|clr != 0 {
			ops = append(ops, plan.MountSetattr(t, false, set, clr, 0))
		}
	}
	if e.o.RecAttrSet|e.o.RecAttrClr != 0 {
		ops = append(ops, plan.MountSetattr(t, true, e.o.RecAttrSet, e.o.RecAttrClr, 0))
	}
	move := plan.MoveMount(t, plan.Val(target))
	if e.o.Bind && !e.in.Facts.Sources[e.i].Dir {
		move = move.Says(e.from + ": " + e.what("bind "+HostPath(e.m.Source, e.in.Bundle)+" on") +
			": a file, which can't be mounted on a directory: move_mount")
	}
	ops = append(ops, move)
	for _, p := range e.o.Propagation {
		// Once attached: a detached mount has no peers, and `shared` on it would be lost on some
		// kernels.
		ops = append(ops, plan.MountSetattr(t, p.Recursive, 0, 0, p.Type))
	}
	done := plan.Close(t)
	var mount kept
	if e.late {
		mount, done = e.keep(t)
		e.readonly = append(e.readonly, lateChange{e.from, e.m.Destination, mount})
	} else if e.guards(e.m.Destination) {
		mount, done = e.keep(t)
		e.guarded = append(e.guarded, e.guardedMount(e.i, mount))
	}
	return append(ops, done, plan.Close(plan.Val(target)))
}

// bind attaches a copy of a host's mount. The mountpoint has to be of the source's kind, which the
// facts say.
func (e *mountEntry) bind() error {
	src := HostPath(e.m.Source, e.in.Bundle)
	kind := e.in.Facts.Sources[e.i]
	if kind.Err != nil {
		return fmt.Errorf("%s.source: bind %s on %s: %w", e.from, src, e.m.Destination, kind.Err)
	}
	if kind.Link != "" {
		e.copyLink(kind.Link)
		return nil
	}
	tree := e.tmp()
	f := plan.File{Name: SourceFile(e.i), Path: src, From: e.from + ".source", Recursive: e.o.Recursive, NoFollow: e.o.SrcNoFollow || e.o.CopySymlink}
	if e.o.IDMap != mountopt.IDMapNone || len(e.m.UIDMappings) > 0 {
		if err := e.idmap(&f); err != nil {
			return err
		}
	}
	if kind.Inside != "" {
		return e.bindInside(tree, kind, f.IDMap)
	}
	return e.attachBind([]plan.Op{e.cloneFromHost(tree, f)}, src, tree, kind, nil)
}

// copyLink makes the destination a symbolic link as the source is, in place of a mount
// (copy-symlink). One that the image has already is fine.
func (e *mountEntry) copyLink(to string) {
	if e.in.Facts.Sources[e.i].LinkThere {
		return
	}
	dir, ops := e.parent(e.m.Destination)
	ops = append(ops, plan.Symlink(to, plan.Val(dir), path.Base(names.Absolute(e.m.Destination))), plan.Close(plan.Val(dir)))
	e.Step(e.from, e.what("make a link to "+to+" at"), ops...)
}

// bindInside binds what an earlier mount has brought into the container, resolved there: on the
// host nothing of it can be seen.
func (e *mountEntry) bindInside(tree plan.Reg, kind facts.Source, m *plan.IDMap) error {
	src := e.tmp()
	var extra uint64
	if e.o.SrcNoFollow {
		extra = unix.O_NOFOLLOW
	}
	return e.attachBind([]plan.Op{
		plan.OpenInRoot(plan.Val(e.root), rel(kind.Inside), extra).Into(src),
		plan.OpenTreeClone(plan.Val(src), "", e.o.Recursive).Into(tree),
		plan.Close(plan.Val(src)),
	}, kind.Inside+" in the container", tree, kind, m)
}

// attachBind puts the clone in tree, which ops make, at its destination. The host maps the owners
// of a clone that the init has made.
func (e *mountEntry) attachBind(ops []plan.Op, src string, tree plan.Reg, kind facts.Source, m *plan.IDMap) error {
	target, open := e.target(e.place(), kind.Dir, e.follow())
	ops = append(ops, open...)
	step := e.Step
	if m != nil {
		e.Step(e.from, e.what("copy the mount "+src+" for"), ops...)
		// The registers are still those of the step before: nothing is allocated in between.
		e.HostWith(DoIDMapMount, e.from, "map the owners of "+src, plan.Val(tree))
		e.Plan.Steps[len(e.Plan.Steps)-1].IDMap = m
		ops, step = nil, e.Builder.Step
	}
	forgotten := e.o.ForgottenAttr()
	switch {
	case e.locks(kind):
		forgotten = 0
		if err := e.unlocks(kind.Attr); err != nil {
			return err
		}
	case e.in.Facts.InUserNS && forgotten != 0:
		// Of the mounts that our own user namespace has inherited the kernel locks all flags. What
		// it locks stays.
		ops = append(ops, plan.MountSetattr(plan.Val(tree), false, 0, forgotten, 0).Allowing(unix.EPERM))
		forgotten = 0
	}
	ops = append(ops, e.attach(tree, target, e.cloned(), e.o.AttrSet, e.o.AttrClr|forgotten)...)
	step(e.from, e.what("bind "+src+" on"), ops...)
	return nil
}

// locks reports whether the flags that the host has given to the source stay with the bind mount.
// In the mount namespace of a user namespace the kernel locks them (mount_namespaces(7)), and users
// rely on that whoever makes the clone. An idmapped mount of the host's is made by the host, as a
// mount of its own, whose flags are not locked.
func (e *mountEntry) locks(kind facts.Source) bool {
	idmapped := e.o.IDMap != mountopt.IDMapNone || len(e.m.UIDMappings) > 0
	return e.ns.has(unix.CLONE_NEWUSER) && (!idmapped || kind.Inside != "")
}

// unlocks refuses options that would take away what locks keeps; attr is what the source has.
func (e *mountEntry) unlocks(attr uint64) error {
	for j, option := range e.m.Options {
		o := mountopt.ParseMountOptions([]string{option})
		if o.AttrClr&e.o.AttrClr&attr != 0 {
			return fmt.Errorf("%s.options[%d]: bind %s on %s: %s is locked: with a user namespace a bind mount keeps the restrictions of its source: %w",
				e.from, j, e.m.Source, e.m.Destination, option, unix.EPERM)
		}
	}
	return nil
}

// idmap asks the host to map the owners of a detached tree: only the owner of the file system's
// user namespace may.
func (e *mountEntry) idmap(f *plan.File) error {
	if !e.in.Facts.OwnsMounts {
		return fmt.Errorf("%s: an idmapped mount needs a privileged runtime", e.from)
	}
	f.IDMap = &plan.IDMap{Recursive: e.o.IDMap == mountopt.IDMapTree}
	uids, gids := e.m.UIDMappings, e.m.GIDMappings
	if e.o.IDMapText != "" {
		var err error
		if uids, gids, err = mountopt.IDMapOption(e.o.IDMapText, e.lin); err != nil {
			return fmt.Errorf("%s.options: idmap: %w", e.from, err)
		}
	}
	if len(uids) == 0 {
		for _, j := range e.ns.joined {
			if j.flag == unix.CLONE_NEWUSER {
				f.IDMap.Path, f.IDMap.File = j.path, j.from
				return nil
			}
		}
		uids, gids = e.lin.UIDMappings, e.lin.GIDMappings
	}
	if len(uids) == 0 || len(gids) == 0 {
		return fmt.Errorf("%s: idmap needs uidMappings and gidMappings, here or in linux", e.from)
	}
	f.IDMap.UIDs, f.IDMap.GIDs = idmap.Text(uids), idmap.Text(gids)
	return nil
}

// remount changes the flags of what is mounted at the destination.
func (e *mountEntry) remount() {
	t := e.tmp()
	ops := []plan.Op{plan.OpenInRoot(plan.Val(e.root), rel(e.m.Destination), 0).Into(t)}
	change := func(recursive bool, set, clr, propagation uint64) {
		op := plan.MountSetattr(plan.Val(t), recursive, set, clr, propagation)
		ops = append(ops, op.Says(e.from+": "+e.what("remount")+": mount_setattr, which needs something mounted there"))
	}
	if e.o.AttrSet|e.o.AttrClr != 0 {
		change(false, e.o.AttrSet, e.o.AttrClr, 0)
	}
	if e.o.RecAttrSet|e.o.RecAttrClr != 0 {
		change(true, e.o.RecAttrSet, e.o.RecAttrClr, 0)
	}
	for _, p := range e.o.Propagation {
		change(p.Recursive, 0, 0, p.Type)
	}
	e.Step(e.from, e.what("remount"), append(ops, plan.Close(plan.Val(t)))...)
}

// open begins a file system and turns it into a detached mount in m.
func (e *mountEntry) open(fstype string, m plan.Reg, config func(fs plan.Arg) []plan.Op, attr uint64) []plan.Op {
	fs := e.tmp()
	v := plan.Val(fs)
	ops := []plan.Op{plan.Fsopen(fstype).Into(fs).Says(e.from + ": " + e.what("mount "+fstype+" on"))}
	ops = append(ops, config(v)...)
	return append(ops, plan.FsCreate(v), plan.Fsmount(v, attr).Into(m), plan.Close(v))
}

// filesystem mounts a new file system.
func (e *mountEntry) filesystem() error {
	typ := e.m.Type
	if typ == "bind" {
		return fmt.Errorf("%s.options: type bind alone does not make a bind mount: add the option bind or rbind", e.from)
	}
	if flag := shows(typ); flag != 0 && e.ns.foreign(flag) && !e.ns.has(flag) && e.foreign[e.i].fs == "" {
		e.bindHosts()
		return nil
	}
	attr := e.o.AttrSet
	if attr&unix.MOUNT_ATTR_RDONLY != 0 && (typ == "tmpfs" || path.Clean(e.m.Destination) == "/dev") {
		// Mountpoints and devices are still to be made in it.
		attr &^= unix.MOUNT_ATTR_RDONLY
		e.late = true
	}
	m, ops, set, clr, err := e.made(attr)
	if err != nil {
		return err
	}
	// proc and sysfs go on a real directory: a symbolic link in their place would put another file
	// system where security settings are looked for (CVE-2019-19921, CVE-2023-27561).
	place, follow := e.place(), e.follow()
	if typ == "proc" || typ == "sysfs" {
		place, follow = e.m.Destination, noLinks
	}
	target, open := e.target(place, true, follow)
	ops = append(ops, open...)
	if e.o.TmpCopyUp && typ == "tmpfs" {
		e.copyUp(ops, m, target)
		return nil
	}
	ops = append(ops, e.attach(m, target, 0, set, clr)...)
	e.Step(e.from, e.what("mount "+typ+" on"), ops...)
	return nil
}

// copyUp lets the host copy what the tmpfs is about to cover, before it is attached: both are
// handed over as descriptors, so that no path of the container is walked by the host.
func (e *mountEntry) copyUp(ops []plan.Op, m, target plan.Reg) {
	e.Step(e.from, e.what("make a tmpfs for"), ops...)
	// The registers are still those of the step before: nothing is allocated in between.
	e.HostWith(DoTmpCopyUp, e.from, "copy what "+e.m.Destination+" holds into the tmpfs", plan.Val(target), plan.Val(m))
	e.Builder.Step(e.from, e.what("mount tmpfs on"), e.attach(m, target, 0, 0, 0)...)
}
