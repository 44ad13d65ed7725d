package compile

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// guardedMount is a mount that is kept open until the paths in it are masked or read-only.
type guardedMount struct {
	dest   string
	mount  kept
	hidden bool // by a later entry of mounts
}

// guardedMount is mounts[i], kept open as mount.
func (c *compiler) guardedMount(i int, mount kept) guardedMount {
	g := guardedMount{dest: names.Absolute(c.spec.Mounts[i].Destination), mount: mount}
	for i++; i < len(c.spec.Mounts) && !g.hidden; i++ {
		dest := names.Absolute(c.spec.Mounts[i].Destination)
		g.hidden = !c.options[i].Remount && (dest == g.dest || below(g.dest, dest))
	}
	return g
}

// below reports whether a path lies in a directory and is not the directory itself, which may be a
// file: something bound there.
func below(p, dir string) bool { return strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") }

// guards reports whether a masked or read-only path lies in what is mounted at dest.
func (c *compiler) guards(dest string) bool {
	in := func(p string) bool { return below(names.Absolute(p), names.Absolute(dest)) }
	return slices.ContainsFunc(c.lin.MaskedPaths, in) || slices.ContainsFunc(c.lin.ReadonlyPaths, in)
}

// guard opens a path to be protected. It starts from the mount that the path lies in: another
// container that shares the root file system could have given a mountpoint another name since (the
// mount goes with it), and /proc would be left unprotected under that name.
func (c *compiler) guard(p string) (at plan.Arg, name string, ops []plan.Op) {
	p = names.Absolute(p)
	for _, g := range slices.Backward(c.guarded) {
		if below(p, g.dest) && !g.hidden {
			m, ops := c.take(g.mount)
			return plan.Val(m), rel(strings.TrimPrefix(p, g.dest)), ops
		}
	}
	return plan.Val(c.root), rel(p), nil
}

// closeGuarded lets go of the mounts when all paths are protected.
func (c *compiler) closeGuarded() {
	var ops []plan.Op
	for _, g := range c.guarded {
		m, take := c.take(g.mount)
		ops = append(append(ops, take...), plan.Close(plan.Val(m)))
		c.used = 0
	}
	if len(ops) > 0 {
		c.Step("default", "close the mounts in which paths were protected", ops...)
	}
}

// distinct are the indexes of paths that do not name again what an earlier one has named. A second
// mount would protect nothing more.
func distinct(paths []string) []int {
	var list []int
	seen := make(map[string]bool, len(paths))
	for i, p := range paths {
		if p = names.Absolute(p); !seen[p] {
			seen[p] = true
			list = append(list, i)
		}
	}
	return list
}

// readonlyPaths puts a read-only copy of each path's mount over it. What does not exist needs no
// protection (spec, "Readonly Paths").
func (c *compiler) readonlyPaths() {
	for _, i := range distinct(c.lin.ReadonlyPaths) {
		p := c.lin.ReadonlyPaths[i]
		t, m := c.tmp(), c.tmp()
		found := t.OK()
		at, name, ops := c.guard(p)
		c.Step(fmt.Sprintf("linux.readonlyPaths[%d]", i), "make "+p+" read-only", append(ops,
			plan.OpenInRoot(at, name, 0).Into(t).Allowing(unix.ENOENT, unix.ENOTDIR),
			plan.OpenTreeClone(plan.Val(t), "", true).Into(m).When(found),
			plan.MountSetattr(plan.Val(m), true, unix.MOUNT_ATTR_RDONLY, 0, 0).When(found),
			plan.MoveMount(plan.Val(m), plan.Val(t)).When(found),
			plan.Close(plan.Val(m)).When(found),
			plan.Close(plan.Val(t)).When(found))...)
	}
}

// maskedPaths hides each path behind /dev/null or, where it is a directory, behind an empty
// read-only tmpfs: one for all of them, since a machine with hundreds of CPUs has hundreds of
// paths.
func (c *compiler) maskedPaths() {
	if len(c.lin.MaskedPaths) == 0 {
		return
	}
	null := c.nullDevice()
	empty, spare := c.emptyDirectory()
	for _, i := range distinct(c.lin.MaskedPaths) {
		c.mask(i, null, empty, spare)
	}
	c.Step("linux.maskedPaths", "close what the masks were made from", plan.Close(plan.Val(null)), plan.Close(plan.Val(empty)))
}

// nullDevice opens the container's /dev/null and makes sure that it is the real one: an image or
// another container may have put anything there, and masked paths would show that (CVE-2025-31133).
func (c *compiler) nullDevice() plan.Reg {
	null := c.Reg()
	st := c.statxBuf()
	c.Step("linux.maskedPaths", "open /dev/null to mask files with, and check that it is the null device",
		plan.OpenNoLinks(plan.Val(c.root), "dev/null", unix.O_PATH|unix.O_NOFOLLOW).Into(null),
		statx(null, st),
		assertMode(st, unix.S_IFCHR),
		assertDevice(st, 1, 3))
	return null
}

// emptyDirectory makes the tmpfs that hides directories. Some kernels count the root as an inode of
// its own and refuse a limit of 1.
func (c *compiler) emptyDirectory() (m, spare plan.Reg) {
	m, spare = c.Reg(), c.Reg()
	fs := c.tmp()
	v := plan.Val(fs)
	ops := []plan.Op{plan.Fsopen("tmpfs").Into(fs), plan.FsString(v, "nr_blocks", "1"), plan.FsString(v, "nr_inodes", "2")}
	ops = append(ops, c.context(v, "tmpfs")...)
	c.Step("linux.maskedPaths", "make an empty tmpfs to mask directories with",
		append(ops, plan.FsCreate(v), plan.Fsmount(v, unix.MOUNT_ATTR_RDONLY).Into(m), plan.SetReg(spare, plan.Val(m)), plan.Close(v))...)
	return m, spare
}

// mask hides one path. Its kind is found out first: trying /dev/null on a directory leaves a mount
// to be dropped, and dropping one that was attached nowhere waits for an RCU grace period, 50 µs on
// an idle machine and milliseconds on a busy one. Therefore the first directory gets the tmpfs
// itself, which spare holds until then, and the next ones get clones of it; besides, kernels before
// 6.15 don't clone a tree that is not attached anywhere.
func (c *compiler) mask(i int, null, empty, spare plan.Reg) {
	p := c.lin.MaskedPaths[i]
	tree, m := c.tmp(), c.tmp()
	at, name, ops := c.guard(p)
	ops = slices.Grow(ops, 20)
	directory := plan.OpenInRoot(at, name, unix.O_DIRECTORY).Allowing(unix.ENOENT, unix.ENOTDIR)
	first, other, file := c.empty(&ops), c.empty(&ops), c.empty(&ops)
	if i > 0 {
		next := c.empty(&ops)
		ops = append(ops,
			directory.Into(next).When(spare.NotOK()),
			plan.OpenTreeClone(plan.Val(empty), "", false).Into(tree).When(next.OK()),
			plan.MoveMount(plan.Val(tree), plan.Val(next)).When(next.OK()),
			plan.Close(plan.Val(tree)).When(next.OK()),
			plan.Close(plan.Val(next)).When(next.OK()),
			plan.SetReg(other, plan.Num(0)).When(next.Failed()))
	}
	ops = append(ops,
		directory.Into(first).When(spare.OK()),
		plan.MoveMount(plan.Val(spare), plan.Val(first)).When(first.OK()),
		plan.Close(plan.Val(first)).When(first.OK()),
		plan.SetReg(spare, plan.Int(plan.Unset, "unset")).When(first.OK()),
		plan.SetReg(other, plan.Num(0)).When(first.Failed()),
		plan.OpenInRoot(at, name, 0).Into(file).When(other.OK()).Allowing(unix.ENOENT, unix.ENOTDIR),
		plan.OpenTreeClone(plan.Val(null), "", false).Into(m).When(file.OK()),
		plan.MoveMount(plan.Val(m), plan.Val(file)).When(file.OK()),
		plan.Close(plan.Val(m)).When(file.OK()),
		plan.Close(plan.Val(file)).When(file.OK()))
	c.Step(fmt.Sprintf("linux.maskedPaths[%d]", i), "mask "+p, ops...)
}

// statxBuf is memory for a struct statx, shared by all steps.
func (c *compiler) statxBuf() plan.Arg {
	if c.statx.Kind != plan.KindBuf {
		c.statx = c.Buf("statx", make([]byte, 256))
	}
	return c.statx
}

// statx asks for the type and the device numbers of what r is open on.
func statx(r plan.Reg, buf plan.Arg) plan.Op {
	return plan.Sys(plan.SysStatx, plan.Val(r), plan.Str(""), plan.Int(unix.AT_EMPTY_PATH, "AT_EMPTY_PATH"),
		plan.Int(unix.STATX_TYPE|unix.STATX_MODE, "STATX_TYPE|STATX_MODE"), buf)
}

// Offsets in struct statx (statx(2)).
const (
	statxMode      = 0x1c // u16 stx_mode
	statxRdevMajor = 0x80 // u32 stx_rdev_major, then u32 stx_rdev_minor
)

// assertMode fails with ENXIO unless the file is of the given type. The assertion reads 8 bytes;
// the mask picks the type bits on both byte orders that have an op loop (both are little-endian).
func assertMode(st plan.Arg, kind uint64) plan.Op {
	return plan.AssertWord(st.Off(statxMode), unix.S_IFMT, kind, unix.ENXIO)
}

func assertDevice(st plan.Arg, major, minor uint64) plan.Op {
	return plan.AssertWord(st.Off(statxRdevMajor), 1<<64-1, minor<<32|major, unix.ENXIO)
}
