package shim

import (
	"testing"

	v1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	v2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	api "github.com/containerd/containerd/api/runtime/task/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// limited is a container with limits of memory and processes.
func (p *pod) limited(memory, pids int64) *harness.Bundle {
	p.t.Helper()
	harness.NeedController(p.t, "memory")
	harness.NeedController(p.t, "pids")
	return p.bundle().Edit(func(s *specs.Spec) {
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &memory, Swap: &memory}
		s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &pids}
	})
}

// numbers are those of a container's metrics that both versions have.
type numbers struct{ memoryLimit, memoryUsage, pidsLimit, pids, oomKills uint64 }

func (p *pod) numbers(id string) (n numbers) {
	p.t.Helper()
	var a api.StatsResponse
	p.must("Stats", &api.StatsRequest{ID: id}, &a)
	var err error
	switch a.Stats.TypeUrl {
	case "io.containerd.cgroups.v1.Metrics":
		var m v1.Metrics
		err = proto.Unmarshal(a.Stats.Value, &m)
		n = numbers{m.Memory.Usage.Limit, m.Memory.Usage.Usage, m.Pids.Limit, m.Pids.Current, m.MemoryOomControl.OomKill}
	case "io.containerd.cgroups.v2.Metrics":
		var m v2.Metrics
		err = proto.Unmarshal(a.Stats.Value, &m)
		n = numbers{m.Memory.UsageLimit, m.Memory.Usage, m.Pids.Limit, m.Pids.Current, m.MemoryEvents.OomKill}
	default:
		p.t.Fatalf("stats of type %s", a.Stats.TypeUrl)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// Metrics show the limits, also new ones, and what is used.
func TestStats(t *testing.T) {
	const mb = 1 << 20
	p := newPod(t)
	b := p.limited(64*mb, 20).Args("sleep", "1000")
	p.run(b, streams{})
	n := p.numbers(b.ID)
	if n.memoryLimit != 64*mb || n.pidsLimit != 20 || n.pids != 1 || n.memoryUsage == 0 || n.memoryUsage > 64*mb || n.oomKills != 0 {
		t.Errorf("%+v", n)
	}
	p.done("Update", &api.UpdateTaskRequest{ID: b.ID, Resources: &anypb.Any{Value: []byte(`{"pids":{"limit":30}}`)}})
	if n := p.numbers(b.ID); n.pidsLimit != 30 || n.memoryLimit != 64*mb {
		t.Errorf("after the update: %+v", n)
	}
	if err := p.call("Update", &api.UpdateTaskRequest{ID: b.ID, Resources: &anypb.Any{Value: []byte(`{"pids":7}`)}}, &anypb.Any{}); err == nil {
		t.Error("garbage: no error")
	}
}

// A lack of memory is told before the exit that it has caused, and of a process beside the init.
func TestLackOfMemory(t *testing.T) {
	const eat = "x=a; while :; do x=$x$x; done"
	p := newPod(t)
	b := p.limited(32<<20, 100).Sh(eat)
	p.run(b, streams{})
	if status := p.wait(b.ID, ""); status != 137 {
		t.Errorf("status %d", status)
	}
	p.events.await(t, "oom", b.ID, "") // that it comes in time, the order's checker sees
	beside := p.limited(32<<20, 100).Args("sleep", "1000")
	p.run(beside, streams{})
	if status, err := p.exec(beside.ID, "x", streams{}, "sh", "-c", eat); status != 137 || err != nil {
		t.Errorf("beside the init: %d, %v", status, err)
	}
	p.events.await(t, "oom", beside.ID, "")
	if n := p.numbers(beside.ID); n.oomKills == 0 {
		t.Errorf("%+v", n)
	}
}
