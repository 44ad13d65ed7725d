package plan

import (
	"golang.org/x/sys/unix"
)

// Sys is an op that makes call c.
func Sys(c Call, args ...Arg) Op { return Op{Call: c, Args: args, Out: NoReg} }

// SetReg puts a value into a register.
func SetReg(r Reg, a Arg) Op { return Sys(Set, a).Into(r) }

// StoreFD writes a descriptor's number to memory, where a control message wants it.
func StoreFD(at, fd Arg) Op { return Sys(Store32, at, fd) }

// FailWith fails with e.
func FailWith(e unix.Errno) Op { return Sys(Fail, As(uint64(e), AsErrno)) }

// Exit ends the init.
func Exit(status int64) Op { return Sys(SysExitGroup, Num(status)) }

// Close closes fd. It and the functions below are the system calls of their names.
func Close(fd Arg) Op { return Sys(SysClose, fd) }

// Umask takes the mask.
func Umask(mask int64) Op { return Sys(SysUmask, As(uint64(mask), AsOctal)) }

// Fchdir takes a descriptor of a directory, O_PATH or not.
func Fchdir(dir Arg) Op { return Sys(SysFchdir, dir) }

// Setns takes a descriptor of a namespace or a pidfd, and CLONE_NEW* bits.
func Setns(fd, kind Arg) Op { return Sys(SysSetns, fd, kind) }

// Unshare takes CLONE_* bits.
func Unshare(flags Arg) Op { return Sys(SysUnshare, flags) }

// Symlink makes path below dir point to to.
func Symlink(to string, dir Arg, path string) Op {
	return Sys(SysSymlinkat, Str(to), dir, Str(path))
}

// AssertWord fails with e unless the 64-bit word at addr, masked, is want.
func AssertWord(addr Arg, mask, want uint64, e unix.Errno) Op {
	return Sys(Assert, addr, As(mask, AsHex), As(want, AsHex), As(uint64(e), AsErrno))
}

// OpenInRoot opens path below dir as O_PATH, resolved as if dir were the root: neither "..",
// absolute links nor magic links lead out. extra adds O_DIRECTORY or O_NOFOLLOW.
func OpenInRoot(dir Arg, path string, extra uint64) Op {
	return openat2(dir, path, unix.O_PATH|unix.O_CLOEXEC|extra, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS).Retrying()
}

// OpenNoLinks opens path below dir, refusing every symbolic link on the way.
func OpenNoLinks(dir Arg, path string, flags uint64) Op {
	return openat2(dir, path, unix.O_CLOEXEC|flags, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_NO_SYMLINKS).Retrying()
}

// OpenProc opens a file of the verified procfs behind proc: no links but procfs's own `self`, and
// nothing mounted over it.
func OpenProc(proc Arg, path string, flags uint64) Op {
	return openat2(proc, path, unix.O_CLOEXEC|flags, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_NO_XDEV).Retrying()
}

// OpenFile is openat2 with flags, mode and resolution as given.
func OpenFile(dir Arg, path string, flags, mode, resolve uint64) Op {
	return openat2(dir, path, flags|unix.O_CLOEXEC, mode, resolve).Retrying()
}

func openat2(dir Arg, path string, flags, mode, resolve uint64) Op {
	how := structure(OpenHow(flags, mode, resolve), AsOpenHow)
	return Sys(SysOpenat2, dir, Str(path), how, Num(24))
}

// Mkdir makes a directory; the umask is zero while the root filesystem is built.
func Mkdir(dir Arg, path string, mode int64) Op {
	return Sys(SysMkdirat, dir, Str(path), As(uint64(mode), AsOctal))
}

// Mknod makes a file of the given type (S_IFREG, S_IFCHR, …) and permissions.
func Mknod(dir Arg, path string, mode uint32, dev uint64) Op {
	// Not dev_t but the "new" encoding of it, as mknod(2)'s system call takes it: 12 bits major, 20
	// bits minor.
	return Sys(SysMknodat, dir, Str(path), As(uint64(mode), AsMode), As(uint64(encodeDev(dev)), AsDevice))
}

func encodeDev(dev uint64) uint32 {
	major, minor := unix.Major(dev), unix.Minor(dev)
	return minor&0xff | major<<8 | (minor&^0xff)<<12
}

// Fsopen begins a new filesystem of the given type.
func Fsopen(fstype string) Op {
	return Sys(SysFsopen, Str(fstype), Int(unix.FSOPEN_CLOEXEC, "FSOPEN_CLOEXEC"))
}

