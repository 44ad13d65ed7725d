package shim

import (
	"fmt"
	"sync"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// The life of a container and of a process in it, with the exit statuses that they have.
func TestLife(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Sh("trap 'exit 7' TERM; while :; do sleep 0.01; done")
	p.run(b, streams{})
	status, err := p.exec(b.ID, "x", streams{}, "sh", "-c", "exit 3")
	if status != 3 || err != nil {
		t.Errorf("exec: %d, %v", status, err)
	}
	p.done("Kill", &api.KillRequest{ID: b.ID, Signal: uint32(unix.SIGTERM)})
	if status := p.wait(b.ID, ""); status != 7 {
		t.Errorf("exit status %d", status)
	}
	// containerd forgets, when it starts again, containers without pids and their exit statuses.
	var pids api.PidsResponse
	if p.must("Pids", &api.PidsRequest{ID: b.ID}, &pids); len(pids.Processes) != 1 {
		t.Errorf("a stopped container has the pids %v", pids.Processes)
	}
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
	if n := p.events.await(t, "exit", b.ID, ""); n.status != 7 {
		t.Errorf("%v", n)
	}
}

// However many processes are started at once, the daemon does not grow for good.
func TestManyExecsAtOnce(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000")
	p.run(b, streams{})
	if _, err := p.exec(b.ID, "first", streams{}, "true"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(harness.Patience(time.Second))
	before := p.figures()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			status, err := p.exec(b.ID, fmt.Sprint("x", i), streams{}, "sh", "-c", fmt.Sprint("exit ", i))
			if status != i || err != nil {
				t.Errorf("process %d: %d, %v", i, status, err)
			}
		})
	}
	all.Wait()
	time.Sleep(harness.Patience(time.Second))
	after := p.figures()
	t.Logf("before: %v", before)
	t.Logf("after 100 at once: %v", after)
	if after.threads > 8 {
		t.Errorf("%d threads", after.threads)
	}
	if after.files > before.files {
		t.Errorf("%d descriptors, before %d", after.files, before.files)
	}
}
