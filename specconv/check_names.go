package specconv

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The functions here give the kernel's number for a name in config.json; ok is
// false for a name that the specification does not have.

// NamespaceFlag is the CLONE_NEW* flag of a type of namespace.
func NamespaceFlag(t specs.LinuxNamespaceType) (flag uint64, ok bool) {
	switch t {
	case specs.PIDNamespace:
		return unix.CLONE_NEWPID, true
	case specs.NetworkNamespace:
		return unix.CLONE_NEWNET, true
	case specs.MountNamespace:
		return unix.CLONE_NEWNS, true
	case specs.IPCNamespace:
		return unix.CLONE_NEWIPC, true
	case specs.UTSNamespace:
		return unix.CLONE_NEWUTS, true
	case specs.UserNamespace:
		return unix.CLONE_NEWUSER, true
	case specs.CgroupNamespace:
		return unix.CLONE_NEWCGROUP, true
	case specs.TimeNamespace:
		return unix.CLONE_NEWTIME, true
	}
	return 0, false
}

// schedulerPolicy gives the policy of sched_setattr(2). SCHED_ISO has a number
// in the kernel's headers and nothing behind it.
func schedulerPolicy(p specs.LinuxSchedulerPolicy) (policy uint32, ok bool) {
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

func schedulerFlag(f specs.LinuxSchedulerFlag) (flag uint64, ok bool) {
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

// ioPriorityClass gives the class of ioprio_set(2), to be shifted by 13.
func ioPriorityClass(c specs.IOPriorityClass) (class int, ok bool) {
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

// memoryPolicyMode gives the mode of set_mempolicy(2).
func memoryPolicyMode(m specs.MemoryPolicyModeType) (mode int, ok bool) {
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

// memoryPolicyFlag gives a flag of set_mempolicy(2), to be or'ed to the mode.
func memoryPolicyFlag(f specs.MemoryPolicyFlagType) (flag int, ok bool) {
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

// rootfsPropagation gives the propagation type that linux.rootfsPropagation
// names.
func rootfsPropagation(name string) (p MountPropagation, ok bool) {
	row, ok := findMountOption(name)
	switch {
	case !ok:
	case row.kind == optPropagation:
		return MountPropagation{Type: row.bits}, true
	case row.kind == optRecPropagation:
		return MountPropagation{Type: row.bits, Recursive: true}, true
	}
	return MountPropagation{}, false
}
