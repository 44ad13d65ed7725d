package metrics

import (
	"math"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

func sample() *stats.Stats {
	return &stats.Stats{
		CPU: stats.CPU{
			Usage:      stats.CPUUsage{Total: 5000, User: 3000, Kernel: 2000},
			Throttling: stats.Throttling{Periods: 4, ThrottledPeriods: 2, ThrottledTime: 7000},
			Bursts:     stats.Bursts{Periods: 8, Time: 9000}, PSI: &stats.PSI{Some: stats.Pressure{Total: 9}},
		},
		Memory: stats.Memory{
			Usage: stats.MemoryEntry{Limit: 100, Usage: 10, Max: 20}, Swap: stats.MemoryEntry{Limit: math.MaxUint64, Usage: 15, Max: 26},
			Events: map[string]uint64{"oom_kill": 21, "high": 22, "under_oom": 1},
			Raw: map[string]uint64{
				"cache": 1, "total_pgmajfault": 2, "hierarchical_memsw_limit": 3, "anon": 4, "slab_reclaimable": 5,
				"workingset_refault_anon": 6, "workingset_refault_file": 7,
			},
		},
		Pids: stats.Pids{Current: 2, Limit: 3},
		BlkIO: stats.BlkIO{
			ServiceBytes: []stats.BlkIOEntry{{Major: 8, Op: "Read", Value: 11}, {Major: 8, Op: "Write", Value: 12}},
			Serviced:     []stats.BlkIOEntry{{Major: 8, Op: "Read", Value: 13}, {Major: 9, Op: "Write", Value: 14}},
		},
		RDMA: stats.RDMA{
			Current: []stats.RDMAEntry{{Device: "mlx4_0", Handles: 2, Objects: 3}}, Limit: []stats.RDMAEntry{{Device: "mlx4_0", Objects: math.MaxUint32}},
		},
		Hugetlb:           map[string]stats.Hugetlb{"2MB": {Usage: 1}},
		NetworkInterfaces: []stats.NetworkInterface{{Name: "eth0", TxBytes: 5}},
	}
}

func TestV1(t *testing.T) {
	m := V1(sample())
	for name, c := range map[string][2]uint64{
		"cpu":       {m.CPU.Usage.Total, 5000},
		"throttled": {m.CPU.Throttling.ThrottledTime, 7000},
		"cache":     {m.Memory.Cache, 1},
		"faults":    {m.Memory.TotalPgMajFault, 2},
		"swap":      {m.Memory.HierarchicalSwapLimit, 3},
		"usage":     {m.Memory.Usage.Usage, 10},
		"together":  {m.Memory.Swap.Usage, 15},
		"io":        {m.Blkio.IoServiceBytesRecursive[1].Value, 12},
		"pids":      {m.Pids.Limit, 3},
		"huge":      {m.Hugetlb[0].Usage, 1},
		"network":   {m.Network[0].TxBytes, 5},
		"oom kills": {m.MemoryOomControl.OomKill, 21},
		"under oom": {m.MemoryOomControl.UnderOom, 1},
		"rdma":      {uint64(m.Rdma.Current[0].HcaHandles), 2},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, not %d", name, c[0], c[1])
		}
	}
}

func TestV2(t *testing.T) {
	m := V2(sample())
	for name, c := range map[string][2]uint64{
		"cpu":        {m.CPU.UsageUsec, 5},
		"system":     {m.CPU.SystemUsec, 2},
		"pressure":   {m.CPU.PSI.Some.Total, 9},
		"anon":       {m.Memory.Anon, 4},
		"slab":       {m.Memory.SlabReclaimable, 5},
		"refault":    {m.Memory.WorkingsetRefault, 13},
		"swap":       {m.Memory.SwapUsage, 5},
		"swap limit": {m.Memory.SwapLimit, math.MaxUint64},
		"max":        {m.Memory.MaxUsage, 20},
		"reads":      {m.Io.Usage[0].Rios, 13},
		"writes":     {m.Io.Usage[1].Wios, 14},
		"written":    {m.Io.Usage[0].Wbytes, 12},
		"bursts":     {m.CPU.NrBursts, 8},
		"burst time": {m.CPU.BurstUsec, 9},
		"swap peak":  {m.Memory.SwapMaxUsage, 6},
		"oom kills":  {m.MemoryEvents.OomKill, 21},
		"high":       {m.MemoryEvents.High, 22},
		"rdma limit": {uint64(m.Rdma.Limit[0].HcaObjects), math.MaxUint32},
		"huge":       {m.Hugetlb[0].Current, 1},
		"network":    {m.Network[0].TxBytes, 5},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, not %d", name, c[0], c[1])
		}
	}
}
