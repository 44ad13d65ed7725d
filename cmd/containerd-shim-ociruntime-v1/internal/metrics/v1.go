package metrics

import (
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// The messages of cgroup v1.
type (
	metricsV1 struct {
		Hugetlb []*hugetlbV1 `pb:"1"`
		Pids    *pids        `pb:"2"`
		CPU     *cpuV1       `pb:"3"`
		Memory  *memoryV1    `pb:"4"`
		BlkIO   *blkIO       `pb:"5"`
		RDMA    *rdma        `pb:"6"`
		Network []*network   `pb:"7"`
		OOM     *oomV1       `pb:"9"`
	}

	hugetlbV1 struct {
		Usage   uint64 `pb:"1"`
		Max     uint64 `pb:"2"`
		Failcnt uint64 `pb:"3"`
		Size    string `pb:"4"`
	}

	cpuV1 struct {
		Usage      *usageV1    `pb:"1"`
		Throttling *throttling `pb:"2"`
	}

	usageV1 struct {
		Total  uint64   `pb:"1"`
		Kernel uint64   `pb:"2"`
		User   uint64   `pb:"3"`
		PerCPU []uint64 `pb:"4"`
	}

	throttling struct {
		Periods          uint64 `pb:"1"`
		ThrottledPeriods uint64 `pb:"2"`
		ThrottledTime    uint64 `pb:"3"`
	}

	memoryV1 struct {
		Lines     [len(memoryLinesV1)]uint64 `pb:"1"`
		Usage     *memoryEntry               `pb:"33"`
		Swap      *memoryEntry               `pb:"34"`
		Kernel    *memoryEntry               `pb:"35"`
		KernelTCP *memoryEntry               `pb:"36"`
	}

	memoryEntry struct {
		Limit   uint64 `pb:"1"`
		Usage   uint64 `pb:"2"`
		Max     uint64 `pb:"3"`
		Failcnt uint64 `pb:"4"`
	}

	oomV1 struct {
		Lines [len(oomLinesV1)]uint64 `pb:"1"`
	}

	blkIO struct {
		ServiceBytes []*blkIOEntry `pb:"1"`
		Serviced     []*blkIOEntry `pb:"2"`
		Queued       []*blkIOEntry `pb:"3"`
		ServiceTime  []*blkIOEntry `pb:"4"`
		WaitTime     []*blkIOEntry `pb:"5"`
		Merged       []*blkIOEntry `pb:"6"`
		Time         []*blkIOEntry `pb:"7"`
		Sectors      []*blkIOEntry `pb:"8"`
	}

	blkIOEntry struct {
		Op    string `pb:"1"`
		Major uint64 `pb:"3"`
		Minor uint64 `pb:"4"`
		Value uint64 `pb:"5"`
	}
)

// The lines of memory.stat and memory.oom_control in the order of their fields.
var (
	memoryLinesV1 = [...]string{
		"cache", "rss", "rss_huge", "mapped_file", "dirty", "writeback", "pgpgin", "pgpgout", "pgfault", "pgmajfault",
		"inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable",
		"hierarchical_memory_limit", "hierarchical_memsw_limit",
		"total_cache", "total_rss", "total_rss_huge", "total_mapped_file", "total_dirty", "total_writeback",
		"total_pgpgin", "total_pgpgout", "total_pgfault", "total_pgmajfault",
		"total_inactive_anon", "total_active_anon", "total_inactive_file", "total_active_file", "total_unevictable",
	}
	oomLinesV1 = [...]string{"oom_kill_disable", "under_oom", "oom_kill"}
)

// V1 is the message for cgroup v1.
func V1(s *stats.Stats) *api.Any {
	u, t := &s.CPU.Usage, &s.CPU.Throttling
	m := &metricsV1{
		Pids: &pids{s.Pids.Current, s.Pids.Limit},
		CPU: &cpuV1{
			&usageV1{u.Total, u.Kernel, u.User, u.PerCPU},
			&throttling{t.Periods, t.ThrottledPeriods, t.ThrottledTime},
		},
		Memory: &memoryV1{
			Usage: entryV1(s.Memory.Usage), Swap: entryV1(s.Memory.Swap),
			Kernel: entryV1(s.Memory.Kernel), KernelTCP: entryV1(s.Memory.KernelTCP),
		},
		BlkIO: &blkIO{
			ServiceBytes: blkIOV1(s.BlkIO.ServiceBytes), Serviced: blkIOV1(s.BlkIO.Serviced),
			Queued: blkIOV1(s.BlkIO.Queued), ServiceTime: blkIOV1(s.BlkIO.ServiceTime),
			WaitTime: blkIOV1(s.BlkIO.WaitTime), Merged: blkIOV1(s.BlkIO.Merged),
			Time: blkIOV1(s.BlkIO.Time), Sectors: blkIOV1(s.BlkIO.Sectors),
		},
		RDMA: rdmaOf(s), Network: networkOf(s), OOM: &oomV1{},
		Hugetlb: hugetlb(s, func(size string, h stats.Hugetlb) *hugetlbV1 {
			return &hugetlbV1{h.Usage, h.Max, h.Failcnt, size}
		}),
	}
	pick(m.Memory.Lines[:], memoryLinesV1[:], s.Memory.Raw)
	pick(m.OOM.Lines[:], oomLinesV1[:], s.Memory.Events)
	return pack("io.containerd.cgroups.v1.Metrics", m)
}

func entryV1(e stats.MemoryEntry) *memoryEntry {
	return &memoryEntry{Limit: e.Limit, Usage: e.Usage, Max: e.Max, Failcnt: e.Failcnt}
}

func blkIOV1(list []stats.BlkIOEntry) (all []*blkIOEntry) {
	for _, e := range list {
		all = append(all, &blkIOEntry{Op: e.Op, Major: e.Major, Minor: e.Minor, Value: e.Value})
	}
	return all
}
