package shim

import (
	"bufio"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	runc "github.com/containerd/containerd/api/types/runc/options"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// counter begins with a number, and adds one to it whenever it is asked for the next.
const counter = `i=$0; while read -r x; do i=$((i+1)); echo "$x $i"; done; exit 9`

// dialogue is a container's stdin and stdout.
type dialogue struct {
	t       *testing.T
	in, out *os.File
	lines   *bufio.Reader
	streams
}

func newDialogue(t *testing.T) *dialogue {
	t.Helper()
	dir := harness.TempDir(t)
	d := &dialogue{t: t, streams: streams{in: filepath.Join(dir, "in"), out: filepath.Join(dir, "out")}}
	open := func(path string) *os.File {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	d.in = open(d.streams.in)
	d.out = open(d.streams.out)
	d.lines = bufio.NewReader(d.out)
	return d
}

// ask expects the container to count.
func (d *dialogue) ask(word string, count int) {
	d.t.Helper()
	d.say(word)
	d.expect(word + " " + strconv.Itoa(count))
}

func (d *dialogue) say(word string) {
	d.t.Helper()
	if _, err := d.in.WriteString(word + "\n"); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dialogue) expect(want string) {
	d.t.Helper()
	if err := d.out.SetReadDeadline(time.Now().Add(harness.Patience(callTime))); err != nil {
		d.t.Fatal(err)
	}
	line, err := d.lines.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != want {
		d.t.Fatalf("%q, %v, not %q", line, err, want)
	}
}

// checkpoint pauses a container and dumps it, as containerd's clients do.
func (p *pod) checkpoint(id, images string, o *runc.CheckpointOptions) error {
	p.t.Helper()
	options, err := anypb.New(o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.done("Pause", &api.PauseRequest{ID: id})
	return p.call("Checkpoint", &api.CheckpointTaskRequest{ID: id, Path: images, Options: options}, &emptypb.Empty{})
}

// createFrom announces a container that is to be restored.
func (p *pod) createFrom(b *harness.Bundle, s streams, images string, terminal bool) {
	p.t.Helper()
	p.connect(b)
	var a api.CreateTaskResponse
	p.must("Create", &api.CreateTaskRequest{
		ID: b.ID, Bundle: b.Dir, Options: p.packed(), Checkpoint: images,
		Stdin: s.in, Stdout: s.out, Stderr: s.err, Terminal: terminal,
	}, &a)
	if a.Pid != 0 {
		p.t.Errorf("before its start a container to be restored has the pid %d", a.Pid)
	}
}

func TestCheckpoint(t *testing.T) {
	harness.NeedCRIU(t)
	p := newPod(t)
	b := p.bundle().Args("sh", "-c", counter, "0")
	d := newDialogue(t)
	p.run(b, d.streams)
	d.ask("one", 1)

	images := filepath.Join(harness.TempDir(t), "images")
	work := filepath.Join(harness.TempDir(t), "work")
	if err := p.checkpoint(b.ID, images, &runc.CheckpointOptions{WorkPath: work}); err != nil {
		t.Fatal(err)
	}
	p.done("Resume", &api.ResumeRequest{ID: b.ID})
	d.ask("two", 2)

	images = filepath.Join(harness.TempDir(t), "images")
	if err := p.checkpoint(b.ID, images, &runc.CheckpointOptions{Exit: true}); err != nil {
		t.Fatal(err)
	}
	if status := p.wait(b.ID, ""); status != 128+int(unix.SIGKILL) {
		t.Errorf("exit status %d", status)
	}
	if err := p.call("Resume", &api.ResumeRequest{ID: b.ID}, &emptypb.Empty{}); err == nil {
		t.Error("what a checkpoint has ended was resumed")
	}
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
	p.events.await(t, "delete", b.ID, "")
	var told []string
	for _, e := range p.events.list() {
		told = append(told, e.topic)
	}
	want := "create start paused checkpointed resumed paused checkpointed exit delete"
	if got := strings.Join(told, " "); got != want {
		t.Errorf("events: %s, not %s", got, want)
	}

	// In another shim, with other streams.
	p = newPod(t)
	b2 := p.bundle().Args("sh", "-c", counter, "0")
	d = newDialogue(t)
	p.createFrom(b2, d.streams, images, false)
	p.must("Start", &api.StartRequest{ID: b2.ID}, &api.StartResponse{})
	t.Cleanup(func() { p.remove(b2.ID) })
	d.ask("three", 3)
	if status, err := p.exec(b2.ID, "x", streams{}, "sh", "-c", "exit 4"); status != 4 || err != nil {
		t.Errorf("exec: %d, %v", status, err)
	}
	d.in.Close()
	p.done("CloseIO", &api.CloseIORequest{ID: b2.ID, Stdin: true})
	if status := p.wait(b2.ID, ""); status != 9 {
		t.Errorf("exit status %d", status)
	}
	p.must("Delete", &api.DeleteRequest{ID: b2.ID}, &api.DeleteResponse{})
}

func TestCheckpointOfTerminal(t *testing.T) {
	harness.NeedCRIU(t)
	p := newPod(t)
	b := p.bundle().Sh(`stty -echo; echo ready; while read -r x; do stty size; done`)
	d := newDialogue(t)
	p.connect(b)
	p.must("Create", &api.CreateTaskRequest{
		ID: b.ID, Bundle: b.Dir, Options: p.packed(), Stdin: d.streams.in, Stdout: d.streams.out, Terminal: true,
	}, &api.CreateTaskResponse{})
	t.Cleanup(func() { p.remove(b.ID) })
	p.must("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
	d.expect("ready")
	images := filepath.Join(harness.TempDir(t), "images")
	if err := p.checkpoint(b.ID, images, &runc.CheckpointOptions{Exit: true}); err != nil {
		t.Fatal(err)
	}
	p.wait(b.ID, "")
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})

	p = newPod(t)
	b.ID += "-again"
	if err := os.Remove(filepath.Join(b.Dir, "log")); err != nil {
		t.Fatal(err)
	}
	b.Spec.Annotations = p.bundle().Spec.Annotations
	d = newDialogue(t)
	p.createFrom(b, d.streams, images, true)
	p.done("ResizePty", &api.ResizePtyRequest{ID: b.ID, Width: 91, Height: 17})
	p.must("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
	t.Cleanup(func() { p.remove(b.ID) })
	d.say("size")
	d.expect("17 91")
	p.done("ResizePty", &api.ResizePtyRequest{ID: b.ID, Width: 92, Height: 18})
	d.say("size")
	d.expect("18 92")
}

// After a restore that fails, or was not even tried, the container can be deleted, and nothing of
// it is left.
func TestNotRestored(t *testing.T) {
	p := newPod(t)
	images := harness.TempDir(t)
	for _, try := range []bool{false, true} {
		b := p.bundle().Args("true")
		p.createFrom(b, streams{}, images, false)
		err := p.call("Kill", &api.KillRequest{ID: b.ID, Signal: uint32(unix.SIGKILL)}, &emptypb.Empty{})
		// What is not found, clients take for dead, and wait for its exit.
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("kill: %v", err)
		}
		if try {
			err := p.call("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
			if err == nil || !strings.Contains(err.Error(), "inventory.img") {
				t.Errorf("restored from an empty directory: %v", err)
			}
			p.wait(b.ID, "")
		}
		p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
	}
	for _, e := range p.events.list() {
		if e.topic != "create" && e.topic != "delete" {
			t.Errorf("%v", e)
		}
	}
}

// What is left when the daemon is killed in the middle of a restore or of a dump, the shim's delete
// removes, too.
func TestKilledWithCRIU(t *testing.T) {
	harness.NeedCRIU(t)
	rounds, most := 6, 800*time.Millisecond
	if long() {
		rounds = 60
	}
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000")
	p.run(b, streams{})
	images := filepath.Join(harness.TempDir(t), "images")
	if err := p.checkpoint(b.ID, images, &runc.CheckpointOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range rounds {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			p := newPod(t)
			b := p.bundle().Args("sleep", "1000")
			p.connect(b)
			call := func(ctx context.Context, method string, q, a proto.Message) bool {
				return p.client.Call(ctx, service, method, q, a) == nil
			}
			p.killedAfter(rand.N(most), func(ctx context.Context) {
				create := &api.CreateTaskRequest{ID: b.ID, Bundle: b.Dir, Options: p.packed()}
				if i%2 == 0 {
					create.Checkpoint = images
				}
				if !call(ctx, "Create", create, &api.CreateTaskResponse{}) || !call(ctx, "Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{}) {
					return
				}
				call(ctx, "Checkpoint", &api.CheckpointTaskRequest{ID: b.ID, Path: filepath.Join(b.Dir, "images")}, &emptypb.Empty{})
				call(ctx, "Wait", &api.WaitRequest{ID: b.ID}, &api.WaitResponse{})
			}, b)
		})
	}
}
