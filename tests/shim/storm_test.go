package shim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// Processes that are executed while the init ends: each call has an answer, each process an end,
// and the events keep their order, which is checked when the pod's service for events ends.
func TestExecsAgainstExit(t *testing.T) {
	rounds := 20
	if long() {
		rounds = 200
	}
	p := newPod(t)
	keep := p.bundle().Args("sleep", "1000")
	p.run(keep, streams{}) // so that the daemon stays
	for range rounds {
		b := p.bundle().Args("usleep", fmt.Sprint(rand.IntN(40_000)))
		p.run(b, streams{})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				id := fmt.Sprint("x", i)
				if p.addExec(b.ID, id, streams{}, "true") != nil {
					return // too late
				}
				if p.call("Start", &api.StartRequest{ID: b.ID, ExecID: id}, &api.StartResponse{}) == nil {
					_ = p.call("Kill", &api.KillRequest{ID: b.ID, ExecID: id, Signal: uint32(unix.SIGKILL)}, &emptypb.Empty{})
				}
				// Of a process that could not be started, too.
				if err := p.call("Wait", &api.WaitRequest{ID: b.ID, ExecID: id}, &api.WaitResponse{}); err != nil {
					t.Errorf("wait for %s: %v", id, err)
				}
			})
		}
		p.wait(b.ID, "")
		all.Wait()
		p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
		p.events.await(t, "delete", b.ID, "")
	}
}

// Processes that are announced and not started cost nothing after a moment, and start as others do.
func TestExecsNotStarted(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000")
	p.run(b, streams{})
	harness.Eventually(t, "what the start leaves to do", func() bool { return p.figures().files <= 12+5 })
	before := p.figures().files
	const n = 20
	for i := range n {
		if err := p.addExec(b.ID, fmt.Sprint("x", i), streams{}, "true"); err != nil {
			t.Fatal(err)
		}
	}
	if files := p.figures().files; files > before+100 {
		t.Errorf("%d descriptors, were %d", files, before)
	}
	harness.Eventually(t, "the end of what was prepared", func() bool { return p.figures().files <= before })
	for i := range n {
		id := fmt.Sprint("x", i)
		if i%2 == 0 {
			p.must("Start", &api.StartRequest{ID: b.ID, ExecID: id}, &api.StartResponse{})
			if status := p.wait(b.ID, id); status != 0 {
				t.Errorf("%s: exit status %d", id, status)
			}
		}
		p.must("Delete", &api.DeleteRequest{ID: b.ID, ExecID: id}, &api.DeleteResponse{})
	}
}

// A container that is paused after a process was announced has no further process.
func TestExecOfPaused(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000")
	p.run(b, streams{})
	if err := p.addExec(b.ID, "x", streams{}, "true"); err != nil {
		t.Fatal(err)
	}
	p.done("Pause", &api.PauseRequest{ID: b.ID})
	err := p.call("Start", &api.StartRequest{ID: b.ID, ExecID: "x"}, &api.StartResponse{})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "cannot exec in a paused container") {
		t.Errorf("start: %v", err)
	}
	p.done("Resume", &api.ResumeRequest{ID: b.ID})
	p.must("Start", &api.StartRequest{ID: b.ID, ExecID: "x"}, &api.StartResponse{})
	if status := p.wait(b.ID, "x"); status != 0 {
		t.Errorf("exit status %d", status)
	}
	p.must("Delete", &api.DeleteRequest{ID: b.ID, ExecID: "x"}, &api.DeleteResponse{})
}

// A crash loop: a pod's daemon is after many containers what it was after ten.
func TestManyContainersInOnePod(t *testing.T) {
	n := 60
	if long() {
		n = 1000
	}
	p := newPod(t)
	p.run(p.bundle().Args("sleep", "1000"), streams{})
	b := p.bundle().Args("true").Save()
	for range 10 {
		p.life(b)
	}
	time.Sleep(harness.Patience(time.Second))
	before := p.figures()
	for range n {
		p.life(b)
	}
	time.Sleep(harness.Patience(time.Second))
	after := p.figures()
	t.Logf("after 10: %v", before)
	t.Logf("after %d: %v", n, after)
	// The tables of Go's runtime, once only, the kernel may make a huge page of.
	if after.threads > 8 || after.files > before.files || after.anonymous > before.anonymous+1024+after.huge-before.huge {
		t.Error("the daemon has grown")
	}
}

// Many pods of three containers.
func TestManyPods(t *testing.T) {
	n := 4
	if long() {
		n = 50
	}
	var pods []*pod
	for range n {
		p := newPod(t)
		for range 3 {
			p.run(p.bundle().Args("sleep", "1000"), streams{})
		}
		pods = append(pods, p)
	}
	time.Sleep(harness.Patience(time.Second))
	var sum figures
	for _, p := range pods {
		f := p.figures()
		sum.anonymous += f.anonymous
		sum.pss += f.pss
		if f.threads > 8 || f.files > 12+5*3 {
			t.Errorf("%v", f)
		}
	}
	t.Logf("%d pods of 3 containers: each %d KB anonymous, %d KB PSS", n, sum.anonymous/n, sum.pss/n)
}

// An idle daemon does nothing.
func TestIdle(t *testing.T) {
	p := newPod(t)
	p.run(p.bundle().Args("sleep", "1000"), streams{})
	time.Sleep(harness.Patience(2500 * time.Millisecond)) // what the start leaves to do
	switches := func() string {
		return harness.StatusField(p.pid, "voluntary_ctxt_switches") + " " + harness.StatusField(p.pid, "nonvoluntary_ctxt_switches")
	}
	own, _ := p.cpu()
	before := switches()
	time.Sleep(3 * time.Second)
	if after, _ := p.cpu(); after != own || switches() != before {
		t.Errorf("CPU time %d ticks, before %d; switches %s, before %s", after, own, switches(), before)
	}
}
