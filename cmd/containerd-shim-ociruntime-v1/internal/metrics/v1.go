package metrics

import (
	v1 "github.com/containerd/cgroups/v3/cgroup1/stats"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// V1 is the message for cgroup v1.
func V1(s *stats.Stats) *v1.Metrics {
	m := &v1.Metrics{
		MemoryOomControl: &v1.MemoryOomControl{},
		Pids:             &v1.PidsStat{Current: s.Pids.Current, Limit: s.Pids.Limit},
		CPU: &v1.CPUStat{
			Usage: &v1.CPUUsage{
				Total: s.CPU.Usage.Total, Kernel: s.CPU.Usage.Kernel, User: s.CPU.Usage.User, PerCPU: s.CPU.Usage.PerCPU,
			},
			Throttling: &v1.Throttle{
				Periods: s.CPU.Throttling.Periods, ThrottledPeriods: s.CPU.Throttling.ThrottledPeriods,
				ThrottledTime: s.CPU.Throttling.ThrottledTime,
			},
		},
		Memory: &v1.MemoryStat{
			Usage: entryV1(s.Memory.Usage), Swap: entryV1(s.Memory.Swap),
			Kernel: entryV1(s.Memory.Kernel), KernelTCP: entryV1(s.Memory.KernelTCP),
		},
		Blkio: &v1.BlkIOStat{
			IoServiceBytesRecursive: blkioV1(s.BlkIO.ServiceBytes), IoServicedRecursive: blkioV1(s.BlkIO.Serviced),
			IoQueuedRecursive: blkioV1(s.BlkIO.Queued), IoServiceTimeRecursive: blkioV1(s.BlkIO.ServiceTime),
			IoWaitTimeRecursive: blkioV1(s.BlkIO.WaitTime), IoMergedRecursive: blkioV1(s.BlkIO.Merged),
			IoTimeRecursive: blkioV1(s.BlkIO.Time), SectorsRecursive: blkioV1(s.BlkIO.Sectors),
		},
	}
	fill(m.Memory.ProtoReflect(), s.Memory.Raw, map[string]string{
		"pg_pg_in": "pgpgin", "pg_pg_out": "pgpgout", "pg_fault": "pgfault", "pg_maj_fault": "pgmajfault",
		"total_pg_pg_in": "total_pgpgin", "total_pg_pg_out": "total_pgpgout",
		"total_pg_fault": "total_pgfault", "total_pg_maj_fault": "total_pgmajfault",
		"hierarchical_swap_limit": "hierarchical_memsw_limit",
	})
	fill(m.MemoryOomControl.ProtoReflect(), s.Memory.Events, nil)
	m.Hugetlb = hugetlb(s, func(size string) *v1.HugetlbStat { return &v1.HugetlbStat{Pagesize: size} })
	adapter := func(device string) *v1.RdmaEntry { return &v1.RdmaEntry{Device: device} }
	m.Rdma = &v1.RdmaStat{Current: rdma(s.RDMA.Current, adapter), Limit: rdma(s.RDMA.Limit, adapter)}
	m.Network = network(s, func(name string) *v1.NetworkStat { return &v1.NetworkStat{Name: name} })
	return m
}

func entryV1(e stats.MemoryEntry) *v1.MemoryEntry {
	return &v1.MemoryEntry{Limit: e.Limit, Usage: e.Usage, Max: e.Max, Failcnt: e.Failcnt}
}

func blkioV1(list []stats.BlkIOEntry) []*v1.BlkIOEntry {
	var all []*v1.BlkIOEntry
	for _, e := range list {
		all = append(all, &v1.BlkIOEntry{Op: e.Op, Major: e.Major, Minor: e.Minor, Value: e.Value})
	}
	return all
}
