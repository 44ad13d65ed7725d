package faults

import "golang.org/x/sys/unix"

// traceable says that this port has the functions below.
const traceable = true

// entered gives the number and the first argument of the system call that a thread is about to
// make.
func entered(tid int) (nr, arg uint64, err error) {
	var regs unix.PtraceRegs
	err = unix.PtraceGetRegs(tid, &regs)
	return regs.Orig_rax, regs.Rdi, err
}

// skipCall makes the kernel pass over the call that a thread has entered.
func skipCall(tid int) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Orig_rax = ^uint64(0)
	return unix.PtraceSetRegs(tid, &regs)
}

// answer sets the result of the call that a thread leaves.
func answer(tid int, errno unix.Errno) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Rax = -uint64(errno)
	return unix.PtraceSetRegs(tid, &regs)
}

// callNames are of the calls that are injected; what is not here is made by Go's runtime for
// itself.
var callNames = map[uint64]string{
	unix.SYS_ACCEPT4: "accept4", unix.SYS_BIND: "bind", unix.SYS_BPF: "bpf", unix.SYS_CAPGET: "capget",
	unix.SYS_CHDIR: "chdir", unix.SYS_CLONE: "clone", unix.SYS_CLONE3: "clone3", unix.SYS_CLOSE: "close",
	unix.SYS_CONNECT: "connect", unix.SYS_DUP3: "dup3", unix.SYS_EXECVE: "execve", unix.SYS_FCHDIR: "fchdir",
	unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHMODAT: "fchmodat", unix.SYS_FCHOWN: "fchown",
	unix.SYS_FCHOWNAT: "fchownat", unix.SYS_FCNTL: "fcntl", unix.SYS_FLOCK: "flock", unix.SYS_FSTAT: "fstat",
	unix.SYS_FSTATFS: "fstatfs", unix.SYS_FSYNC: "fsync", unix.SYS_FTRUNCATE: "ftruncate",
	unix.SYS_GETCWD: "getcwd", unix.SYS_GETDENTS64: "getdents64", unix.SYS_GETRANDOM: "getrandom",
	unix.SYS_GETSOCKOPT: "getsockopt", unix.SYS_IOCTL: "ioctl", unix.SYS_KILL: "kill", unix.SYS_LISTEN: "listen",
	unix.SYS_LSEEK: "lseek", unix.SYS_MEMFD_CREATE: "memfd_create", unix.SYS_MKDIRAT: "mkdirat",
	unix.SYS_MKNODAT: "mknodat", unix.SYS_MOUNT: "mount", unix.SYS_MOUNT_SETATTR: "mount_setattr",
	unix.SYS_MOVE_MOUNT: "move_mount", unix.SYS_NEWFSTATAT: "newfstatat", unix.SYS_OPENAT: "openat",
	unix.SYS_OPENAT2: "openat2", unix.SYS_OPEN_TREE: "open_tree", unix.SYS_PIDFD_OPEN: "pidfd_open",
	unix.SYS_PIDFD_SEND_SIGNAL: "pidfd_send_signal", unix.SYS_PIPE2: "pipe2", unix.SYS_POLL: "poll",
	unix.SYS_PPOLL: "ppoll", unix.SYS_PRCTL: "prctl", unix.SYS_PREAD64: "pread64", unix.SYS_PRLIMIT64: "prlimit64",
	unix.SYS_PWRITE64: "pwrite64", unix.SYS_READ: "read", unix.SYS_READLINKAT: "readlinkat",
	unix.SYS_RECVFROM: "recvfrom", unix.SYS_RECVMSG: "recvmsg", unix.SYS_RENAMEAT: "renameat",
	unix.SYS_RENAMEAT2: "renameat2", unix.SYS_SENDMSG: "sendmsg", unix.SYS_SENDTO: "sendto",
	unix.SYS_SETNS: "setns", unix.SYS_SETSOCKOPT: "setsockopt", unix.SYS_SOCKET: "socket",
	unix.SYS_SOCKETPAIR: "socketpair", unix.SYS_STATFS: "statfs", unix.SYS_STATX: "statx",
	unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_UMASK: "umask", unix.SYS_UMOUNT2: "umount2",
	unix.SYS_UNAME: "uname", unix.SYS_UNLINKAT: "unlinkat", unix.SYS_UNSHARE: "unshare",
	unix.SYS_WAIT4: "wait4", unix.SYS_WAITID: "waitid", unix.SYS_WRITE: "write", unix.SYS_DUP: "dup",
	unix.SYS_FSOPEN: "fsopen", unix.SYS_FSCONFIG: "fsconfig", unix.SYS_FSMOUNT: "fsmount",
	unix.SYS_PIDFD_GETFD: "pidfd_getfd", unix.SYS_CLOSE_RANGE: "close_range", unix.SYS_SYSINFO: "sysinfo",
}
