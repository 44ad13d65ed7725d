package seccomp

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Verdicts of a filter (SECCOMP_RET_* of linux/seccomp.h). The low 16 bits are data: an errno, or a
// message for the tracer.
const (
	retKillProcess = unix.SECCOMP_RET_KILL_PROCESS
	retKillThread  = unix.SECCOMP_RET_KILL_THREAD
	retTrap        = unix.SECCOMP_RET_TRAP
	retErrno       = unix.SECCOMP_RET_ERRNO
	retNotify      = unix.SECCOMP_RET_USER_NOTIF
	retTrace       = unix.SECCOMP_RET_TRACE
	retLog         = unix.SECCOMP_RET_LOG
	retAllow       = unix.SECCOMP_RET_ALLOW

	retENOSYS = retErrno | uint32(unix.ENOSYS)
	// retBadArch meets calls of an architecture that the profile does not name.
	retBadArch = retKillThread

	maxErrno = 4095 // MAX_ERRNO: the kernel silently lowers larger ones
)

// stricter returns the verdict that the kernel itself would prefer of two: as signed numbers, the
// smaller.
func stricter(a, b uint32) uint32 {
	if int32(a) < int32(b) {
		return a
	}
	return b
}

func isErrno(v uint32) bool { return v&^0xffff == retErrno }

// actionValue gives the SECCOMP_RET_* of an action, and the largest value that it can return with
// it: the kernel cuts an errno to 4095, and what a tracer gets to 16 bits. 0 is for actions that
// return nothing.
func actionValue(action specs.LinuxSeccompAction) (v uint32, most uint, ok bool) {
	switch action {
	case specs.ActKill, specs.ActKillThread:
		return retKillThread, 0, true
	case specs.ActKillProcess:
		return retKillProcess, 0, true
	case specs.ActTrap:
		return retTrap, 0, true
	case specs.ActAllow:
		return retAllow, 0, true
	case specs.ActLog:
		return retLog, 0, true
	case specs.ActNotify:
		return retNotify, 0, true
	case specs.ActErrno:
		return retErrno, maxErrno, true
	case specs.ActTrace:
		return retTrace, 1<<16 - 1, true
	}
	return 0, 0, false
}

// verdict is what an action that [Check] has found right makes a filter return. EPERM is the errno
// where none is given.
func verdict(action specs.LinuxSeccompAction, errno *uint) uint32 {
	v, most, _ := actionValue(action)
	switch {
	case most == 0:
		return v
	case errno == nil:
		return v | uint32(unix.EPERM)
	}
	return v | uint32(*errno)
}

// permissive reports whether a default action lets unknown system calls through, or to a tracer
// that knows better.
func permissive(v uint32) bool {
	switch v &^ 0xffff {
	case retAllow, retLog, retTrace:
		return true
	}
	return false
}

// Flags of seccomp(2).
const (
	FlagTSYNC            = unix.SECCOMP_FILTER_FLAG_TSYNC
	FlagLog              = unix.SECCOMP_FILTER_FLAG_LOG
	FlagSpecAllow        = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	FlagNewListener      = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	FlagWaitKillableRecv = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV // Linux 5.19
)

const flagTSYNC specs.LinuxSeccompFlag = "SECCOMP_FILTER_FLAG_TSYNC"

func flagBit(f specs.LinuxSeccompFlag) uint32 {
	switch f {
	case flagTSYNC:
		return FlagTSYNC
	case specs.LinuxSeccompFlagLog:
		return FlagLog
	case specs.LinuxSeccompFlagSpecAllow:
		return FlagSpecAllow
	case specs.LinuxSeccompFlagWaitKillableRecv:
		return FlagWaitKillableRecv
	}
	return 0
}
