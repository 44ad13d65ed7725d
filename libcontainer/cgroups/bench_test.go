package cgroups

import (
	"path/filepath"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func BenchmarkCreateRemove(b *testing.B) {
	b.Run("here", func(b *testing.B) { benchmarkCreate(b, needRoot(b)) })
	b.Run("v2", func(b *testing.B) { benchmarkCreate(b, v2Only(b)) })
}

func benchmarkCreate(b *testing.B, host *Layout) {
	res := &specs.LinuxResources{}
	if len(host.V1) > 0 {
		limit, shares, pids := int64(64<<20), uint64(512), int64(100)
		res.Memory = &specs.LinuxMemory{Limit: &limit}
		res.CPU = &specs.LinuxCPU{Shares: &shares}
		res.Pids = &specs.LinuxPids{Limit: &pids}
	}
	keep := create(b, host, nil) // the parent is there already, as it is with engines
	name := "/" + filepath.Base(filepath.Dir(keep.nodes[0].Dir().Path)) + "/bench"
	spent := make([]time.Duration, 5)
	lap := func(i int, since *time.Time) {
		now := time.Now()
		spent[i] += now.Sub(*since)
		*since = now
	}
	for b.Loop() {
		at := time.Now()
		if _, err := Probe(); err != nil {
			b.Fatal(err)
		}
		lap(0, &at)
		set, err := Compile(res, host)
		if err != nil {
			b.Fatal(err)
		}
		lap(1, &at)
		cg, err := Create(host, Config{Path: name, Settings: set})
		if err != nil {
			b.Fatal(err)
		}
		lap(2, &at)
		in, err := cg.Enter()
		if err != nil {
			b.Fatal(err)
		}
		in.Close()
		lap(3, &at)
		if err := cg.Remove(time.Second); err != nil {
			b.Fatal(err)
		}
		lap(4, &at)
	}
	for i, what := range []string{"probe", "compile", "create", "enter", "remove"} {
		b.ReportMetric(float64(spent[i].Microseconds())/float64(b.N), what+"-µs")
	}
}
