package stats

import (
	"errors"
	"math"
	"syscall"
)

// A Source reads a file of the container's cgroup in one hierarchy.
type Source func(file string) (string, error)

// Sources says where to read.
type Sources struct {
	V1        func(controller string) Source // nil for a controller that is not on v1
	V2        Source                         // nil without a cgroup2 tree
	PageSizes []string                       // of huge pages, "2MB"
}

// Collect reads all that there is. Files that a kernel does not have count as zero; a cgroup that
// is removed meanwhile as well.
func Collect(from Sources) (*Stats, error) {
	s := &Stats{Hugetlb: map[string]Hugetlb{}, IntelRDT: struct{}{}}
	c := &collector{from: from, s: s}
	c.cpu()
	c.cpuset()
	c.memory()
	c.pids()
	c.blkio()
	c.hugetlb()
	return s, c.err
}

// collector keeps the first error, so that the readers below need not look at each.
type collector struct {
	from Sources
	s    *Stats
	err  error
}

func (c *collector) v1(controller string) Source {
	if c.from.V1 == nil {
		return nil
	}
	return c.from.V1(controller)
}

// text reads a file; absent ones are empty.
func (c *collector) text(src Source, file string) string {
	if src == nil {
		return ""
	}
	text, err := src(file)
	switch {
	case err == nil:
		return text
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EOPNOTSUPP):
		// Not in this kernel, or gone, or switched off (pressure stall information).
	default:
		c.fail(err)
	}
	return ""
}

