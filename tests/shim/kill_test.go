package shim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/api/types"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// Whatever the daemon is doing when it is killed, after the shim's delete, which containerd calls
// for each of its containers, nothing is left of them.
func TestKilledAtAnyTime(t *testing.T) {
	rounds := 15
	if long() {
		rounds = 200
	}
	for i := range rounds {
		containers := 1
		if i%5 == 4 {
			containers = 3
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) { killedAtAnyTime(t, containers, i%3 == 2) })
	}
}

func killedAtAnyTime(t *testing.T, containers int, hook bool) {
	p := newPod(t)
	var bundles []*harness.Bundle
	for range containers {
		b := p.bundle().Sh("sleep 0.01")
		if hook {
			b.Edit(func(s *specs.Spec) {
				s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "0.02"}}}}
			})
		}
		p.connect(b)
		bundles = append(bundles, b)
	}
	p.killedAfter(time.Duration(rand.IntN(60*containers))*time.Millisecond, func(ctx context.Context) {
		for _, b := range bundles {
			p.wholeLife(ctx, b)
		}
	}, bundles...)
}

// killedAfter kills the daemon while life makes calls, and sees that delete leaves nothing.
func (p *pod) killedAfter(delay time.Duration, life func(context.Context), bundles ...*harness.Bundle) {
	p.t.Helper()
	p.killedDuring(delay, life)
	for _, b := range bundles {
		p.clean(b)
	}
	p.noSocket()
}

// noSocket sees that none is left.
func (p *pod) noSocket() {
	p.t.Helper()
	sockets, _ := filepath.Glob(p.dir + "/" + strings.Repeat("[0-9a-f]", 64))
	if len(sockets) != 0 {
		p.t.Errorf("sockets %v are left", sockets)
	}
}

// killedDuring kills the daemon while life makes calls.
func (p *pod) killedDuring(delay time.Duration, life func(context.Context)) {
	t := p.t
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	lived := make(chan struct{})
	go func() {
		defer close(lived)
		life(ctx)
	}()
	time.Sleep(delay)
	if err := unix.Kill(p.pid, unix.SIGKILL); err != nil {
		t.Logf("after %v: %v", delay, err)
	}
	cancel()
	<-lived
	// The end of the connection is what containerd goes by.
	closed, done := context.WithTimeout(context.Background(), callTime)
	defer done()
	if err := p.client.UserOnCloseWait(closed); err != nil {
		t.Errorf("the connection does not end: %v", err)
	}
	p.client = nil
	t.Logf("killed after %v", delay)
}

// wholeLife makes all calls of a container's life, until one of them fails.
func (p *pod) wholeLife(ctx context.Context, b *harness.Bundle) {
	call := func(method string, q proto.Message, a proto.Message) bool {
		return p.client.Call(ctx, service, method, q, a) == nil
	}
	// A mount of the root file system over itself does for a snapshot.
	rootfs := []*types.Mount{{Type: "bind", Source: b.Rootfs, Options: []string{"rbind"}}}
	if !call("Create", &api.CreateTaskRequest{ID: b.ID, Bundle: b.Dir, Options: p.packed(), Rootfs: rootfs}, &api.CreateTaskResponse{}) ||
		!call("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{}) {
		return
	}
	// The init may be gone by now.
	_ = p.addExec(b.ID, "x", streams{}, "true")
	call("Start", &api.StartRequest{ID: b.ID, ExecID: "x"}, &api.StartResponse{})
	call("Kill", &api.KillRequest{ID: b.ID, Signal: uint32(unix.SIGKILL), All: true}, &emptypb.Empty{})
	call("Wait", &api.WaitRequest{ID: b.ID}, &api.WaitResponse{})
	call("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
}

// clean is the shim's delete, after which there is nothing of the container.
func (p *pod) clean(b *harness.Bundle) {
	p.t.Helper()
	out, err := p.command(b.Dir, b.ID, "-bundle", b.Dir, "delete").Output()
	var a api.DeleteResponse
	if err == nil {
		err = proto.Unmarshal(out, &a)
	}
	if err != nil {
		p.t.Errorf("delete: %v: %q", err, out)
	}
	if dirs := b.CgroupDirs(); dirs != nil {
		p.t.Errorf("cgroups are left: %v, of processes %v", dirs, harness.CgroupPids(dirs[0]))
	}
	if _, err := os.Stat(filepath.Join(p.options.Root, namespace, b.ID)); err == nil {
		p.t.Error("the container's record is left")
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		p.t.Fatal(err)
	}
	if strings.Contains(string(mounts), b.Rootfs) {
		p.t.Error("the root file system is still mounted")
	}
}

// A container's regular deletion is followed by the shim's delete, which finds nothing to do and
// leaves the pod's daemon alone.
func TestDeleteBesideLivingDaemon(t *testing.T) {
	p := newPod(t)
	first, second := p.bundle().Args("sleep", "1000"), p.bundle().Args("true")
	p.run(first, streams{})
	p.run(second, streams{})
	p.wait(second.ID, "")
	p.must("Delete", &api.DeleteRequest{ID: second.ID}, &api.DeleteResponse{})
	p.clean(second)
	var a api.StateResponse
	p.must("State", &api.StateRequest{ID: first.ID}, &a)
	if a.Status != 2 {
		t.Errorf("the other container is %v", a.Status)
	}
	// The next container's start finds the same daemon.
	third := p.bundle().Args("true")
	p.run(third, streams{})
}
