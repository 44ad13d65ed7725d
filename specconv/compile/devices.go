package compile

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// device is a node to be made.
type device struct {
	from, path string
	mode       uint32 // type and permissions
	dev        uint64
	uid, gid   uint32
	host       string // the same device on the host
	node       string // its name in the file system of FileDevices
}

// defaultDevices are the spec's "Default Devices"; config.json overrides one by naming its path.
func defaultDevices() []device {
	var list []device
	for _, d := range []struct {
		path         string
		major, minor uint32
	}{{"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}} {
		list = append(list, device{from: "default", path: d.path, mode: unix.S_IFCHR | 0o666, dev: unix.Mkdev(d.major, d.minor), host: d.path})
	}
	return list
}

// devices makes the device nodes, the links of /dev and the place for the console. A /dev that
// comes from the host has all that and is left alone.
func (c *compiler) devices() error {
	if c.devFromHost() {
		return c.listedDevices(nil)
	}
	if err := c.listedDevices(defaultDevices()); err != nil {
		return err
	}
	c.devLinks()
	return nil
}

// devFromHost reports whether /dev is a bind mount.
func (c *compiler) devFromHost() bool {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		if path.Clean(m.Destination) == "/dev" && c.options[i].Bind {
			return true
		}
	}
	return false
}

func (c *compiler) listedDevices(defaults []device) error {
	listed := map[string]bool{}
	var list []device
	for i := range c.lin.Devices {
		d := deviceOf(&c.lin.Devices[i], i)
		if h, ok := c.in.Facts.Devices[i]; ok {
			d.host = h
		}
		listed[path.Clean(d.path)] = true
		list = append(list, d)
	}
	var kept []device
	for _, d := range defaults {
		if !listed[d.path] {
			kept = append(kept, d)
		}
	}
	if !c.bindsDevices() && len(kept) > 0 {
		c.nodes("/dev", kept)
		kept = nil
	}
	for _, d := range append(kept, list...) {
		c.device(d)
	}
	return nil
}

func deviceOf(l *specs.LinuxDevice, i int) device {
	d := device{from: fmt.Sprintf("linux.devices[%d]", i), path: l.Path, mode: 0o666, host: l.Path, node: itoa(i)}
	if l.FileMode != nil {
		d.mode = uint32(*l.FileMode) & 0o7777
	}
	switch l.Type {
	case "b":
		d.mode |= unix.S_IFBLK
	case "p":
		d.mode |= unix.S_IFIFO
	default:
		d.mode |= unix.S_IFCHR
	}
	if l.Type != "p" {
		d.dev = unix.Mkdev(uint32(l.Major), uint32(l.Minor))
	}
	if l.UID != nil {
		d.uid = *l.UID
	}
	if l.GID != nil {
		d.gid = *l.GID
	}
	return d
}

// device makes one node. In a user namespace mknod is refused, and the host's node is bound in its
// place.
func (c *compiler) device(d device) {
	if c.bindsDevices() && d.mode&unix.S_IFMT != unix.S_IFIFO {
		c.bindDevice(d)
		return
	}
	dir, ops := c.parent(d.path)
	ops = append(ops, c.node(plan.Val(dir), d)...)
	c.Step(d.from, "make the device "+d.path, append(ops, plan.Close(plan.Val(dir)))...)
}

func (c *compiler) bindsDevices() bool { return c.ns.has(unix.CLONE_NEWUSER) || c.in.Facts.InUserNS }

// FileDevices is a tmpfs, not mounted anywhere, in which the host has made the nodes of
// linux.devices for a container that can't make any: named by their index, with the owners that
// config.json asks for.
const FileDevices = "linux.devices"

// lendDevices mounts the host's nodes below the place of the new root, which covers them: cloned
// from there they reach the container, and the rest goes with the old root.
func (c *compiler) lendDevices() []plan.Op {
	if !c.bindsDevices() || !c.in.Facts.MakesDevices || len(c.lin.Devices) == 0 {
		return nil
	}
	c.nodesOfHost, c.hasNodes = c.File(plan.File{Name: FileDevices, From: "linux.devices"}), true
	return []plan.Op{plan.Sys(plan.SysMoveMount, c.nodesOfHost, plan.Str(""), plan.CWD(), plan.Str("."),
		plan.Int(unix.MOVE_MOUNT_F_EMPTY_PATH, "F_EMPTY_PATH")).OnHost()}
}

