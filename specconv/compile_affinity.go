package specconv

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// affinity sets the CPUs of an exec'd process: `initial` before it enters the container's cgroup, `final` afterwards.
func (c *compiler) affinity(from string, a *specs.CPUAffinity, initial bool) {
	if a == nil {
		return
	}
	list := a.Final
	if initial {
		list = a.Initial
	}
	mask := cpuMask(list)
	if len(mask) == 0 {
		return
	}
	c.Step(from, "run on the CPUs "+list,
		plan.Sys(plan.SysSchedSetaffinity, plan.Num(0), plan.Num(int64(8*len(mask))), plan.Bytes(plan.Uint64s(mask...), list)))
}

// cpuMask turns a checked list ("0-3, 7") into a mask of as many words as it needs.
func cpuMask(list string) []uint64 {
	var mask []uint64
	_ = eachListRange(list, func(first, last int) {
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
	_ = eachListRange(list, func(first, last int) {
		for ; first <= last; first++ {
			set.Set(first)
		}
	})
	return set
}
