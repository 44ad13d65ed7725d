package plan

// Call names a system call or a pseudo-call. Numbers differ between architectures: the linker looks
// them up.
type Call uint8

// Pseudo-calls, which the op loop carries out itself.
const (
	Set     Call = iota // result = arg 0
	Load32              // result = the signed 32-bit word at arg 0
	Store32             // *(uint32)arg 0 = arg 1
	Load64              // result = the 64-bit word at arg 0
	Store64             // *(uint64)arg 0 = arg 1
	Assert              // fail with errno arg 3 unless *(uint64)arg 0 & arg 1 == arg 2
	Fail                // fail with errno arg 0
	// Spawn is clone3, or clone when its first argument is a number: the child goes on with the
	// next op, the parent exits with status 0 without another word. The child's pid reaches the
	// host through CLONE_PARENT_SETTID, which the kernel writes before the child runs.
	Spawn
	firstReal
)

// System calls.
const (
	SysAccept4 Call = iota + firstReal
	SysCapset
	SysChdir
	SysChroot
	SysClockGettime
	SysClose
	SysCloseRange
	SysDup3
	SysExecve
	SysExitGroup
	SysFaccessat2
	SysFchdir
	SysFchown
	SysFchownat
	SysFsconfig
	SysFsetxattr
	SysFsmount
	SysFsopen
	SysGetcwd
	SysIoctl
	SysIoprioSet
	SysKeyctl
	SysLseek
	SysMadvise
	SysMkdirat
	SysMknodat
	SysMmap
	SysMount
	SysMountSetattr
	SysMoveMount
	SysOpenTree
	SysOpenat2
	SysPersonality
	SysPivotRoot
	SysPrctl
	SysPrlimit64
	SysRead
	SysRecvfrom
	SysRtSigaction
	SysRtSigprocmask
	SysSchedSetaffinity
	SysSchedSetattr
	SysSeccomp
	SysSendfile
	SysSendmsg
	SysSendto
	SysSetMempolicy
	SysSetdomainname
	SysSetgroups
	SysSethostname
	SysSetns
	SysSetresgid
	SysSetresuid
	SysSetsid
	SysSocket
	SysStatx
	SysSymlinkat
	SysUmask
	SysUmount2
	SysUnlinkat
	SysUnshare
	SysWrite
	// SysNone is a number that no kernel has; tests of the op loop call it.
	SysNone
	// Calls is the number of calls.
	Calls
)

const callNames = "set load32 store32 load64 store64 assert fail spawn " +
	"accept4 capset chdir chroot clock_gettime close close_range dup3 execve exit_group faccessat2 fchdir fchown fchownat " +
	"fsconfig fsetxattr fsmount fsopen getcwd ioctl ioprio_set keyctl lseek madvise mkdirat mknodat mmap mount mount_setattr move_mount open_tree openat2 " +
	"personality pivot_root prctl prlimit64 read recvfrom rt_sigaction rt_sigprocmask sched_setaffinity sched_setattr seccomp sendfile sendmsg " +
	"sendto set_mempolicy setdomainname setgroups sethostname setns setresgid setresuid setsid socket statx symlinkat umask " +
	"umount2 unlinkat unshare write none "

// String is the call's name in the man pages.
func (c Call) String() string {
	i := 0
	for n := Call(0); i < len(callNames); n++ {
		j := i
		for callNames[j] != ' ' {
			j++
		}
		if n == c {
			return callNames[i:j]
		}
		i = j + 1
	}
	return "call?"
}

// IsPseudo reports whether the op loop carries out c without a system call.
func (c Call) IsPseudo() bool { return c < Spawn }
