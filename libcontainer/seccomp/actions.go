package seccomp

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Verdicts of a filter (SECCOMP_RET_* of linux/seccomp.h). The low 16 bits are data: an errno, or a message for the tracer.
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

// stricter returns the verdict that the kernel itself would prefer of two: as signed numbers, the smaller.
func stricter(a, b uint32) uint32 {
	if int32(a) < int32(b) {
		return a
	}
	return b
}

func isErrno(v uint32) bool { return v&^0xffff == retErrno }

// verdict translates an action. Errors have no place yet: bad is the member that is wrong, "action" or "errno".
func verdict(action specs.LinuxSeccompAction, errno *uint) (v uint32, bad string, err error) {
	limit := uint(0)
	switch action {
	case "":
		return 0, "action", errors.New("missing")
	case specs.ActKill, specs.ActKillThread:
		v = retKillThread
	case specs.ActKillProcess:
		v = retKillProcess
	case specs.ActTrap:
		v = retTrap
	case specs.ActAllow:
		v = retAllow
	case specs.ActLog:
		v = retLog
	case specs.ActNotify:
		v = retNotify
	case specs.ActErrno:
		v, limit = retErrno, maxErrno
	case specs.ActTrace:
		v, limit = retTrace, 0xffff
	default:
		return 0, "action", fmt.Errorf("unknown action %q", action)
	}
	switch {
	case limit == 0 && errno != nil:
		return 0, "errno", fmt.Errorf("%s takes no errno", action)
	case limit == 0:
		return v, "", nil
	case errno == nil:
		return v | uint32(unix.EPERM), "", nil
	case *errno > limit:
		return 0, "errno", fmt.Errorf("%d is above %d", *errno, limit)
	}
	return v | uint32(*errno), "", nil
}

// permissive reports whether a default action lets unknown system calls through, or to a tracer that knows better.
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
