package compile

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// fsOption is an option for a file system's own parser as config.json has it, and what to say when
// the file system refuses it.
type fsOption struct {
	key, value string
	flag       bool // there is no value
	says       string
}

const (
	// maxFsString is the longest string that fsconfig(2) takes (EINVAL for more).
	maxFsString = 255
	// maxMountData is the longest text that mount(2) takes: one page with its NUL. The kernel cuts
	// off the rest without a word.
	maxMountData = 4095
)

// options are all options of a new file system, in order; apart has overlay's lower directories one
// by one.
func (e *mountEntry) options(apart bool) []fsOption {
	var list []fsOption
	mode, labelled := false, false
	for _, d := range e.o.Data {
		at := fmt.Sprintf("%s.options[%d]: mount %s on %s: ", e.from, d.Index, e.m.Type, e.m.Destination)
		mode = mode || d.Key == "mode"
		labelled = labelled || d.Key == "context"
		if apart && e.m.Type == "overlay" && d.Key == "lowerdir" {
			list = append(list, layers(d.Value, at)...)
			continue
		}
		list = append(list, fsOption{d.Key, d.Value, !d.HasValue, at + d.String()})
	}
	if covered, ok := e.in.Facts.Covered[e.i]; ok && e.m.Type == "tmpfs" && !mode {
		list = append(list, fsOption{key: "mode", value: fmt.Sprintf("%o", covered)})
	}
	if l := e.lin.MountLabel; l != "" && !labelled && e.takesContext(e.m.Type) {
		list = append(list, fsOption{key: "context", value: `"` + l + `"`})
	}
	return list
}

// configure hands the options to the file system.
func (e *mountEntry) configure(fs plan.Arg, options []fsOption) []plan.Op {
	var ops []plan.Op
	if e.m.Source != "" {
		ops = append(ops, plan.FsString(fs, "source", e.m.Source))
	}
	for _, flag := range e.o.Super {
		ops = append(ops, plan.FsFlag(fs, flag))
	}
	if j := e.ns.joining(unix.CLONE_NEWPID); j != nil && j.foreign && e.ns.has(unix.CLONE_NEWUSER) && e.m.Type == "proc" {
		// The init itself is not in the namespace: only its children will be.
		ops = append(ops, plan.FsFD(fs, "pidns", j.file))
	}
	if e.o.AttrSet&unix.MOUNT_ATTR_RDONLY != 0 && onDevice(e.m.Type) {
		ops = append(ops, plan.FsFlag(fs, "ro"))
	}
	for _, o := range options {
		if o.flag {
			ops = append(ops, plan.FsFlag(fs, o.key).Says(o.says))
		} else {
			ops = append(ops, plan.FsString(fs, o.key, unquote(o.key, o.value)).Says(o.says))
		}
	}
	return ops
}

// onDevice reports whether a file system has state of its own that must be opened read-only as
// such. The kernel's own have one superblock for all mounts, whose flags are not ours to change.
func onDevice(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs", "securityfs", "debugfs", "tracefs", "bpf":
		return false
	}
	return true
}

// layers are the lower directories of an overlay one by one. Behind "::" are directories that hold
// data alone.
func layers(dirs, says string) []fsOption {
	var list []fsOption
	key := "lowerdir+"
	for dirs != "" {
		var dir string
		var data bool
		dir, dirs, data = cutLayer(dirs)
		list = append(list, fsOption{key: key, value: dir, says: says + key + "=" + dir})
		if data {
			key = "datadir+"
		}
	}
	return list
}

// cutLayer takes the first directory off a list and undoes its escapes: a backslash stands in front
// of a colon, comma or backslash that belongs to the name. data says that two colons separate it
// from the rest.
func cutLayer(list string) (dir, rest string, data bool) {
	var b strings.Builder
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case ':':
			rest, data = strings.CutPrefix(list[i+1:], ":")
			return b.String(), rest, data
		case '\\':
			if i++; i == len(list) {
				continue
			}
		}
		b.WriteByte(list[i])
	}
	return b.String(), "", false
}

// tooLong reports whether fsconfig(2) would refuse an option for its length.
func (e *mountEntry) tooLong(options []fsOption) bool {
	return len(e.m.Source) > maxFsString || slices.ContainsFunc(options, func(o fsOption) bool {
		return len(o.key) > maxFsString || len(unquote(o.key, o.value)) > maxFsString
	})
}

