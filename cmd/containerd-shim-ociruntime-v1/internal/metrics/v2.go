package metrics

import (
	"maps"
	"math"
	"slices"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// The messages of cgroup v2.
type (
	metricsV2 struct {
		Pids    *pids        `pb:"1"`
		CPU     *cpuV2       `pb:"2"`
		Memory  *memoryV2    `pb:"4"`
		RDMA    *rdma        `pb:"5"`
		IO      *ioV2        `pb:"6"`
		Hugetlb []*hugetlbV2 `pb:"7"`
		Events  *eventsV2    `pb:"8"`
		Network []*network   `pb:"9"`
	}

	cpuV2 struct {
		Usage         uint64 `pb:"1"`
		User          uint64 `pb:"2"`
		System        uint64 `pb:"3"`
		Periods       uint64 `pb:"4"`
		Throttled     uint64 `pb:"5"`
		ThrottledTime uint64 `pb:"6"`
		PSI           *psi   `pb:"7"`
		Bursts        uint64 `pb:"8"`
		BurstTime     uint64 `pb:"9"`
	}

	memoryV2 struct {
		Lines     [len(memoryLinesV2)]uint64 `pb:"1"`
		Usage     uint64                     `pb:"32"`
		Limit     uint64                     `pb:"33"`
		SwapUsage uint64                     `pb:"34"`
		SwapLimit uint64                     `pb:"35"`
		Max       uint64                     `pb:"36"`
		SwapMax   uint64                     `pb:"37"`
		PSI       *psi                       `pb:"38"`
	}

	eventsV2 struct {
		Lines [len(eventLinesV2)]uint64 `pb:"1"`
	}

	psi struct {
		Some *pressure `pb:"1"`
		Full *pressure `pb:"2"`
	}

	pressure struct {
		Avg10  float64 `pb:"1"`
		Avg60  float64 `pb:"2"`
		Avg300 float64 `pb:"3"`
		Total  uint64  `pb:"4"`
	}

	ioV2 struct {
		Usage []*ioEntry `pb:"1"`
		PSI   *psi       `pb:"2"`
	}

	ioEntry struct {
		Major   uint64 `pb:"1"`
		Minor   uint64 `pb:"2"`
		Read    uint64 `pb:"3"`
		Written uint64 `pb:"4"`
		Reads   uint64 `pb:"5"`
		Writes  uint64 `pb:"6"`
	}

	hugetlbV2 struct {
		Current uint64 `pb:"1"`
		Max     uint64 `pb:"2"`
		Size    string `pb:"3"`
		Failcnt uint64 `pb:"4"`
	}
)

// The lines of memory.stat and memory.events in the order of their fields.
var (
	memoryLinesV2 = [...]string{
		"anon", "file", "kernel_stack", "slab", "sock", "shmem", "file_mapped", "file_dirty", "file_writeback", "anon_thp",
		"inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable", "slab_reclaimable", "slab_unreclaimable",
		"pgfault", "pgmajfault", "workingset_refault", "workingset_activate", "workingset_nodereclaim",
		"pgrefill", "pgscan", "pgsteal", "pgactivate", "pgdeactivate", "pglazyfree", "pglazyfreed",
		"thp_fault_alloc", "thp_collapse_alloc",
	}
	eventLinesV2 = [...]string{"low", "high", "max", "oom", "oom_kill", "oom_group_kill"}
)

// V2 is the message for cgroup v2. Its times are in microseconds, and its swap is without memory.
func V2(s *stats.Stats) *api.Any {
	const micro = 1000
	u, t, usage, swap := &s.CPU.Usage, &s.CPU.Throttling, &s.Memory.Usage, &s.Memory.Swap
	m := &metricsV2{
		Pids: &pids{s.Pids.Current, s.Pids.Limit},
		CPU: &cpuV2{
			Usage: u.Total / micro, User: u.User / micro, System: u.Kernel / micro,
			Periods: t.Periods, Throttled: t.ThrottledPeriods, ThrottledTime: t.ThrottledTime / micro,
			PSI: psiOf(s.CPU.PSI), Bursts: s.CPU.Bursts.Periods, BurstTime: s.CPU.Bursts.Time / micro,
		},
		Memory: &memoryV2{
			Usage: usage.Usage, Limit: usage.Limit, Max: usage.Max,
			SwapUsage: less(swap.Usage, usage.Usage), SwapLimit: less(swap.Limit, usage.Limit), SwapMax: less(swap.Max, usage.Max),
			PSI: psiOf(s.Memory.PSI),
		},
		Events: &eventsV2{}, IO: &ioV2{ioOf(&s.BlkIO), psiOf(s.BlkIO.PSI)}, RDMA: rdmaOf(s), Network: networkOf(s),
		Hugetlb: hugetlb(s, func(size string, h stats.Hugetlb) *hugetlbV2 {
			return &hugetlbV2{h.Usage, h.Max, size, h.Failcnt}
		}),
	}
	pick(m.Memory.Lines[:], memoryLinesV2[:], together(s.Memory.Raw))
	pick(m.Events.Lines[:], eventLinesV2[:], s.Memory.Events)
	return pack("io.containerd.cgroups.v2.Metrics", m)
}

// together adds up what has two lines each since Linux 5.9, one for anonymous pages and one for
// files.
func together(lines map[string]uint64) map[string]uint64 {
	if len(lines) == 0 || lines["workingset_refault"] != 0 {
		return lines
	}
	lines = maps.Clone(lines)
	for _, name := range []string{"workingset_refault", "workingset_activate"} {
		lines[name] = lines[name+"_anon"] + lines[name+"_file"]
	}
	return lines
}

// less takes memory off from memory and swap together; no limit stays none.
func less(together, memory uint64) uint64 {
	if together == math.MaxUint64 || together < memory {
		return together
	}
	return together - memory
}

func psiOf(p *stats.PSI) *psi {
	if p == nil {
		return nil
	}
	some, full := pressure(p.Some), pressure(p.Full)
	return &psi{&some, &full}
}

// ioOf puts the numbers of a device together.
func ioOf(b *stats.BlkIO) (all []*ioEntry) {
	entry := func(e stats.BlkIOEntry) *ioEntry {
		i := slices.IndexFunc(all, func(x *ioEntry) bool { return x.Major == e.Major && x.Minor == e.Minor })
		if i < 0 {
			i = len(all)
			all = append(all, &ioEntry{Major: e.Major, Minor: e.Minor})
		}
		return all[i]
	}
	for _, e := range b.ServiceBytes {
		switch e.Op {
		case "Read":
			entry(e).Read = e.Value
		case "Write":
			entry(e).Written = e.Value
		}
	}
	for _, e := range b.Serviced {
		switch e.Op {
		case "Read":
			entry(e).Reads = e.Value
		case "Write":
			entry(e).Writes = e.Value
		}
	}
	return all
}
