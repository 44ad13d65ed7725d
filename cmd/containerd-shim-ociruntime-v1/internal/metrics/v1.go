// Package metrics says what a container has used in the messages that containerd has for it, one
// for each version of cgroups.
package metrics

import (
	"maps"
	"slices"

	v1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// V1 is the message for cgroup v1.
func V1(s *stats.Stats) *v1.Metrics {
	m := &v1.Metrics{
		Pids: &v1.PidsStat{Current: s.Pids.Current, Limit: s.Pids.Limit},
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
	for _, size := range slices.Sorted(maps.Keys(s.Hugetlb)) {
		h := s.Hugetlb[size]
		m.Hugetlb = append(m.Hugetlb, &v1.HugetlbStat{Pagesize: size, Usage: h.Usage, Max: h.Max, Failcnt: h.Failcnt})
	}
	for _, n := range s.NetworkInterfaces {
		m.Network = append(m.Network, &v1.NetworkStat{
			Name: n.Name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors, RxDropped: n.RxDropped,
			TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped,
		})
	}
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

// fill sets the fields of a message that are called like a line of the kernel's, or, if they stand
// in names, what that says.
func fill(m protoreflect.Message, lines map[string]uint64, names map[string]string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := string(f.Name())
		if line, ok := names[name]; ok {
			name = line
		}
		if n, ok := lines[name]; ok && f.Kind() == protoreflect.Uint64Kind {
			m.Set(f, protoreflect.ValueOfUint64(n))
		}
	}
}