// FsString sets an option of what Fsopen began.
func FsString(fs Arg, key, value string) Op {
	return Sys(SysFsconfig, fs, Int(unix.FSCONFIG_SET_STRING, "SET_STRING"), Str(key), Str(value), Num(0))
}

// FsFlag sets an option without a value.
func FsFlag(fs Arg, key string) Op {
	return Sys(SysFsconfig, fs, Int(unix.FSCONFIG_SET_FLAG, "SET_FLAG"), Str(key), Num(0), Num(0))
}

// FsFD sets an option to a descriptor.
func FsFD(fs Arg, key string, fd Arg) Op {
	return Sys(SysFsconfig, fs, Int(unix.FSCONFIG_SET_FD, "SET_FD"), Str(key), Num(0), fd)
}

// FsCreate makes the file system with the options given so far.
func FsCreate(fs Arg) Op {
	return Sys(SysFsconfig, fs, Int(unix.FSCONFIG_CMD_CREATE, "CMD_CREATE"), Num(0), Num(0), Num(0))
}

// Fsmount makes a detached mount of the file system behind fs, with the given MOUNT_ATTR_* bits.
func Fsmount(fs Arg, attr uint64) Op {
	return Sys(SysFsmount, fs, Int(unix.FSMOUNT_CLOEXEC, "FSMOUNT_CLOEXEC"), As(attr, AsAttr))
}

// OpenTreeClone makes a detached copy of the mount at path below dir (path "" means dir itself).
func OpenTreeClone(dir Arg, path string, recursive bool) Op {
	flags, label := int64(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC), "OPEN_TREE_CLONE"
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
		label += "|AT_EMPTY_PATH"
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
		label += "|AT_RECURSIVE"
	}
	return Sys(SysOpenTree, dir, Str(path), Int(flags, label))
}

// OpenTreeNoFollow is [OpenTreeClone] of a symbolic link itself, if path ends in one.
func OpenTreeNoFollow(dir Arg, path string, recursive bool) Op {
	op := OpenTreeClone(dir, path, recursive)
	flags := op.Args[2]
	op.Args[2] = Int(int64(flags.Int)|unix.AT_SYMLINK_NOFOLLOW, flags.Str+"|AT_SYMLINK_NOFOLLOW")
	return op
}

// MountSetattr changes the mount behind fd. propagation is MS_SHARED and so on, or 0.
func MountSetattr(fd Arg, recursive bool, set, clr, propagation uint64) Op {
	flags, label := int64(unix.AT_EMPTY_PATH), "AT_EMPTY_PATH"
	if recursive {
		flags |= unix.AT_RECURSIVE
		label += "|AT_RECURSIVE"
	}
	return Sys(SysMountSetattr, fd, Str(""), Int(flags, label), Change(set, clr, propagation), Num(32))
}

// Change is the struct mount_attr of a mount_setattr without an idmap.
func Change(set, clr, propagation uint64) Arg {
	return structure(MountAttr(set, clr, propagation, 0), AsChange)
}

// MoveMount attaches the detached mount tree at the place that target is open on.
func MoveMount(tree, target Arg) Op {
	return Sys(SysMoveMount, tree, Str(""), target, Str(""),
		Int(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH, "F_EMPTY_PATH|T_EMPTY_PATH"))
}

// Write writes data in one piece: files below /proc and /sys take a value in a single write(2).
func Write(fd Arg, data string) Op {
	return Sys(SysWrite, fd, Arg{Kind: KindBytes, Int: uint64(len(data)), Str: data, Says: AsQuoted}, Num(int64(len(data)))).Exactly(len(data))
}

// Seek puts the position of an open file off bytes behind its start.
func Seek(fd Arg, off int64) Op { return Sys(SysLseek, fd, Num(off), Int(unix.SEEK_SET, "SEEK_SET")) }

// Sendfile copies n bytes, 2 GiB at most, from the position of one file to that of another.
func Sendfile(to, from Arg, n int64) Op {
	return Sys(SysSendfile, to, from, Num(0), Num(n)).Exactly(int(n))
}

// Sendto sends without SIGPIPE: the other side may be gone.
func Sendto(sock Arg, data Arg, n int) Op {
	return Sys(SysSendto, sock, data, Num(int64(n)), Int(unix.MSG_NOSIGNAL, "MSG_NOSIGNAL"), Num(0), Num(0))
}

// Sendmsg sends a message built by RightsMessage.
func Sendmsg(sock, hdr Arg) Op {
	return Sys(SysSendmsg, sock, hdr, Int(unix.MSG_NOSIGNAL, "MSG_NOSIGNAL"))
}

