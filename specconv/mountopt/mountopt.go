// Package mountopt takes the options of a mount in config.json apart: flags of the mount,
// parameters of its file system, propagation, and what only runtimes know.
package mountopt

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// MountOptions is what the option list of one mount says, sorted by the
// system call that carries it. See ParseMountOptions.
type MountOptions struct {
	// Bind is set by bind and rbind: they alone make a mount a bind mount,
	// its type does not. Recursive is set by rbind.
	Bind      bool
	Recursive bool
	// Remount asks to change the flags of what is mounted at the destination.
	Remount bool

	// AttrSet and AttrClr are MOUNT_ATTR_* bits for this mount alone, for
	// mount_setattr(2); AttrSet also suits fsmount(2). No bit is in both but
	// those of the access time: it is a value in a field of its own, so that
	// AttrClr has the whole MOUNT_ATTR__ATIME whenever a value is asked for.
	// MOUNT_ATTR_RDONLY protects this mount; a file system on a read-only
	// block device needs the fsconfig(2) flag "ro" too.
	AttrSet uint64
	AttrClr uint64
	// HasFlags is set by every option that asks for something about this
	// mount's flags, even where AttrSet and AttrClr then ask for nothing: see
	// ForgottenAttr.
	HasFlags bool
	// RecAttrSet and RecAttrClr are the same for the mount and everything
	// below it (rro, rnosuid …), to be applied last, with AT_RECURSIVE.
	RecAttrSet uint64
	RecAttrClr uint64

	// Super names flags of the superblock as fsconfig(2) knows them ("sync",
	// "async", "dirsync", "lazytime", "nolazytime"). They have no effect on a
	// bind mount.
	Super []string

	// Propagation holds the changes of propagation type, to be made after
	// the mount, in this order.
	Propagation []MountPropagation

	// IDMap says whether the mount is to be idmapped. IDMapText is the mapping,
	// if the option has one: see IDMapOption.
	IDMap     IDMapMode
	IDMapText string

	// TmpCopyUp asks to copy what a tmpfs hides into it.
	TmpCopyUp bool
	// CopySymlink, SrcNoFollow and DestNoFollow are crun's: make the
	// destination a copy of a source that is a symbolic link; don't follow
	// one at the end of the source or of the destination.
	CopySymlink  bool
	SrcNoFollow  bool
	DestNoFollow bool

	// Data holds the options that belong to the file system, in order.
	Data []FSOption
}

// MountPropagation is one change of propagation type: MS_SHARED, MS_SLAVE,
// MS_PRIVATE or MS_UNBINDABLE, of the mount or of the whole tree below it.
type MountPropagation struct {
	Type      uint64
	Recursive bool
}

// IDMapMode says how much of a mount is to be idmapped.
type IDMapMode uint8

// The modes of idmapping: not at all, the mount alone, the tree.
const (
	IDMapNone IDMapMode = iota
	IDMapMount
	IDMapTree
)

// FSOption is an option for the file system's own parser. Index is its place
// in the option list. Without HasValue it is a flag (FSCONFIG_SET_FLAG), else
// a string (FSCONFIG_SET_STRING).
type FSOption struct {
	Index    int
	Key      string
	Value    string
	HasValue bool
}

// String gives the option as mount(8) takes it.
func (o FSOption) String() string {
	if o.HasValue {
		return o.Key + "=" + o.Value
	}
	return o.Key
}

// ParseMountOptions sorts the options of one mount. It cannot fail: what it
// does not know belongs to the file system, which will say what it thinks of
// it.
//
// Of two options that contradict each other the last one wins. An entry that
// holds several options, joined by commas, is taken apart as mount(8) would.
// Options that only mean something to mount(8) (nofail, _netdev, x-…) are
// dropped, empty ones too.
func ParseMountOptions(options []string) MountOptions {
	p := optionParser{}
	for i, entry := range options {
		for entry != "" {
			var option string
			option, entry = cutOption(entry)
			p.add(i, option)
		}
	}
	return p.finish()
}

// cutOption splits an entry at its first comma that is neither quoted (SELinux
// contexts have commas) nor escaped (overlayfs's directories may).
func cutOption(entry string) (option, rest string) {
	if strings.IndexByte(entry, ',') < 0 {
		return entry, ""
	}
	quoted := false
	for i := 0; i < len(entry); i++ {
		switch entry[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return entry[:i], entry[i+1:]
			}
		}
	}
	return entry, ""
}

// optionParser collects the options of one mount.
type optionParser struct {
	out      MountOptions
	atime    atimeFlags
	recAtime atimeFlags
	super    [superGroups]string
}

func (p *optionParser) add(index int, option string) {
	if option == "" {
		return
	}
	row, ok := findMountOption(option)
	if !ok {
		p.addUnlisted(index, option)
		return
	}
	o := &p.out
	switch row.kind {
	case optAttrSet, optAttrClr, optAtimeSet, optAtimeClr:
		o.HasFlags = true
	}
	switch row.kind {
	case optIgnored:
	case optAttrSet:
		o.AttrSet, o.AttrClr = o.AttrSet|row.bits, o.AttrClr&^row.bits
	case optAttrClr:
		o.AttrSet, o.AttrClr = o.AttrSet&^row.bits, o.AttrClr|row.bits
	case optRecAttrSet:
		o.RecAttrSet, o.RecAttrClr = o.RecAttrSet|row.bits, o.RecAttrClr&^row.bits
	case optRecAttrClr:
		o.RecAttrSet, o.RecAttrClr = o.RecAttrSet&^row.bits, o.RecAttrClr|row.bits
	case optAtimeSet:
		p.atime.set(row.bits)
	case optAtimeClr:
		p.atime.clear(row.bits)
	case optRecAtimeSet:
		p.recAtime.set(row.bits)
	case optRecAtimeClr:
		p.recAtime.clear(row.bits)
	case optSuper:
		p.super[row.bits] = option
	case optPropagation:
		o.Propagation = append(o.Propagation, MountPropagation{Type: row.bits})
	case optRecPropagation:
		o.Propagation = append(o.Propagation, MountPropagation{Type: row.bits, Recursive: true})
	case optIDMap:
		o.IDMap, o.IDMapText = IDMapMode(row.bits), ""
	case optSwitch:
		p.turnOn(row.bits)
	}
}

