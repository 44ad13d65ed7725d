package compile

import (
	"bytes"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cpuset"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
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
	mask := maskWords(list)
	if len(mask) == 0 {
		return false
	}
	c.Step(from, "run on the CPUs "+list,
		plan.Sys(plan.SysSchedSetaffinity, plan.Num(0), plan.Num(int64(len(mask))), plan.Bytes(mask, list)))
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

// CPUs is a checked list of CPUs as sched_setaffinity(2) takes it, or of nodes for
// set_mempolicy(2).
func CPUs(list string) *unix.CPUSet {
	set := new(unix.CPUSet)
	_ = cpuset.Each(list, func(first, last int) {
		for ; first <= last; first++ {
			set.Set(first)
		}
	})
	return set
}

// maskWords is the mask of a checked list, in whole longs as the kernel takes it. Of both machines
// that we build for the first byte of a long is the lowest.
func maskWords(list string) []byte {
	mask, _ := cpuset.Mask(list)
	for len(mask)%8 != 0 {
		mask = append(mask, 0)
	}
	return mask
}
