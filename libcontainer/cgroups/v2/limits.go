package v2

import (
	"fmt"
	"math"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Compiler turns limits into writes to the files of v2 controllers. It implements backend.Compiler.
type Compiler struct{}

var _ backend.Compiler = Compiler{}

// Pids limits the number of processes. The init is born inside, so that a cgroup without room for
// any gets its limit after that.
func (Compiler) Pids(limit int64, from string) backend.Write {
	return backend.Write{
		Controller: "pids", File: "pids.max", Value: backend.OrMax(limit), From: from, Late: limit == 0,
	}
}

// Memory limits memory, and swap alone, where config.json has both together. Without swap
// accounting there is no file, and nothing to limit when the value is max or 0.
func (Compiler) Memory(m *specs.LinuxMemory, from string) ([]backend.Write, error) {
	if m.Swappiness != nil {
		return nil, fmt.Errorf("%s.swappiness: cgroup v2 has no swappiness of its own for a cgroup", from)
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		return nil, fmt.Errorf("%s.disableOOMKiller: cgroup v2 cannot disable the OOM killer", from)
	}
	var list []backend.Write
	put := func(file, value, name string) *backend.Write {
		list = append(list, backend.Write{Controller: "memory", File: file, Value: value, From: from + "." + name})
		return &list[len(list)-1]
	}
	if backend.Given(m.Limit) {
		w := put("memory.max", backend.OrMax(*m.Limit), "limit")
		*w = backend.MemoryLimit(m, *w, "memory.current", "memory.peak")
	}
	if backend.Given(m.Reservation) {
		put("memory.low", backend.OrMax(*m.Reservation), "reservation")
	}
	const swapFile, hint = "memory.swap.max", "this kernel has no swap accounting"
	switch {
	case backend.Given(m.Swap) && *m.Swap == -1:
		put(swapFile, "max", "swap").Optional = true
	case backend.Given(m.Swap):
		w := put(swapFile, backend.Itoa(*m.Swap-*m.Limit), "swap")
		w.Optional, w.Hint = *m.Swap == *m.Limit, hint
	case backend.Given(m.Limit) && *m.Limit == -1:
		put(swapFile, "max", "limit").Optional = true
	}
	return list, nil
}

// CPU sets the weight and the quota. There are no limits of real-time processes.
func (Compiler) CPU(r *specs.LinuxCPU, from string) ([]backend.Write, error) {
	if backend.Given(r.RealtimeRuntime) {
		return nil, fmt.Errorf("%s.realtimeRuntime: cgroup v2 has no real-time limits", from)
	}
	if backend.Given(r.RealtimePeriod) {
		return nil, fmt.Errorf("%s.realtimePeriod: cgroup v2 has no real-time limits", from)
	}
	list, idle := backend.CPUIdle(r, from)
	put := func(file, value, name string) *backend.Write {
		list = append(list, backend.Write{Controller: "cpu", File: file, Value: value, From: from + "." + name})
		return &list[len(list)-1]
	}
	if backend.Given(r.Shares) && !idle {
		put("cpu.weight", backend.Utoa(weightOfShares(*r.Shares)), "shares")
	}
	if backend.Given(r.Quota) || backend.Given(r.Period) {
		quota, name := "max", "period"
		if backend.Given(r.Quota) {
			quota, name = backend.OrMax(*r.Quota), "quota"
		}
		period := uint64(100000) // the kernel's default, CFS_BANDWIDTH_SLICE
		if backend.Given(r.Period) {
			period = *r.Period
		}
		put("cpu.max", quota+" "+backend.Utoa(period), name)
	}
	if r.Burst != nil {
		put("cpu.max.burst", backend.Utoa(*r.Burst), "burst").Optional = *r.Burst == 0
	}
	return list, nil
}

// weightOfShares converts v1's cpu.shares (2 to 262144) to cpu.weight (1 to 10000) so that the
// minimum, the default (1024 to 100) and the maximum meet; a quadratic in the logarithm goes
// through the three points.
func weightOfShares(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// Cpuset sets cpuset.cpus or cpuset.mems.
func (Compiler) Cpuset(name, list, from string) backend.Write {
	return backend.Write{Controller: "cpuset", File: "cpuset." + name, Value: list, From: from}
}

// Hugepages names the files that limit huge pages.
func (Compiler) Hugepages(size string) (used, reserved string) {
	return "hugetlb." + size + ".max", "hugetlb." + size + ".rsvd.max"
}
