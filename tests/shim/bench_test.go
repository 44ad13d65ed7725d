package shim

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// tick is the unit of times in /proc/PID/stat (USER_HZ), in milliseconds.
const tick = 10

// perOp reports the daemon's CPU time.
func (p *pod) perOp(b *testing.B, do func()) {
	b.Helper()
	own, _ := p.cpu()
	b.ResetTimer()
	do()
	b.StopTimer()
	after, _ := p.cpu()
	b.ReportMetric(float64(after-own)*tick/float64(b.N), "cpu-ms/op")
	b.Logf("%v", p.figures())
}

// docker gives a bundle the profile that Docker and containerd give to every container: three
// quarters of its configuration.
func docker(b *testing.B, c *harness.Bundle) *harness.Bundle {
	b.Helper()
	profile, err := os.ReadFile("../../libcontainer/seccomp/testdata/docker.json")
	if err == nil {
		err = json.Unmarshal(profile, &c.Spec.Linux.Seccomp)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkExec is a process from its announcement to its deletion.
func BenchmarkExec(b *testing.B) {
	p := newPod(b)
	c := docker(b, p.bundle().Args("sleep", "100000"))
	p.run(c, streams{})
	p.perOp(b, func() {
		for i := range b.N {
			if status, err := p.exec(c.ID, fmt.Sprint("x", i), streams{}, "true"); status != 0 || err != nil {
				b.Fatal(status, err)
			}
		}
	})
}

// BenchmarkLife is a container from its creation to its deletion in a shim that is there already.
func BenchmarkLife(b *testing.B) {
	p := newPod(b)
	p.run(p.bundle().Args("sleep", "100000"), streams{})
	c := docker(b, p.bundle().Args("true")).Save()
	p.perOp(b, func() {
		for range b.N {
			p.life(c)
		}
	})
}

// life creates a container, runs it to its end and deletes it.
func (p *pod) life(b *harness.Bundle) {
	p.t.Helper()
	p.must("Create", &api.CreateTaskRequest{ID: b.ID, Bundle: b.Dir, Options: p.packed()}, &api.CreateTaskResponse{})
	p.must("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
	p.wait(b.ID, "")
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
}

// BenchmarkState is what containerd asks most often.
func BenchmarkState(b *testing.B) {
	p := newPod(b)
	c := p.bundle().Args("sleep", "100000")
	p.run(c, streams{})
	p.perOp(b, func() {
		for range b.N {
			p.must("State", &api.StateRequest{ID: c.ID}, &api.StateResponse{})
		}
	})
	p.done("Kill", &api.KillRequest{ID: c.ID, Signal: uint32(unix.SIGKILL)})
}
