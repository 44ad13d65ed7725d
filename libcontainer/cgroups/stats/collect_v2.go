package stats

import "math"

// What cgroup v2 tells, in the terms of v1.

func (c *collector) cpuV2(src Source) {
	t := c.table(src, "cpu.stat") // in microseconds
	c.s.CPU.Usage = CPUUsage{Total: t["usage_usec"] * 1000, User: t["user_usec"] * 1000, Kernel: t["system_usec"] * 1000}
	c.s.CPU.Throttling = Throttling{t["nr_periods"], t["nr_throttled"], t["throttled_usec"] * 1000}
	c.s.CPU.Bursts = Bursts{t["nr_bursts"], t["burst_usec"] * 1000}
}

func (c *collector) cpusetV2(src Source) {
	c.s.CPUSet.CPUs = c.ranges(src, "cpuset.cpus.effective")
	c.s.CPUSet.Mems = c.ranges(src, "cpuset.mems.effective")
}

func (c *collector) memoryV2(src Source) {
	out := &c.s.Memory
	out.Raw = c.table(src, "memory.stat")
	out.Cache = out.Raw["file"]
	entry := func(prefix string) MemoryEntry {
		return MemoryEntry{
			Limit: c.number(src, prefix+".max"),
			Usage: c.number(src, prefix+".current"),
			Max:   c.number(src, prefix+".peak"),
		}
	}
	out.Usage = entry("memory")
	out.Events = c.table(src, "memory.events")
	out.Usage.Failcnt = out.Events["max"]
	// Readers expect what v1 reports: memory and swap together. The two peaks need not have come at
	// the same time.
	if swap := entry("memory.swap"); swap != (MemoryEntry{}) {
		out.Swap = MemoryEntry{
			Limit: addCapped(swap.Limit, out.Usage.Limit),
			Usage: swap.Usage + out.Usage.Usage,
			Max:   swap.Max + out.Usage.Max,
		}
	}
}

func addCapped(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

func (c *collector) blkioV2(src Source) {
	var err error
	out := &c.s.BlkIO
	if out.ServiceBytes, out.Serviced, err = parseIOStat(c.text(src, "io.stat")); err != nil {
		c.fail(fileError("io.stat", err))
	}
}

func (c *collector) hugetlbV2(src Source, size string) {
	prefix := "hugetlb." + size
	counted := prefix + ".rsvd.current"
	if c.text(src, counted) == "" {
		counted = prefix + ".current"
	}
	if c.text(src, counted) == "" {
		return
	}
	c.s.Hugetlb[size] = Hugetlb{
		Usage:   c.number(src, counted),
		Failcnt: c.table(src, prefix+".events")["max"],
	}
}
