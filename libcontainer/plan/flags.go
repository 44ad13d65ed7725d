package plan

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// flagSet prints the names of bits: "NAME,NAME,…" beside their values. The tables are arrays of
// constants in functions, so that nothing is initialised at start-up.
type flagSet func() ([]uint64, string)

// text joins the names of the bits set in v with "|"; what has no name is printed as a number.
func (f flagSet) text(v uint64) string {
	bits, names := f()
	var out []string
	for i, name := range strings.Fields(names) {
		if v&bits[i] == bits[i] {
			out = append(out, name)
			v &^= bits[i]
		}
	}
	if v != 0 || len(out) == 0 {
		out = append(out, "0x"+strconv.FormatUint(v, 16))
	}
	return strings.Join(out, "|")
}

func openFlagNames() ([]uint64, string) {
	return []uint64{unix.O_PATH, unix.O_WRONLY, unix.O_RDWR, unix.O_CREAT, unix.O_EXCL, unix.O_NOFOLLOW, unix.O_DIRECTORY, unix.O_NOCTTY, unix.O_NONBLOCK, unix.O_CLOEXEC},
		"O_PATH O_WRONLY O_RDWR O_CREAT O_EXCL O_NOFOLLOW O_DIRECTORY O_NOCTTY O_NONBLOCK O_CLOEXEC"
}

func resolveFlagNames() ([]uint64, string) {
	return []uint64{unix.RESOLVE_IN_ROOT, unix.RESOLVE_BENEATH, unix.RESOLVE_NO_MAGICLINKS, unix.RESOLVE_NO_SYMLINKS, unix.RESOLVE_NO_XDEV},
		"IN_ROOT BENEATH NO_MAGICLINKS NO_SYMLINKS NO_XDEV"
}

func attrNames() ([]uint64, string) {
	return []uint64{unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NOEXEC,
			unix.MOUNT_ATTR__ATIME, unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR_NODIRATIME,
			unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_IDMAP},
		"ro nosuid nodev noexec atime* noatime strictatime nodiratime nosymfollow idmap"
}

func propagationNames() ([]uint64, string) {
	return []uint64{unix.MS_SHARED, unix.MS_SLAVE, unix.MS_PRIVATE, unix.MS_UNBINDABLE}, "shared slave private unbindable"
}

func cloneNames() ([]uint64, string) {
	return []uint64{unix.CLONE_NEWUSER, unix.CLONE_NEWNS, unix.CLONE_NEWPID, unix.CLONE_NEWNET, unix.CLONE_NEWIPC, unix.CLONE_NEWUTS,
			unix.CLONE_NEWCGROUP, unix.CLONE_NEWTIME, unix.CLONE_PARENT},
		"NEWUSER NEWNS NEWPID NEWNET NEWIPC NEWUTS NEWCGROUP NEWTIME PARENT"
}

// attrText prints MOUNT_ATTR_* bits as mount options do.
func attrText(attr uint64) string {
	if attr == 0 {
		return "0"
	}
	return flagSet(attrNames).text(attr)
}

// attrChange prints a mount_setattr: "+ro -nodev slave".
func attrChange(set, clr, propagation uint64) string {
	var out []string
	if set != 0 {
		out = append(out, "+"+attrText(set))
	}
	if clr != 0 {
		out = append(out, "-"+attrText(clr))
	}
	if propagation != 0 {
		out = append(out, flagSet(propagationNames).text(propagation))
	}
	return "{" + strings.Join(out, " ") + "}"
}

// CloneText prints CLONE_* bits.
func CloneText(flags uint64) string {
	if flags == 0 {
		return "0"
	}
	return flagSet(cloneNames).text(flags)
}

// label is what an argument that is a number or constant data prints as, or empty: then it is a
// plain number.
func (a *Arg) label() string {
	if text := a.text(); text != "" || a.Says == AsNumber {
		return text
	}
	switch a.Says {
	case AsOctal:
		return "0" + strconv.FormatUint(a.Int, 8)
	case AsHex:
		return "0x" + strconv.FormatUint(a.Int, 16)
	case AsErrno:
		return errnoName(unix.Errno(a.Int))
	case AsSignal:
		return unix.SignalName(unix.Signal(a.Int))
	case AsClone:
		return CloneText(a.Int)
	case AsAttr:
		return attrText(a.Int)
	case AsMode:
		return modeText(uint32(a.Int))
	case AsDevice:
		major, minor := a.Int>>8&0xfff, a.Int&0xff|a.Int>>12&0xfff00
		return strconv.FormatUint(major, 10) + ":" + strconv.FormatUint(minor, 10)
	case AsOpenHow:
		return openHowText(a.word(0), a.word(1), a.word(2))
	case AsChange:
		return attrChange(a.word(0), a.word(1), a.word(2))
	case AsQuoted:
		return strconv.Quote(a.Data())
	}
	return "?"
}

func openHowText(flags, mode, resolve uint64) string {
	text := "{" + flagSet(openFlagNames).text(flags)
	if mode != 0 {
		text += " 0" + strconv.FormatUint(mode, 8)
	}
	if resolve != 0 {
		text += ", " + flagSet(resolveFlagNames).text(resolve)
	}
	return text + "}"
}

func modeText(mode uint32) string {
	kind := map[uint32]string{unix.S_IFREG: "S_IFREG", unix.S_IFCHR: "S_IFCHR", unix.S_IFBLK: "S_IFBLK", unix.S_IFIFO: "S_IFIFO"}[mode&unix.S_IFMT]
	return kind + "|0" + strconv.FormatUint(uint64(mode&^unix.S_IFMT), 8)
}
