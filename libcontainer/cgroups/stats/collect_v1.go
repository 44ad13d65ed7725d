package stats

// What cgroup v1 tells, with a file for each number.

func (c *collector) cpuV1(cpu, acct Source) {
	out := &c.s.CPU
	if cpu != nil {
		t := c.table(cpu, "cpu.stat")
		out.Throttling = Throttling{t["nr_periods"], t["nr_throttled"], t["throttled_time"]}
		out.Bursts = Bursts{t["nr_bursts"], t["burst_time"]}
	}
	if acct != nil {
		out.Usage.Total = c.number(acct, "cpuacct.usage")
		out.Usage.User = c.number(acct, "cpuacct.usage_user")
		out.Usage.Kernel = c.number(acct, "cpuacct.usage_sys")
		out.Usage.PerCPU = c.list(acct, "cpuacct.usage_percpu")
		out.Usage.PerCPUUser = c.list(acct, "cpuacct.usage_percpu_user")
		out.Usage.PerCPUKernel = c.list(acct, "cpuacct.usage_percpu_sys")
	}
}

func (c *collector) cpusetV1(src Source) {
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

func (c *collector) memoryV1(src Source) {
	out := &c.s.Memory
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
	out.Events = c.table(src, "memory.oom_control")
	out.Usage = entry("memory")
	out.Swap = entry("memory.memsw")
	out.Kernel = entry("memory.kmem")
	out.KernelTCP = entry("memory.kmem.tcp")
}

func (c *collector) blkioV1(src Source) {
	out := &c.s.BlkIO
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

func (c *collector) hugetlbV1(src Source, size string) {
	counted := "hugetlb." + size
	if c.text(src, counted+".rsvd.usage_in_bytes") != "" {
		counted += ".rsvd"
	}
	if c.text(src, counted+".usage_in_bytes") == "" {
		return
	}
	c.s.Hugetlb[size] = Hugetlb{
		Usage:   c.number(src, counted+".usage_in_bytes"),
		Max:     c.number(src, counted+".max_usage_in_bytes"),
		Failcnt: c.number(src, counted+".failcnt"),
	}
}
