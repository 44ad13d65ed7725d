package metrics

import (
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
			NrBursts: s.CPU.Bursts.Periods, BurstUsec: s.CPU.Bursts.Time / micro,
		},
		Memory: &v2.MemoryStat{
			Usage: s.Memory.Usage.Usage, UsageLimit: s.Memory.Usage.Limit, MaxUsage: s.Memory.Usage.Max,
			SwapUsage: less(s.Memory.Swap.Usage, s.Memory.Usage.Usage), SwapLimit: less(s.Memory.Swap.Limit, s.Memory.Usage.Limit),
			SwapMaxUsage: less(s.Memory.Swap.Max, s.Memory.Usage.Max), PSI: psi(s.Memory.PSI),
		},
		MemoryEvents: &v2.MemoryEvents{},
		Io:           &v2.IOStat{Usage: ioV2(&s.BlkIO), PSI: psi(s.BlkIO.PSI)},
	}
	fill(m.Memory.ProtoReflect(), s.Memory.Raw, nil)
	if m.Memory.WorkingsetRefault == 0 { // since Linux 5.9 there are two
		m.Memory.WorkingsetRefault = s.Memory.Raw["workingset_refault_anon"] + s.Memory.Raw["workingset_refault_file"]
		m.Memory.WorkingsetActivate = s.Memory.Raw["workingset_activate_anon"] + s.Memory.Raw["workingset_activate_file"]
	}
	fill(m.MemoryEvents.ProtoReflect(), s.Memory.Events, nil)
	m.Hugetlb = hugetlb(s, func(size string) *v2.HugeTlbStat { return &v2.HugeTlbStat{Pagesize: size} })
	adapter := func(device string) *v2.RdmaEntry { return &v2.RdmaEntry{Device: device} }
	m.Rdma = &v2.RdmaStat{Current: rdma(s.RDMA.Current, adapter), Limit: rdma(s.RDMA.Limit, adapter)}
	m.Network = network(s, func(name string) *v2.NetworkStat { return &v2.NetworkStat{Name: name} })
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