// makeFilesystem makes it, with some of its attributes, and puts the detached mount into m. set
// and clr are what is still to be changed.
func (e *mountEntry) makeFilesystem(m plan.Reg, attr uint64) (ops []plan.Op, set, clr uint64, err error) {
	options := e.options(false)
	if e.tooLong(options) && e.in.Facts.OverlayLayers {
		if apart := e.options(true); !e.tooLong(apart) {
			options = apart
		}
	}
	if e.tooLong(options) {
		ops, err = e.classic(m, options)
		return ops, attr, e.o.AttrClr, err
	}
	return e.open(e.m.Type, m, func(fs plan.Arg) []plan.Op { return e.configure(fs, options) }, attr), 0, 0, nil
}

// classic makes a file system with mount(2), for options that are too long for fsconfig(2), and
// puts a detached copy of it into m. mount(2) needs a path to mount on: it gets one on a tmpfs of
// our own that lies over the new root meanwhile, where nobody can have put anything, and that goes
// again before the next step.
func (e *mountEntry) classic(m plan.Reg, options []fsOption) ([]plan.Op, error) {
	data, err := e.mountText(options)
	if err != nil {
		return nil, err
	}
	bench, dir, top := e.tmp(), e.tmp(), e.tmp()
	b := plan.Val(bench)
	flags, label := e.superFlags()
	none := func(plan.Arg) []plan.Op { return nil }
	return append(e.open("tmpfs", bench, none, 0),
		plan.MoveMount(b, plan.Val(e.root)),
		plan.Mkdir(b, "new", 0o700),
		plan.OpenNoLinks(b, "new", unix.O_PATH|unix.O_DIRECTORY).Into(dir),
		plan.Fchdir(plan.Val(dir)),
		plan.Sys(plan.SysMount, plan.Str(e.m.Source), plan.Str("."), plan.Str(e.m.Type), plan.Int(flags, label), plan.Str(data)),
		plan.Close(plan.Val(dir)),
		// The same name leads to what is mounted there now.
		plan.OpenNoLinks(b, "new", unix.O_PATH).Into(top),
		plan.OpenTreeClone(plan.Val(top), "", false).Into(m),
		plan.Close(plan.Val(top)),
		plan.Fchdir(b),
		plan.Sys(plan.SysUmount2, plan.Str("."), plan.Int(unix.MNT_DETACH, "MNT_DETACH")),
		plan.Close(b)), nil
}

// superFlags are the superblock's flags as mount(2) takes them.
func (e *mountEntry) superFlags() (flags int64, label string) {
	var names []string
	for _, name := range e.o.Super {
		switch name {
		case "sync":
			flags |= unix.MS_SYNCHRONOUS
		case "dirsync":
			flags |= unix.MS_DIRSYNC
		case "lazytime":
			flags |= unix.MS_LAZYTIME
		default:
			continue // the others say that a flag is off
		}
		names = append(names, name)
	}
	if e.o.AttrSet&unix.MOUNT_ATTR_RDONLY != 0 && onDevice(e.m.Type) {
		flags |= unix.MS_RDONLY
		names = append(names, "ro")
	}
	if flags == 0 {
		return 0, ""
	}
	return flags, strings.Join(names, "|")
}

// mountText is the options as mount(2) takes them.
func (e *mountEntry) mountText(options []fsOption) (string, error) {
	var words []string
	for _, o := range options {
		switch {
		case o.flag:
			words = append(words, o.key)
			continue
		case e.m.Type == "overlay":
			o.value = escapeCommas(o.value)
		case strings.Contains(o.value, ",") && unquote(o.key, o.value) == o.value:
			return "", fmt.Errorf("%s.options: mount(2) can't take the comma in %s, and fsconfig(2) takes %d bytes at most", e.from, o.key, maxFsString)
		}
		words = append(words, o.key+"="+o.value)
	}
	text := strings.Join(words, ",")
	if len(text) > maxMountData {
		return "", fmt.Errorf("%s.options: %d bytes are too long: the kernel takes %d at a time, and of one option %d", e.from, len(text), maxMountData, maxFsString)
	}
	return text, nil
}

// escapeCommas has overlay take the commas of a value as part of it. Those with a backslash are
// already.
func escapeCommas(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			b.WriteByte(value[i])
			if i++; i == len(value) {
				continue
			}
		case ',':
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
	return b.String()
}