// recv receives up to n bytes.
func recv(sock Arg, to Arg, n int) Op {
	return Sys(SysRecvfrom, sock, to, Num(int64(n)), Num(0), Num(0), Num(0))
}

// Prctl is prctl(2); label names the option.
func Prctl(option int64, label string, args ...Arg) Op {
	a := append(append(make([]Arg, 0, 5), Int(option, label)), args...)
	for len(a) < 5 {
		// The kernel insists on zeroes in the unused arguments of most options.
		a = append(a, Num(0))
	}
	return Sys(SysPrctl, a...)
}

// Ioctl is ioctl(2); label names the request.
func Ioctl(fd Arg, request int64, label string, arg Arg) Op {
	return Sys(SysIoctl, fd, Int(request, label), arg)
}

// CloseOnExecFrom marks every descriptor from first on, so that none survives execve.
func CloseOnExecFrom(first int) Op {
	return Sys(SysCloseRange, Num(int64(first)), Int(0xffffffff, "max"), Int(unix.CLOSE_RANGE_CLOEXEC, "CLOSE_RANGE_CLOEXEC"))
}

// SpawnChild is clone3 with CLONE_PARENT: the child is the caller's sibling, so that the host can
// wait for it, and goes on; the caller exits. cgroup, if not nil, is a directory of the cgroup v2
// tree in which the child is born (CLONE_INTO_CGROUP, Linux 5.7).
func (b *Builder) SpawnChild(namespaces uint64, cgroup *Arg) Op {
	// With CLONE_PARENT the exit signal is the caller's own, and the kernel wants zero here.
	flags := namespaces | unix.CLONE_PARENT | unix.CLONE_PARENT_SETTID
	ptrs := []Ptr{{Off: cloneArgsParentTid, To: Page(PagePid)}}
	label := CloneText(namespaces | unix.CLONE_PARENT)
	if cgroup != nil {
		flags |= unix.CLONE_INTO_CGROUP
		ptrs = append(ptrs, Ptr{Off: cloneArgsCgroup, To: *cgroup})
		label += "|INTO_CGROUP"
	}
	args := b.Buf("clone_args", cloneArgs(flags, 0), ptrs...)
	return Sys(Spawn, args, Int(cloneArgsSize, label))
}

// JoinChild is SpawnChild for a child that appears among processes which may trace it, in a pid
// namespace that the caller has joined. The host learns its pid from a page that the child does not
// get, which prepare takes from the shared file. It is clone(2): seccomp filters, which the caller
// may have loaded, can't see the flags of clone3, so that many refuse that.
func (b *Builder) JoinChild() (prepare []Op, spawn Op) {
	b.Plan.PageLen = max(b.Plan.PageLen, PageJoined+PageSize)
	page, size := Page(PageJoined), Num(PageSize)
	return []Op{
		mapShared(page, size, b.page, Num(PageJoined)),
		Sys(SysMadvise, page, size, Int(unix.MADV_DONTFORK, "MADV_DONTFORK")),
	}, Sys(Spawn, Int(unix.CLONE_PARENT|unix.CLONE_PARENT_SETTID, "PARENT"), Num(0), page)
}

// Joins reports whether o is JoinChild's.
func (o *Op) Joins() bool { return o.Call == Spawn && len(o.Args) > 0 && o.Args[0].Kind == KindInt }

// PidAt is the place in the shared page where the host finds the pid of the child that o, a Spawn,
// starts.
func (o *Op) PidAt() int {
	if o.Joins() {
		return PageJoined
	}
	return PagePid
}

// Become gives the process a user and a group of the user namespace that it has just entered.
// Without them it could make no file (EOVERFLOW). It keeps its capabilities, even if uid is not 0:
// the kernel takes them only from a process that was root of the namespace before
// (capabilities(7)), and this one comes from outside.
func Become(uid, gid uint32) []Op {
	u, g := Num(int64(uid)), Num(int64(gid))
	return []Op{Sys(SysSetresgid, g, g, g), Sys(SysSetresuid, u, u, u)}
}

// MapPage maps the page shared with the host over the image's own: the first op, since from then on
// the host sees how far the init came.
func (b *Builder) MapPage(size int) Op {
	b.page = b.File(File{Name: "progress"})
	return mapShared(Page(0), Num(int64(size)), b.page, Num(0))
}

func mapShared(at, size, fd, offset Arg) Op {
	return Sys(SysMmap, at, size, Int(unix.PROT_READ|unix.PROT_WRITE, "PROT_READ|PROT_WRITE"),
		Int(unix.MAP_SHARED|unix.MAP_FIXED, "MAP_SHARED|MAP_FIXED"), fd, offset)
}