func (c *collector) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// number reads a file of one number; "max" is the largest one.
func (c *collector) number(src Source, file string) uint64 {
	n, err := parseNumber(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return n
}

func (c *collector) table(src Source, file string) map[string]uint64 {
	t, err := parseTable(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return t
}

func (c *collector) psi(file string) *PSI {
	p, err := parsePSI(c.text(c.from.V2, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return p
}

func (c *collector) cpu() {
	cpu, acct := c.v1("cpu"), c.v1("cpuacct")
	out := &c.s.CPU
	out.PSI = c.psi("cpu.pressure")
	if cpu != nil {
		t := c.table(cpu, "cpu.stat")
		out.Throttling = Throttling{t["nr_periods"], t["nr_throttled"], t["throttled_time"]}
	}
	if acct != nil {
		out.Usage.Total = c.number(acct, "cpuacct.usage")
		out.Usage.User = c.number(acct, "cpuacct.usage_user")
		out.Usage.Kernel = c.number(acct, "cpuacct.usage_sys")
		out.Usage.PerCPU = c.list(acct, "cpuacct.usage_percpu")
		out.Usage.PerCPUUser = c.list(acct, "cpuacct.usage_percpu_user")
		out.Usage.PerCPUKernel = c.list(acct, "cpuacct.usage_percpu_sys")
	}
	if cpu == nil && acct == nil {
		t := c.table(c.from.V2, "cpu.stat") // in microseconds
		out.Usage = CPUUsage{Total: t["usage_usec"] * 1000, User: t["user_usec"] * 1000, Kernel: t["system_usec"] * 1000}
		out.Throttling = Throttling{t["nr_periods"], t["nr_throttled"], t["throttled_usec"] * 1000}
	}
}

func (c *collector) list(src Source, file string) []uint64 {
	l, err := parseList(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return l
}

func (c *collector) ranges(src Source, file string) []uint16 {
	l, err := parseRanges(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return l
}

func (c *collector) cpuset() {
	src := c.v1("cpuset")
	if src == nil {
		c.s.CPUSet.CPUs = c.ranges(c.from.V2, "cpuset.cpus.effective")
		c.s.CPUSet.Mems = c.ranges(c.from.V2, "cpuset.mems.effective")
		return
	}
	level, err := parseSigned(c.text(src, "cpuset.sched_relax_domain_level"))
	if err != nil {
		c.fail(fileError("cpuset.sched_relax_domain_level", err))
	}
	c.s.CPUSet = CPUSet{
		CPUs:                  c.ranges(src, "cpuset.cpus"),
		CPUExclusive:          c.number(src, "cpuset.cpu_exclusive"),
		Mems:                  c.ranges(src, "cpuset.mems"),
		MemHardwall:           c.number(src, "cpuset.mem_hardwall"),
		MemExclusive:          c.number(src, "cpuset.mem_exclusive"),
		MemoryMigrate:         c.number(src, "cpuset.memory_migrate"),
		MemorySpreadPage:      c.number(src, "cpuset.memory_spread_page"),
		MemorySpreadSlab:      c.number(src, "cpuset.memory_spread_slab"),
		MemoryPressure:        c.number(src, "cpuset.memory_pressure"),
		SchedLoadBalance:      c.number(src, "cpuset.sched_load_balance"),
		SchedRelaxDomainLevel: level,
	}
}

func (c *collector) memory() {
	out := &c.s.Memory
	out.PSI = c.psi("memory.pressure")
	src := c.v1("memory")
	if src == nil {
		c.memoryV2()
		return
	}
	entry := func(prefix string) MemoryEntry {
		return MemoryEntry{
			Limit:   c.number(src, prefix+".limit_in_bytes"),
			Usage:   c.number(src, prefix+".usage_in_bytes"),
			Max:     c.number(src, prefix+".max_usage_in_bytes"),
			Failcnt: c.number(src, prefix+".failcnt"),
		}
	}
	out.Raw = c.table(src, "memory.stat")
	out.Cache = out.Raw["cache"]
	out.Usage = entry("memory")
	out.Swap = entry("memory.memsw")
	out.Kernel = entry("memory.kmem")
	out.KernelTCP = entry("memory.kmem.tcp")
}

func (c *collector) memoryV2() {
	src, out := c.from.V2, &c.s.Memory
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
	out.Usage.Failcnt = c.table(src, "memory.events")["max"]
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

func (c *collector) pids() {
	src := c.v1("pids")
	if src == nil {
		src = c.from.V2
	}
	c.s.Pids = Pids{Current: c.number(src, "pids.current"), Limit: c.number(src, "pids.max")}
	if c.s.Pids.Limit == math.MaxUint64 {
		c.s.Pids.Limit = 0
	}
}

func (c *collector) blkio() {
	out := &c.s.BlkIO
	out.PSI = c.psi("io.pressure")
	src := c.v1("blkio")
	if src == nil {
		var err error
		if out.ServiceBytes, out.Serviced, err = parseIOStat(c.text(c.from.V2, "io.stat")); err != nil {
			c.fail(fileError("io.stat", err))
		}
		return
	}
	entries := func(file string) []BlkIOEntry {
		list, err := parseBlkIO(c.text(src, file))
		if err != nil {
			c.fail(fileError(file, err))
		}
		return list
	}
	// The scheduler's own numbers where it keeps any, else those of the throttling layer, which
	// sees every request.
	if out.Serviced = entries("blkio.bfq.io_serviced_recursive"); len(out.Serviced) == 0 {
		out.Serviced = entries("blkio.throttle.io_serviced_recursive")
		out.ServiceBytes = entries("blkio.throttle.io_service_bytes_recursive")
		return
	}
	out.ServiceBytes = entries("blkio.bfq.io_service_bytes_recursive")
	out.Queued = entries("blkio.bfq.io_queued_recursive")
	out.ServiceTime = entries("blkio.bfq.io_service_time_recursive")
	out.WaitTime = entries("blkio.bfq.io_wait_time_recursive")
	out.Merged = entries("blkio.bfq.io_merged_recursive")
	out.Time = entries("blkio.bfq.time_recursive")
	out.Sectors = entries("blkio.bfq.sectors_recursive")
}

// hugetlb reports reservations where the kernel counts them, since those are what is limited first.
func (c *collector) hugetlb() {
	src := c.v1("hugetlb")
	for _, size := range c.from.PageSizes {
		prefix := "hugetlb." + size
		if src != nil {
			counted := prefix
			if c.text(src, prefix+".rsvd.usage_in_bytes") != "" {
				counted += ".rsvd"
			}
			if c.text(src, counted+".usage_in_bytes") == "" {
				continue
			}
			c.s.Hugetlb[size] = Hugetlb{
				Usage:   c.number(src, counted+".usage_in_bytes"),
				Max:     c.number(src, counted+".max_usage_in_bytes"),
				Failcnt: c.number(src, counted+".failcnt"),
			}
			continue
		}
		counted := prefix + ".rsvd.current"
		if c.text(c.from.V2, counted) == "" {
			counted = prefix + ".current"
		}
		if c.text(c.from.V2, counted) == "" {
			continue
		}
		c.s.Hugetlb[size] = Hugetlb{
			Usage:   c.number(c.from.V2, counted),
			Failcnt: c.table(c.from.V2, prefix+".events")["max"],
		}
	}
}