func (p *optionParser) turnOn(what uint64) {
	o := &p.out
	switch what {
	case switchBind:
		o.Bind = true
	case switchRbind:
		o.Bind, o.Recursive = true, true
	case switchRemount:
		o.Remount = true
	case switchTmpCopyUp:
		o.TmpCopyUp = true
	case switchCopySymlink:
		o.CopySymlink = true
	case switchSrcNoFollow:
		o.SrcNoFollow = true
	case switchDestNoFollow:
		o.DestNoFollow = true
	}
}

// addUnlisted takes an option that has no row in the table: the file system's
// own, unless it is for mount(8).
func (p *optionParser) addUnlisted(index int, option string) {
	key, value, hasValue := strings.Cut(option, "=")
	switch {
	case hasValue && (key == "idmap" || key == "ridmap"):
		row, _ := findMountOption(key)
		p.out.IDMap, p.out.IDMapText = IDMapMode(row.bits), value
	case strings.HasPrefix(option, "x-"), strings.HasPrefix(option, "X-"), hasValue && key == "comment":
	default:
		p.out.Data = append(p.out.Data, FSOption{Index: index, Key: key, Value: value, HasValue: hasValue})
	}
}

func (p *optionParser) finish() MountOptions {
	o := p.out
	if p.atime.flags != 0 {
		// Without a flag, as with atime alone, mount(2) leaves the access time of a mount that
		// exists as it is, and a new one begins with relatime.
		p.atime.apply(&o.AttrSet, &o.AttrClr)
	}
	if p.recAtime.asked {
		p.recAtime.apply(&o.RecAttrSet, &o.RecAttrClr)
	}
	for _, name := range p.super {
		if name != "" {
			o.Super = append(o.Super, name)
		}
	}
	return o
}

// atimeFlags gathers MS_NOATIME, MS_RELATIME and MS_STRICTATIME as mount(2)
// would get them.
type atimeFlags struct {
	flags uint64
	asked bool
}

func (a *atimeFlags) set(flag uint64)   { a.flags, a.asked = a.flags|flag, true }
func (a *atimeFlags) clear(flag uint64) { a.flags, a.asked = a.flags&^flag, true }

// apply adds the access time to a pair of attribute masks. mount(2) knows
// three flags, of which strictatime beats noatime beats relatime, and takes
// relatime when none is left; mount_setattr(2) knows one value in the field
// MOUNT_ATTR__ATIME and answers EINVAL unless the field is cleared as a whole.
func (a atimeFlags) apply(set, clr *uint64) {
	*clr |= unix.MOUNT_ATTR__ATIME
	switch {
	case a.flags&unix.MS_STRICTATIME != 0:
		*set |= unix.MOUNT_ATTR_STRICTATIME
	case a.flags&unix.MS_NOATIME != 0:
		*set |= unix.MOUNT_ATTR_NOATIME
	default:
		*set |= unix.MOUNT_ATTR_RELATIME
	}
}

// flagAttrs are the attributes of a mount that a bind mount with flags of its
// own does not take over from its source.
const flagAttrs = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC |
	unix.MOUNT_ATTR_NOSYMFOLLOW

// ForgottenAttr are the MOUNT_ATTR_* bits that a bind mount loses although no
// option names them. "bind" alone keeps the flags of its source. Any flag beside
// it makes a change of all flags, as every runtime does with mount(2)'s
// MS_REMOUNT|MS_BIND: those that are not given are off.
func (o *MountOptions) ForgottenAttr() uint64 {
	if !o.HasFlags {
		return 0
	}
	all := uint64(flagAttrs)
	if o.AttrClr&unix.MOUNT_ATTR__ATIME != 0 {
		all |= unix.MOUNT_ATTR_NODIRATIME // belongs to the access time, which is given
	}
	return all &^ (o.AttrSet | o.AttrClr)
}

func findMountOption(name string) (mountOptionRow, bool) {
	i, ok := slices.BinarySearchFunc(mountOptionTable[:], name, func(row mountOptionRow, name string) int {
		return strings.Compare(row.name, name)
	})
	if !ok {
		return mountOptionRow{}, false
	}
	return mountOptionTable[i], true
}

// RootfsPropagation gives the propagation type that linux.rootfsPropagation
// names.
func RootfsPropagation(name string) (p MountPropagation, ok bool) {
	row, ok := findMountOption(name)
	switch {
	case !ok:
	case row.kind == optPropagation:
		return MountPropagation{Type: row.bits}, true
	case row.kind == optRecPropagation:
		return MountPropagation{Type: row.bits, Recursive: true}, true
	}
	return MountPropagation{}, false
}
