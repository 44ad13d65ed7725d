package metrics

import (
	"maps"
	"math"
	"slices"

	v2 "github.com/containerd/cgroups/v3/cgroup2/stats"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// V2 is the message for cgroup v2. Its times are in microseconds, and its swap is without memory.
func V2(s *stats.Stats) *v2.Metrics {
	const micro = 1000
	m := &v2.Metrics{
		Pids: &v2.PidsStat{Current: s.Pids.Current, Limit: s.Pids.Limit},
		CPU: &v2.CPUStat{
			UsageUsec: s.CPU.Usage.Total / micro, UserUsec: s.CPU.Usage.User / micro, SystemUsec: s.CPU.Usage.Kernel / micro,
			NrPeriods: s.CPU.Throttling.Periods, NrThrottled: s.CPU.Throttling.ThrottledPeriods,
			ThrottledUsec: s.CPU.Throttling.ThrottledTime / micro, PSI: psi(s.CPU.PSI),
		},
		Memory: &v2.MemoryStat{
			Usage: s.Memory.Usage.Usage, UsageLimit: s.Memory.Usage.Limit, MaxUsage: s.Memory.Usage.Max,
			SwapUsage: less(s.Memory.Swap.Usage, s.Memory.Usage.Usage), SwapLimit: less(s.Memory.Swap.Limit, s.Memory.Usage.Limit),
			PSI: psi(s.Memory.PSI),
		},
		Io: &v2.IOStat{Usage: ioV2(&s.BlkIO), PSI: psi(s.BlkIO.PSI)},
	}
	fill(m.Memory.ProtoReflect(), s.Memory.Raw, nil)
	if m.Memory.WorkingsetRefault == 0 { // since Linux 5.9 there are two
		m.Memory.WorkingsetRefault = s.Memory.Raw["workingset_refault_anon"] + s.Memory.Raw["workingset_refault_file"]
		m.Memory.WorkingsetActivate = s.Memory.Raw["workingset_activate_anon"] + s.Memory.Raw["workingset_activate_file"]
	}
	for _, size := range slices.Sorted(maps.Keys(s.Hugetlb)) {
		h := s.Hugetlb[size]
		m.Hugetlb = append(m.Hugetlb, &v2.HugeTlbStat{Pagesize: size, Current: h.Usage, Max: h.Max, Failcnt: h.Failcnt})
	}
	for _, n := range s.NetworkInterfaces {
		m.Network = append(m.Network, &v2.NetworkStat{
			Name: n.Name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors, RxDropped: n.RxDropped,
			TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped,
		})
	}
	return m
}

// less takes memory off from memory and swap together; no limit stays none.
func less(together, memory uint64) uint64 {
	if together == math.MaxUint64 || together < memory {
		return together
	}
	return together - memory
}

func psi(p *stats.PSI) *v2.PSIStats {
	if p == nil {
		return nil
	}
	data := func(p stats.Pressure) *v2.PSIData {
		return &v2.PSIData{Avg10: p.Avg10, Avg60: p.Avg60, Avg300: p.Avg300, Total: p.Total}
	}
	return &v2.PSIStats{Some: data(p.Some), Full: data(p.Full)}
}

// ioV2 puts the numbers of a device together.
func ioV2(b *stats.BlkIO) []*v2.IOEntry {
	var all []*v2.IOEntry
	entry := func(e stats.BlkIOEntry) *v2.IOEntry {
		i := slices.IndexFunc(all, func(x *v2.IOEntry) bool { return x.Major == e.Major && x.Minor == e.Minor })
		if i < 0 {
			i = len(all)
			all = append(all, &v2.IOEntry{Major: e.Major, Minor: e.Minor})
		}
		return all[i]
	}
	for _, e := range b.ServiceBytes {
		switch e.Op {
		case "Read":
			entry(e).Rbytes = e.Value
		case "Write":
			entry(e).Wbytes = e.Value
		}
	}
	for _, e := range b.Serviced {
		switch e.Op {
		case "Read":
			entry(e).Rios = e.Value
		case "Write":
			entry(e).Wios = e.Value
		}
	}
	return all
}
