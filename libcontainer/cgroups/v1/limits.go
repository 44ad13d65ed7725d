package v1

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Compiler turns limits into writes to the files of v1 controllers. It implements backend.Compiler.
type Compiler struct{}

var _ backend.Compiler = Compiler{}

// Pids limits the number of processes. The controller refuses a fork, not a move, so that the init
// of a cgroup without room for any can still move in.
func (Compiler) Pids(limit int64, from string) backend.Write {
	return backend.Write{Controller: "pids", File: "pids.max", Value: backend.OrMax(limit), From: from}
}

// Memory keeps an order: at every moment memory may be at most memory and swap together, so that in
// a new cgroup, memory comes first.
func (Compiler) Memory(m *specs.LinuxMemory, from string) ([]backend.Write, error) {
	var list []backend.Write
	put := func(file, value, name string) *backend.Write {
		list = append(list, backend.Write{Controller: "memory", File: file, Value: value, From: from + "." + name})
		return &list[len(list)-1]
	}
	if backend.Given(m.Limit) {
		w := put("memory.limit_in_bytes", backend.Itoa(*m.Limit), "limit")
		*w = backend.MemoryLimit(m, *w, "memory.usage_in_bytes", "memory.max_usage_in_bytes")
	}
	if backend.Given(m.Reservation) {
		put("memory.soft_limit_in_bytes", backend.Itoa(*m.Reservation), "reservation")
	}
	const swapFile = "memory.memsw.limit_in_bytes"
	switch {
	case backend.Given(m.Swap):
		w := put(swapFile, backend.Itoa(*m.Swap), "swap")
		w.Optional = *m.Swap == -1
		w.Hint = "the kernel was started without swap accounting"
	case backend.Given(m.Limit) && *m.Limit == -1:
		put(swapFile, "-1", "limit").Optional = true
	}
	if m.Swappiness != nil {
		put("memory.swappiness", backend.Utoa(*m.Swappiness), "swappiness")
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		put("memory.oom_control", "1", "disableOOMKiller")
	}
	return list, nil
}

// CPU sets the real-time budget first: it must be there before a real-time process may come in.
func (Compiler) CPU(r *specs.LinuxCPU, from string) ([]backend.Write, error) {
	var list []backend.Write
	put := func(file, value, name string) *backend.Write {
		list = append(list, backend.Write{Controller: "cpu", File: file, Value: value, From: from + "." + name})
		return &list[len(list)-1]
	}
	const hint = "this kernel has no real-time group scheduling"
	if backend.Given(r.RealtimePeriod) {
		put("cpu.rt_period_us", backend.Utoa(*r.RealtimePeriod), "realtimePeriod").Hint = hint
	}
	if backend.Given(r.RealtimeRuntime) {
		put("cpu.rt_runtime_us", backend.Itoa(*r.RealtimeRuntime), "realtimeRuntime").Hint = hint
	}
	idleWrite, idle := backend.CPUIdle(r, from)
	list = append(list, idleWrite...)
	if backend.Given(r.Shares) {
		// The kernel would silently take the nearest value that it allows.
		switch {
		case *r.Shares < 2:
			return nil, fmt.Errorf("%s.shares: %d: the minimum allowed cpu-shares is 2", from, *r.Shares)
		case *r.Shares > 262144:
			return nil, fmt.Errorf("%s.shares: %d: the maximum allowed cpu-shares is 262144", from, *r.Shares)
		case !idle:
			put("cpu.shares", backend.Utoa(*r.Shares), "shares")
		}
	}
	if backend.Given(r.Period) {
		put("cpu.cfs_period_us", backend.Utoa(*r.Period), "period")
	}
	if backend.Given(r.Quota) {
		put("cpu.cfs_quota_us", backend.Itoa(*r.Quota), "quota")
	}
	if r.Burst != nil {
		put("cpu.cfs_burst_us", backend.Utoa(*r.Burst), "burst").Optional = true
	}
	return list, nil
}

// Cpuset sets cpuset.cpus or cpuset.mems. A hierarchy mounted with "noprefix", as Android does,
// spells it without the controller.
func (Compiler) Cpuset(name, list, from string) backend.Write {
	w := backend.Write{Controller: "cpuset", File: name, Value: list, From: from}
	plain := w
	w.File, w.Else = "cpuset."+name, &plain
	return w
}

// Hugepages names the files that limit huge pages.
func (Compiler) Hugepages(size string) (used, reserved string) {
	return "hugetlb." + size + ".limit_in_bytes", "hugetlb." + size + ".rsvd.limit_in_bytes"
}
