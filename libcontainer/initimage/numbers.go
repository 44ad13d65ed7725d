//go:build amd64 || arm64

package initimage

import (
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// syscallNumber is a switch, not a map: nothing is built at start-up.
func syscallNumber(c plan.Call) (uint16, bool) {
	switch c {
	case plan.Spawn:
		return unix.SYS_CLONE3, true
	case plan.SysAccept4:
		return unix.SYS_ACCEPT4, true
	case plan.SysCapset:
		return unix.SYS_CAPSET, true
	case plan.SysChdir:
		return unix.SYS_CHDIR, true
	case plan.SysChroot:
		return unix.SYS_CHROOT, true
	case plan.SysClockGettime:
		return unix.SYS_CLOCK_GETTIME, true
	case plan.SysClose:
		return unix.SYS_CLOSE, true
	case plan.SysCloseRange:
		return unix.SYS_CLOSE_RANGE, true
	case plan.SysDup3:
		return unix.SYS_DUP3, true
	case plan.SysExecve:
		return unix.SYS_EXECVE, true
	case plan.SysExitGroup:
		return unix.SYS_EXIT_GROUP, true
	case plan.SysFaccessat2:
		return unix.SYS_FACCESSAT2, true
	case plan.SysFchdir:
		return unix.SYS_FCHDIR, true
	case plan.SysFchmodat:
		return unix.SYS_FCHMODAT, true
	case plan.SysFchown:
		return unix.SYS_FCHOWN, true
	case plan.SysFchownat:
		return unix.SYS_FCHOWNAT, true
	case plan.SysFsconfig:
		return unix.SYS_FSCONFIG, true
	case plan.SysFsmount:
		return unix.SYS_FSMOUNT, true
	case plan.SysFsopen:
		return unix.SYS_FSOPEN, true
	case plan.SysGetcwd:
		return unix.SYS_GETCWD, true
	case plan.SysGetxattr:
		return unix.SYS_GETXATTR, true
	case plan.SysIoctl:
		return unix.SYS_IOCTL, true
	case plan.SysIoprioSet:
		return unix.SYS_IOPRIO_SET, true
	case plan.SysKeyctl:
		return unix.SYS_KEYCTL, true
	case plan.SysMkdirat:
		return unix.SYS_MKDIRAT, true
	case plan.SysMknodat:
		return unix.SYS_MKNODAT, true
	case plan.SysMmap:
		return unix.SYS_MMAP, true
	case plan.SysMountSetattr:
		return unix.SYS_MOUNT_SETATTR, true
	case plan.SysMoveMount:
		return unix.SYS_MOVE_MOUNT, true
	case plan.SysOpenTree:
		return unix.SYS_OPEN_TREE, true
	case plan.SysOpenat2:
		return unix.SYS_OPENAT2, true
	case plan.SysPersonality:
		return unix.SYS_PERSONALITY, true
	case plan.SysPivotRoot:
		return unix.SYS_PIVOT_ROOT, true
	case plan.SysPrctl:
		return unix.SYS_PRCTL, true
	case plan.SysPrlimit64:
		return unix.SYS_PRLIMIT64, true
	case plan.SysRead:
		return unix.SYS_READ, true
	case plan.SysRecvfrom:
		return unix.SYS_RECVFROM, true
	case plan.SysRtSigaction:
		return unix.SYS_RT_SIGACTION, true
	case plan.SysRtSigprocmask:
		return unix.SYS_RT_SIGPROCMASK, true
	case plan.SysSchedSetaffinity:
		return unix.SYS_SCHED_SETAFFINITY, true
	case plan.SysSchedSetattr:
		return unix.SYS_SCHED_SETATTR, true
	case plan.SysSeccomp:
		return unix.SYS_SECCOMP, true
	case plan.SysSendmsg:
		return unix.SYS_SENDMSG, true
	case plan.SysSendto:
		return unix.SYS_SENDTO, true
	case plan.SysSetMempolicy:
		return unix.SYS_SET_MEMPOLICY, true
	case plan.SysSetdomainname:
		return unix.SYS_SETDOMAINNAME, true
	case plan.SysSetgid:
		return unix.SYS_SETGID, true
	case plan.SysSetgroups:
		return unix.SYS_SETGROUPS, true
	case plan.SysSethostname:
		return unix.SYS_SETHOSTNAME, true
	case plan.SysSetns:
		return unix.SYS_SETNS, true
	case plan.SysSetresgid:
		return unix.SYS_SETRESGID, true
	case plan.SysSetresuid:
		return unix.SYS_SETRESUID, true
	case plan.SysSetsid:
		return unix.SYS_SETSID, true
	case plan.SysSocket:
		return unix.SYS_SOCKET, true
	case plan.SysStatx:
		return unix.SYS_STATX, true
	case plan.SysSymlinkat:
		return unix.SYS_SYMLINKAT, true
	case plan.SysUmask:
		return unix.SYS_UMASK, true
	case plan.SysUmount2:
		return unix.SYS_UMOUNT2, true
	case plan.SysUnlinkat:
		return unix.SYS_UNLINKAT, true
	case plan.SysUnshare:
		return unix.SYS_UNSHARE, true
	case plan.SysWrite:
		return unix.SYS_WRITE, true
	}
	return 0, false
}
