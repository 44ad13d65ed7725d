//go:build amd64 || arm64

package initimage

import (
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// numbers is constant data: nothing is built at start-up.
var numbers = [plan.SysNone]uint16{
	plan.Spawn:               unix.SYS_CLONE3,
	plan.SysAccept4:          unix.SYS_ACCEPT4,
	plan.SysCapset:           unix.SYS_CAPSET,
	plan.SysChdir:            unix.SYS_CHDIR,
	plan.SysChroot:           unix.SYS_CHROOT,
	plan.SysClockGettime:     unix.SYS_CLOCK_GETTIME,
	plan.SysClose:            unix.SYS_CLOSE,
	plan.SysCloseRange:       unix.SYS_CLOSE_RANGE,
	plan.SysDup3:             unix.SYS_DUP3,
	plan.SysExecve:           unix.SYS_EXECVE,
	plan.SysExitGroup:        unix.SYS_EXIT_GROUP,
	plan.SysFaccessat2:       unix.SYS_FACCESSAT2,
	plan.SysFchdir:           unix.SYS_FCHDIR,
	plan.SysFchown:           unix.SYS_FCHOWN,
	plan.SysFchownat:         unix.SYS_FCHOWNAT,
	plan.SysFsconfig:         unix.SYS_FSCONFIG,
	plan.SysFsetxattr:        unix.SYS_FSETXATTR,
	plan.SysFsmount:          unix.SYS_FSMOUNT,
	plan.SysFsopen:           unix.SYS_FSOPEN,
	plan.SysGetcwd:           unix.SYS_GETCWD,
	plan.SysIoctl:            unix.SYS_IOCTL,
	plan.SysIoprioSet:        unix.SYS_IOPRIO_SET,
	plan.SysKeyctl:           unix.SYS_KEYCTL,
	plan.SysLseek:            unix.SYS_LSEEK,
	plan.SysMadvise:          unix.SYS_MADVISE,
	plan.SysMkdirat:          unix.SYS_MKDIRAT,
	plan.SysMknodat:          unix.SYS_MKNODAT,
	plan.SysMmap:             unix.SYS_MMAP,
	plan.SysMount:            unix.SYS_MOUNT,
	plan.SysMountSetattr:     unix.SYS_MOUNT_SETATTR,
	plan.SysMoveMount:        unix.SYS_MOVE_MOUNT,
	plan.SysOpenTree:         unix.SYS_OPEN_TREE,
	plan.SysOpenat2:          unix.SYS_OPENAT2,
	plan.SysPersonality:      unix.SYS_PERSONALITY,
	plan.SysPivotRoot:        unix.SYS_PIVOT_ROOT,
	plan.SysPrctl:            unix.SYS_PRCTL,
	plan.SysPrlimit64:        unix.SYS_PRLIMIT64,
	plan.SysRead:             unix.SYS_READ,
	plan.SysRecvfrom:         unix.SYS_RECVFROM,
	plan.SysRtSigaction:      unix.SYS_RT_SIGACTION,
	plan.SysRtSigprocmask:    unix.SYS_RT_SIGPROCMASK,
	plan.SysSchedSetaffinity: unix.SYS_SCHED_SETAFFINITY,
	plan.SysSchedSetattr:     unix.SYS_SCHED_SETATTR,
	plan.SysSeccomp:          unix.SYS_SECCOMP,
	plan.SysSendfile:         unix.SYS_SENDFILE,
	plan.SysSendmsg:          unix.SYS_SENDMSG,
	plan.SysSendto:           unix.SYS_SENDTO,
	plan.SysSetMempolicy:     unix.SYS_SET_MEMPOLICY,
	plan.SysSetdomainname:    unix.SYS_SETDOMAINNAME,
	plan.SysSetgroups:        unix.SYS_SETGROUPS,
	plan.SysSethostname:      unix.SYS_SETHOSTNAME,
	plan.SysSetns:            unix.SYS_SETNS,
	plan.SysSetresgid:        unix.SYS_SETRESGID,
	plan.SysSetresuid:        unix.SYS_SETRESUID,
	plan.SysSetsid:           unix.SYS_SETSID,
	plan.SysSocket:           unix.SYS_SOCKET,
	plan.SysStatx:            unix.SYS_STATX,
	plan.SysSymlinkat:        unix.SYS_SYMLINKAT,
	plan.SysUmask:            unix.SYS_UMASK,
	plan.SysUmount2:          unix.SYS_UMOUNT2,
	plan.SysUnlinkat:         unix.SYS_UNLINKAT,
	plan.SysUnshare:          unix.SYS_UNSHARE,
	plan.SysWrite:            unix.SYS_WRITE,
}

// cloneNumber is that of clone(2), whose first and third argument mean the same on these
// architectures.
const cloneNumber = unix.SYS_CLONE

// syscallNumber is the number of a call on this architecture.
func syscallNumber(c plan.Call) (uint16, bool) {
	if c.IsPseudo() || c >= plan.SysNone {
		return 0, false
	}
	return numbers[c], true
}
