package mountopt

import "golang.org/x/sys/unix"

// optionKind says what the bits of a row in the option table are.
type optionKind uint8

const (
	optIgnored     optionKind = iota // accepted, nothing to do for the kernel
	optSwitch                        // bits is one of the switch constants
	optAttrSet                       // MOUNT_ATTR_* to set
	optAttrClr                       // MOUNT_ATTR_* to clear
	optRecAttrSet                    // the same for the tree
	optRecAttrClr                    //
	optAtimeSet                      // MS_*ATIME to set
	optAtimeClr                      // MS_*ATIME to clear
	optRecAtimeSet                   // the same for the tree
	optRecAtimeClr                   //
	// the superblock flag that the option names; bits is its group
	optSuper
	optPropagation    // MS_* propagation type
	optRecPropagation // the same for the tree
	optIDMap          // IDMapMode
)

// Values of optSwitch rows.
const (
	switchBind = iota
	switchRbind
	switchRemount
	switchTmpCopyUp
	switchCopySymlink
	switchSrcNoFollow
	switchDestNoFollow
)

// Groups of superblock flags: of each group the last one wins.
const (
	superSync = iota
	superDirsync
	superLazytime
	superGroups
)

// implied by mount(8)'s user and users, and by its owner and group.
const (
	impliedByUser  = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	impliedByOwner = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
)

// mountOptionRow is one mount option: what it is called, what it does.
type mountOptionRow struct {
	name string
	kind optionKind
	// listed rows are named in the features document: the options of the
	// specification and those of crun, not those of mount(8).
	listed bool
	bits   uint64
}

