package cgroups

import (
	"maps"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Merge returns the limits of a container after an update: what change sets, else what base has.
// Zeroes in change that mean "not set" (see Compile) leave base as it is, lists are taken whole,
// device rules always stay.
func Merge(base, change *specs.LinuxResources) *specs.LinuxResources {
	if base == nil {
		base = &specs.LinuxResources{}
	}
	if change == nil {
		change = &specs.LinuxResources{}
	}
	return &specs.LinuxResources{
		Devices:        base.Devices,
		Memory:         mergeMemory(base.Memory, change.Memory),
		CPU:            mergeCPU(base.CPU, change.CPU),
		Pids:           mergePids(base.Pids, change.Pids),
		BlockIO:        mergeBlockIO(base.BlockIO, change.BlockIO),
		HugepageLimits: mergeHugetlb(base.HugepageLimits, change.HugepageLimits),
		Network:        mergeNetwork(base.Network, change.Network),
		Rdma:           mergeMaps(base.Rdma, change.Rdma),
		Unified:        mergeMaps(base.Unified, change.Unified),
	}
}

// pick takes the change's value if it means something, a zero included where it does.
func pick[N int64 | uint64 | uint32 | uint16](base, change *N) *N {
	if backend.Given(change) {
		return change
	}
	return base
}

func pickAny[T any](base, change *T) *T {
	if change != nil {
		return change
	}
	return base
}

func pickList[T any](base, change []T) []T {
	if len(change) > 0 {
		return change
	}
	return base
}

func mergeMaps[V any](base, change map[string]V) map[string]V {
	if len(change) == 0 {
		return base
	}
	merged := maps.Clone(base)
	if merged == nil {
		merged = make(map[string]V, len(change))
	}
	maps.Copy(merged, change)
	return merged
}

func mergeMemory(base, change *specs.LinuxMemory) *specs.LinuxMemory {
	if base == nil || change == nil {
		return pickAny(base, change)
	}
	m := &specs.LinuxMemory{
		Limit:             pick(base.Limit, change.Limit),
		Reservation:       pick(base.Reservation, change.Reservation),
		Swap:              pick(base.Swap, change.Swap),
		Kernel:            pick(base.Kernel, change.Kernel),
		KernelTCP:         pick(base.KernelTCP, change.KernelTCP),
		Swappiness:        pickAny(base.Swappiness, change.Swappiness),
		DisableOOMKiller:  pickAny(base.DisableOOMKiller, change.DisableOOMKiller),
		UseHierarchy:      pickAny(base.UseHierarchy, change.UseHierarchy),
		CheckBeforeUpdate: pickAny(base.CheckBeforeUpdate, change.CheckBeforeUpdate),
	}
	// An old limit of memory and swap together would contradict unlimited memory: swap goes along.
	if backend.Given(change.Limit) && *change.Limit == -1 && !backend.Given(change.Swap) {
		m.Swap = nil
	}
	return m
}

func mergeCPU(base, change *specs.LinuxCPU) *specs.LinuxCPU {
	if base == nil || change == nil {
		return pickAny(base, change)
	}
	c := &specs.LinuxCPU{
		Shares:          pick(base.Shares, change.Shares),
		Quota:           pick(base.Quota, change.Quota),
		Burst:           pickAny(base.Burst, change.Burst),
		Period:          pick(base.Period, change.Period),
		RealtimeRuntime: pick(base.RealtimeRuntime, change.RealtimeRuntime),
		RealtimePeriod:  pick(base.RealtimePeriod, change.RealtimePeriod),
		Cpus:            base.Cpus,
		Mems:            base.Mems,
		Idle:            pickAny(base.Idle, change.Idle),
	}
	if change.Cpus != "" {
		c.Cpus = change.Cpus
	}
	if change.Mems != "" {
		c.Mems = change.Mems
	}
	return c
}

// pids.limit 0 is a limit, so only an absent one leaves base as it is.
func mergePids(base, change *specs.LinuxPids) *specs.LinuxPids {
	if change == nil || change.Limit == nil {
		return base
	}
	return change
}

func mergeBlockIO(base, change *specs.LinuxBlockIO) *specs.LinuxBlockIO {
	if base == nil || change == nil {
		return pickAny(base, change)
	}
	return &specs.LinuxBlockIO{
		Weight:                  pick(base.Weight, change.Weight),
		LeafWeight:              pick(base.LeafWeight, change.LeafWeight),
		WeightDevice:            pickList(base.WeightDevice, change.WeightDevice),
		ThrottleReadBpsDevice:   pickList(base.ThrottleReadBpsDevice, change.ThrottleReadBpsDevice),
		ThrottleWriteBpsDevice:  pickList(base.ThrottleWriteBpsDevice, change.ThrottleWriteBpsDevice),
		ThrottleReadIOPSDevice:  pickList(base.ThrottleReadIOPSDevice, change.ThrottleReadIOPSDevice),
		ThrottleWriteIOPSDevice: pickList(base.ThrottleWriteIOPSDevice, change.ThrottleWriteIOPSDevice),
	}
}

func mergeHugetlb(base, change []specs.LinuxHugepageLimit) []specs.LinuxHugepageLimit {
	merged := slices.Clone(base)
	for _, h := range change {
		i := slices.IndexFunc(merged, func(old specs.LinuxHugepageLimit) bool { return old.Pagesize == h.Pagesize })
		if i < 0 {
			merged = append(merged, h)
			continue
		}
		merged[i] = h
	}
	return merged
}

func mergeNetwork(base, change *specs.LinuxNetwork) *specs.LinuxNetwork {
	if base == nil || change == nil {
		return pickAny(base, change)
	}
	return &specs.LinuxNetwork{
		ClassID:    pick(base.ClassID, change.ClassID),
		Priorities: pickList(base.Priorities, change.Priorities),
	}
}
