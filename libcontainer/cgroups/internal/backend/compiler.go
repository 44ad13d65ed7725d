package backend

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Compiler turns limits into writes to the files of one cgroup version. It need not set Write.V2.
// from is the place of what is compiled in config.json; values are checked already.
type Compiler interface {
	Pids(limit int64, from string) Write
	Memory(m *specs.LinuxMemory, from string) ([]Write, error)
	CPU(r *specs.LinuxCPU, from string) ([]Write, error)
	// Cpuset sets the file of the list name, which is "cpus" or "mems".
	Cpuset(name, list, from string) Write
	BlockIO(b *specs.LinuxBlockIO, from string) ([]Write, error)
	// Hugepages names the files that limit the use and the reservation of pages of a size, as
	// "2MB".
	Hugepages(size string) (used, reserved string)
}

// Given says that an engine meant it: present and not zero.
func Given[N int64 | uint64 | uint32 | uint16](p *N) bool { return p != nil && *p != 0 }

// Itoa is strconv.Itoa for limits that may be negative.
func Itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Utoa is strconv.Itoa for limits that may not.
func Utoa(n uint64) string { return strconv.FormatUint(n, 10) }

// OrMax spells "no limit" for pids.max and all files of v2.
func OrMax(n int64) string {
	if n < 0 {
		return "max"
	}
	return Itoa(n)
}

// DeviceNumbers is "8:0", which begins the line of a device in files of the block I/O controllers.
func DeviceNumbers(d specs.LinuxBlockIODevice) string { return Itoa(d.Major) + ":" + Itoa(d.Minor) }

// CPUIdle sets cpu.idle, which both versions have. It comes before the weight, and an idle cgroup
// has none: the kernel refuses to set it (EINVAL).
func CPUIdle(r *specs.LinuxCPU, from string) (list []Write, idle bool) {
	if r.Idle == nil {
		return nil, false
	}
	return []Write{{
		Controller: "cpu", File: "cpu.idle", Value: Itoa(*r.Idle), From: from + ".idle",
		Optional: *r.Idle == 0, Hint: "it came with Linux 5.15",
	}}, *r.Idle == 1
}

// MemoryLimit is the write of memory.limit. The files of usage and peak are for the error about a
// limit that is too low; the config may ask for a look at them before a limit is lowered.
func MemoryLimit(m *specs.LinuxMemory, w Write, usage, peak string) Write {
	w.Usage, w.Peak = usage, peak
	w.Check = m.CheckBeforeUpdate != nil && *m.CheckBeforeUpdate && *m.Limit > 0
	return w
}

// ForDevice makes the write of a weight that of the weight at a device, "" for the cgroup's own.
// unset is the value that removes it.
func (w Write) ForDevice(device, unset string) Write {
	if device != "" {
		w.Key, w.Unset, w.Value = device, device+" "+unset, device+" "+w.Value
	}
	return w
}

// NoBlockWeight is the hint for a kernel that weighs block I/O in none of its ways.
const NoBlockWeight = "this kernel has no scheduler or cost model that weighs block I/O"