// mountOptionTable is sorted by name. It holds the options of the runtime
// specification (config.md, "Linux mount options"; rnodev, which its table
// forgets, among them), those of mount(8) that never reach the kernel, and
// three of crun's.
//
// The kernel's new mount API has no way to say silent, loud, iversion,
// noiversion; and mand has done nothing since Linux 5.15: they are accepted
// and ignored.
var mountOptionTable = [...]mountOptionRow{
	{"_netdev", optIgnored, false, 0},
	{"async", optSuper, true, superSync},
	{"atime", optAtimeClr, true, unix.MS_NOATIME},
	{"auto", optIgnored, false, 0},
	{"bind", optSwitch, true, switchBind},
	{"copy-symlink", optSwitch, true, switchCopySymlink},
	{"defaults", optIgnored, true, 0},
	{"dest-nofollow", optSwitch, true, switchDestNoFollow},
	{"dev", optAttrClr, true, unix.MOUNT_ATTR_NODEV},
	{"diratime", optAttrClr, true, unix.MOUNT_ATTR_NODIRATIME},
	{"dirsync", optSuper, true, superDirsync},
	{"exec", optAttrClr, true, unix.MOUNT_ATTR_NOEXEC},
	{"group", optAttrSet, false, impliedByOwner},
	{"idmap", optIDMap, true, uint64(IDMapMount)},
	{"iversion", optIgnored, true, 0},
	{"lazytime", optSuper, true, superLazytime},
	{"loud", optIgnored, true, 0},
	{"mand", optIgnored, true, 0},
	{"noatime", optAtimeSet, true, unix.MS_NOATIME},
	{"noauto", optIgnored, false, 0},
	{"nodev", optAttrSet, true, unix.MOUNT_ATTR_NODEV},
	{"nodiratime", optAttrSet, true, unix.MOUNT_ATTR_NODIRATIME},
	{"noexec", optAttrSet, true, unix.MOUNT_ATTR_NOEXEC},
	{"nofail", optIgnored, false, 0},
	{"nogroup", optIgnored, false, 0},
	{"noiversion", optIgnored, true, 0},
	{"nolazytime", optSuper, true, superLazytime},
	{"nomand", optIgnored, true, 0},
	{"noowner", optIgnored, false, 0},
	{"norelatime", optAtimeClr, true, unix.MS_RELATIME},
	{"nostrictatime", optAtimeClr, true, unix.MS_STRICTATIME},
	{"nosuid", optAttrSet, true, unix.MOUNT_ATTR_NOSUID},
	{"nosymfollow", optAttrSet, true, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"nouser", optIgnored, false, 0},
	{"nousers", optIgnored, false, 0},
	{"owner", optAttrSet, false, impliedByOwner},
	{"private", optPropagation, true, unix.MS_PRIVATE},
	{"ratime", optRecAtimeClr, true, unix.MS_NOATIME},
	{"rbind", optSwitch, true, switchRbind},
	{"rdev", optRecAttrClr, true, unix.MOUNT_ATTR_NODEV},
	{"rdiratime", optRecAttrClr, true, unix.MOUNT_ATTR_NODIRATIME},
	{"relatime", optAtimeSet, true, unix.MS_RELATIME},
	{"remount", optSwitch, true, switchRemount},
	{"rexec", optRecAttrClr, true, unix.MOUNT_ATTR_NOEXEC},
	{"ridmap", optIDMap, true, uint64(IDMapTree)},
	{"rnoatime", optRecAtimeSet, true, unix.MS_NOATIME},
	{"rnodev", optRecAttrSet, true, unix.MOUNT_ATTR_NODEV},
	{"rnodiratime", optRecAttrSet, true, unix.MOUNT_ATTR_NODIRATIME},
	{"rnoexec", optRecAttrSet, true, unix.MOUNT_ATTR_NOEXEC},
	{"rnorelatime", optRecAtimeClr, true, unix.MS_RELATIME},
	{"rnostrictatime", optRecAtimeClr, true, unix.MS_STRICTATIME},
	{"rnosuid", optRecAttrSet, true, unix.MOUNT_ATTR_NOSUID},
	{"rnosymfollow", optRecAttrSet, true, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"ro", optAttrSet, true, unix.MOUNT_ATTR_RDONLY},
	{"rprivate", optRecPropagation, true, unix.MS_PRIVATE},
	{"rrelatime", optRecAtimeSet, true, unix.MS_RELATIME},
	{"rro", optRecAttrSet, true, unix.MOUNT_ATTR_RDONLY},
	{"rrw", optRecAttrClr, true, unix.MOUNT_ATTR_RDONLY},
	{"rshared", optRecPropagation, true, unix.MS_SHARED},
	{"rslave", optRecPropagation, true, unix.MS_SLAVE},
	{"rstrictatime", optRecAtimeSet, true, unix.MS_STRICTATIME},
	{"rsuid", optRecAttrClr, true, unix.MOUNT_ATTR_NOSUID},
	{"rsymfollow", optRecAttrClr, true, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable", optRecPropagation, true, unix.MS_UNBINDABLE},
	{"rw", optAttrClr, true, unix.MOUNT_ATTR_RDONLY},
	{"shared", optPropagation, true, unix.MS_SHARED},
	{"silent", optIgnored, true, 0},
	{"slave", optPropagation, true, unix.MS_SLAVE},
	{"src-nofollow", optSwitch, true, switchSrcNoFollow},
	{"strictatime", optAtimeSet, true, unix.MS_STRICTATIME},
	{"suid", optAttrClr, true, unix.MOUNT_ATTR_NOSUID},
	{"symfollow", optAttrClr, true, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", optSuper, true, superSync},
	{"tmpcopyup", optSwitch, true, switchTmpCopyUp},
	{"unbindable", optPropagation, true, unix.MS_UNBINDABLE},
	{"user", optAttrSet, false, impliedByUser},
	{"users", optAttrSet, false, impliedByUser},
}

// MountOptionNames lists the mount options of the specification that are
// known here, sorted.
func MountOptionNames() []string {
	var names []string
	for _, row := range mountOptionTable {
		if row.listed {
			names = append(names, row.name)
		}
	}
	return names
}