// nodes makes several devices of one directory in one step.
func (c *compiler) nodes(dir string, list []device) {
	at, ops := c.target(dir, true, allLinks)
	ops = slices.Grow(ops, 7*len(list)+1)
	var names []string
	for _, d := range list {
		ops = append(ops, c.node(plan.Val(at), d)...)
		names = append(names, path.Base(d.path))
	}
	c.Step("default", "make the devices "+strings.Join(names, ", ")+" in "+dir, append(ops, plan.Close(plan.Val(at)))...)
}

// node makes a device in the directory at. The umask is zero, so that the mode holds.
func (c *compiler) node(at plan.Arg, d device) []plan.Op {
	used := c.used
	defer func() { c.used = used }()
	made, t := c.tmp(), c.tmp()
	base, st := path.Base(d.path), c.statxBuf()
	differs := d.from + ": " + d.path + " exists and is not the device asked for"
	ops := []plan.Op{
		plan.Mknod(at, base, d.mode, d.dev).Into(made).Allowing(unix.EEXIST),
		// Something is there already: fine if it is the same device, else an error (spec,
		// "Devices").
		plan.OpenNoLinks(at, base, unix.O_PATH|unix.O_NOFOLLOW).Into(t).When(made.Failed()).Says(differs),
		statx(t, st).When(made.Failed()),
		assertMode(st, uint64(d.mode&unix.S_IFMT)).When(made.Failed()).Says(differs),
	}
	if d.mode&unix.S_IFMT != unix.S_IFIFO {
		ops = append(ops, assertDevice(st, uint64(unix.Major(d.dev)), uint64(unix.Minor(d.dev))).When(made.Failed()).Says(differs))
	}
	ops = append(ops, plan.Close(plan.Val(t)).When(made.Failed()))
	if d.uid != 0 || d.gid != 0 {
		ops = append(ops, plan.Sys(plan.SysFchownat, at, plan.Str(base), plan.Num(int64(d.uid)), plan.Num(int64(d.gid)),
			plan.Int(unix.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW")))
	}
	return ops
}

func (c *compiler) bindDevice(d device) {
	tree := c.tmp()
	what := "bind the host's " + d.host + " on " + d.path
	var ops []plan.Op
	if d.node != "" && c.hasNodes {
		what = "bind a device node that the host has made on " + d.path
		node := c.tmp()
		ops = append(ops,
			plan.OpenNoLinks(c.nodesOfHost, d.node, unix.O_PATH|unix.O_NOFOLLOW).Into(node),
			plan.OpenTreeClone(plan.Val(node), "", false).Into(tree),
			plan.Close(plan.Val(node)))
	} else {
		ops = append(ops, c.cloneFromHost(tree, plan.File{Name: d.path + " of the host", Path: d.host, From: d.from}))
	}
	target, open := c.target(d.path, false, allLinks)
	ops = append(ops, open...)
	// As restricted as the runtime's own file systems for devices: the node is all that is wanted.
	ops = append(ops, plan.MountSetattr(plan.Val(tree), false, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, 0, c.cloned()))
	c.Step(d.from, what,
		append(ops, plan.MoveMount(plan.Val(tree), plan.Val(target)), plan.Close(plan.Val(tree)), plan.Close(plan.Val(target)))...)
}

// parent opens the directory that p is to be made in, making it where it is missing.
func (c *compiler) parent(p string) (plan.Reg, []plan.Op) {
	return c.target(path.Dir(names.Absolute(p)), true, allLinks)
}

// devLinks makes the symbolic links of the spec's "Dev symbolic links" and /dev/ptmx. What the
// image has there stays, but for ptmx: another one would open terminals of the host's devpts.
func (c *compiler) devLinks() {
	dev, ops := c.target("/dev", true, allLinks)
	at := plan.Val(dev)
	for _, l := range [][2]string{{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}} {
		ops = append(ops, plan.Symlink(l[0], at, l[1]).Allowing(unix.EEXIST))
	}
	if c.in.Facts.Kcore {
		ops = append(ops, plan.Symlink("/proc/kcore", at, "core").Allowing(unix.EEXIST))
	}
	there := c.tmp()
	ops = append(ops,
		plan.Symlink("pts/ptmx", at, "ptmx").Into(there).Allowing(unix.EEXIST),
		plan.Sys(plan.SysUnlinkat, at, plan.Str("ptmx"), plan.Num(0)).When(there.Failed()).Allowing(unix.EBUSY, unix.EROFS),
		plan.Symlink("pts/ptmx", at, "ptmx").When(there.Failed()).Allowing(unix.EEXIST))
	c.Step("default", "make the links fd, stdin, stdout, stderr and ptmx in /dev", append(ops, plan.Close(at))...)
}
