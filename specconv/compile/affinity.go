package compile

import (
	"bytes"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// affinity sets the CPUs of an exec'd process: `initial` before it enters the container's cgroup,
// `final` afterwards. It returns whether the list names any.
func (c *compiler) affinity(from string, a *specs.CPUAffinity, initial bool) bool {
	if a == nil {
		return false
	}
	list := a.Final
	if initial {
		list = a.Initial
	}
	mask := cpuMask(list)
	if len(mask) == 0 {
		return false
	}
	c.Step(from, "run on the CPUs "+list,
		plan.Sys(plan.SysSchedSetaffinity, plan.Num(0), plan.Num(int64(8*len(mask))), plan.Bytes(plan.Uint64s(mask...), list)))
	return true
}

// maxCPUs is more than any kernel is built for: CONFIG_NR_CPUS goes up to 8192. Of a longer mask
// the kernel takes what it has room for, and what is missing in a shorter one counts as 0.
const maxCPUs = 8192

// allCPUs undoes the affinity of the caller, an engine's CPUAffinity= for one: the container runs
// wherever its cpuset lets it. Since Linux 6.2 joining a cpuset no longer does that: the kernel
// keeps what was asked for, and takes what both have (sched_setaffinity(2)). Where a sandbox
// forbids the call, the process stays where it is.
func (c *compiler) allCPUs() {
	all := bytes.Repeat([]byte{0xff}, maxCPUs/8)
	c.Step("default", "run on every CPU of the cpuset",
		plan.Sys(plan.SysSchedSetaffinity, plan.Num(0), plan.Num(maxCPUs/8), plan.Bytes(all, "all")).Allowing(unix.EPERM, unix.ENOSYS))
}

// cpuMask turns a checked list ("0-3, 7") into a mask of as many words as it needs.
func cpuMask(list string) []uint64 {
	var mask []uint64
	_ = names.EachListRange(list, func(first, last int) {
		for ; first <= last; first++ {
			for len(mask) <= first/64 {
				mask = append(mask, 0)
			}
			mask[first/64] |= 1 << (first % 64)
		}
	})
	return mask
}

// CPUs is a checked list of CPUs as sched_setaffinity(2) takes it.
func CPUs(list string) *unix.CPUSet {
	set := new(unix.CPUSet)
	_ = names.EachListRange(list, func(first, last int) {
		for ; first <= last; first++ {
			set.Set(first)
		}
	})
	return set
}
