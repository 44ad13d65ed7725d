// Package names gives the kernel's numbers and paths for names in config.json: capabilities,
// rlimits, scheduling policies, sysctls.
package names

import (
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The functions here give the kernel's number for a name in config.json; ok is
// false for a name that the specification does not have.

// SchedulerPolicy gives the policy of sched_setattr(2). SCHED_ISO has a number
// in the kernel's headers and nothing behind it.
func SchedulerPolicy(p specs.LinuxSchedulerPolicy) (policy uint32, ok bool) {
	switch p {
	case specs.SchedOther:
		return 0, true
	case specs.SchedFIFO:
		return 1, true
	case specs.SchedRR:
		return 2, true
	case specs.SchedBatch:
		return 3, true
	case specs.SchedISO:
		return 4, true
	case specs.SchedIdle:
		return 5, true
	case specs.SchedDeadline:
		return 6, true
	}
	return 0, false
}

// SchedulerFlag is the flag of sched_setattr(2) by its name in process.scheduler.
func SchedulerFlag(f specs.LinuxSchedulerFlag) (flag uint64, ok bool) {
	switch f {
	case specs.SchedFlagResetOnFork:
		return unix.SCHED_FLAG_RESET_ON_FORK, true
	case specs.SchedFlagReclaim:
		return unix.SCHED_FLAG_RECLAIM, true
	case specs.SchedFlagDLOverrun:
		return unix.SCHED_FLAG_DL_OVERRUN, true
	case specs.SchedFlagKeepPolicy:
		return unix.SCHED_FLAG_KEEP_POLICY, true
	case specs.SchedFlagKeepParams:
		return unix.SCHED_FLAG_KEEP_PARAMS, true
	case specs.SchedFlagUtilClampMin:
		return unix.SCHED_FLAG_UTIL_CLAMP_MIN, true
	case specs.SchedFlagUtilClampMax:
		return unix.SCHED_FLAG_UTIL_CLAMP_MAX, true
	}
	return 0, false
}

// IOPriorityClass gives the class of ioprio_set(2), to be shifted by 13.
func IOPriorityClass(c specs.IOPriorityClass) (class int, ok bool) {
	switch c {
	case specs.IOPRIO_CLASS_RT:
		return 1, true
	case specs.IOPRIO_CLASS_BE:
		return 2, true
	case specs.IOPRIO_CLASS_IDLE:
		return 3, true
	}
	return 0, false
}

// MemoryPolicyMode gives the mode of set_mempolicy(2).
func MemoryPolicyMode(m specs.MemoryPolicyModeType) (mode int, ok bool) {
	switch m {
	case specs.MpolDefault:
		return unix.MPOL_DEFAULT, true
	case specs.MpolPreferred:
		return unix.MPOL_PREFERRED, true
	case specs.MpolBind:
		return unix.MPOL_BIND, true
	case specs.MpolInterleave:
		return unix.MPOL_INTERLEAVE, true
	case specs.MpolLocal:
		return unix.MPOL_LOCAL, true
	case specs.MpolPreferredMany:
		return unix.MPOL_PREFERRED_MANY, true
	case specs.MpolWeightedInterleave:
		return unix.MPOL_WEIGHTED_INTERLEAVE, true
	}
	return 0, false
}

// MemoryPolicyFlag gives a flag of set_mempolicy(2), to be or'ed to the mode.
func MemoryPolicyFlag(f specs.MemoryPolicyFlagType) (flag int, ok bool) {
	switch f {
	case specs.MpolFStaticNodes:
		return unix.MPOL_F_STATIC_NODES, true
	case specs.MpolFRelativeNodes:
		return unix.MPOL_F_RELATIVE_NODES, true
	case specs.MpolFNumaBalancing:
		return unix.MPOL_F_NUMA_BALANCING, true
	}
	return 0, false
}

// IsRlimit reports whether a name is that of a resource limit.
func IsRlimit(name string) bool {
	_, ok := RlimitNumber(name)
	return ok
}

// RlimitNumber is the number of a limit of process.rlimits (setrlimit(2)).
func RlimitNumber(name string) (int, bool) {
	switch name {
	case "RLIMIT_CPU":
		return unix.RLIMIT_CPU, true
	case "RLIMIT_FSIZE":
		return unix.RLIMIT_FSIZE, true
	case "RLIMIT_DATA":
		return unix.RLIMIT_DATA, true
	case "RLIMIT_STACK":
		return unix.RLIMIT_STACK, true
	case "RLIMIT_CORE":
		return unix.RLIMIT_CORE, true
	case "RLIMIT_RSS":
		return unix.RLIMIT_RSS, true
	case "RLIMIT_NPROC":
		return unix.RLIMIT_NPROC, true
	case "RLIMIT_NOFILE":
		return unix.RLIMIT_NOFILE, true
	case "RLIMIT_MEMLOCK":
		return unix.RLIMIT_MEMLOCK, true
	case "RLIMIT_AS":
		return unix.RLIMIT_AS, true
	case "RLIMIT_LOCKS":
		return unix.RLIMIT_LOCKS, true
	case "RLIMIT_SIGPENDING":
		return unix.RLIMIT_SIGPENDING, true
	case "RLIMIT_MSGQUEUE":
		return unix.RLIMIT_MSGQUEUE, true
	case "RLIMIT_NICE":
		return unix.RLIMIT_NICE, true
	case "RLIMIT_RTPRIO":
		return unix.RLIMIT_RTPRIO, true
	case "RLIMIT_RTTIME":
		return unix.RLIMIT_RTTIME, true
	}
	return 0, false
}

// SysctlPath turns a key into a path: whichever of "." and "/" comes first is the separator, so
// that an interface's name may have dots (net/ipv4/conf/eth0.100/forwarding).
func SysctlPath(key string) string {
	i := strings.IndexAny(key, "./")
	if i < 0 || key[i] == '/' {
		return key
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}

// Absolute is a path of the container from its root on.
func Absolute(p string) string {
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return path.Clean(p) // without a copy where p is clean, as nearly all are
}

// SystemdProperty begins the annotations that become properties of the
// container's systemd unit.
const SystemdProperty = "org.systemd.property."
