package shim

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// fifo makes a fifo as a client of containerd's does.
func (p *pod) fifo(name string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// Output that nobody reads stops its own process, and nothing else.
func TestOutputThatNobodyReads(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Sh("head -c 1000000 /dev/zero; exit 3")
	p.run(b, streams{out: p.fifo("out"), err: p.fifo("err")})
	if status, err := p.exec(b.ID, "x", streams{}, "sh", "-c", "exit 4"); status != 4 || err != nil {
		t.Errorf("another process: %d, %v", status, err)
	}
	var st api.StateResponse
	p.must("State", &api.StateRequest{ID: b.ID}, &st)
	if st.Status != 2 {
		t.Errorf("status %v", st.Status)
	}
	p.must("Pids", &api.PidsRequest{ID: b.ID}, &api.PidsResponse{})
	p.done("Kill", &api.KillRequest{ID: b.ID, Signal: uint32(unix.SIGKILL)})
	if status := p.wait(b.ID, ""); status != 128+int(unix.SIGKILL) {
		t.Errorf("status %d", status)
	}
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
}

// A reader that comes late, goes away and comes back gets all that was written.
func TestReaderComesBack(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Sh("echo one; sleep 0.2; echo two; sleep 1000")
	out := p.fifo("out")
	p.run(b, streams{out: out})
	for _, want := range []string{"one\n", "two\n"} {
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		n, err := f.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v, not %q", buf[:n], err, want)
		}
		f.Close()
	}
}

// Much output takes none of the daemon's time, and arrives whole.
func TestMuchOutput(t *testing.T) {
	size := int64(64 << 20)
	if long() {
		size = 1 << 30
	}
	p := newPod(t)
	b := p.bundle().Sh("head -c " + fmt64(size) + " /dev/zero")
	out := p.fifo("out")
	p.create(b, streams{out: out})
	read := make(chan int64)
	go func() {
		f, err := os.Open(out)
		if err != nil {
			t.Error(err)
			close(read)
			return
		}
		defer f.Close()
		n, _ := io.Copy(io.Discard, f)
		read <- n
	}()
	own, _ := p.cpu()
	p.must("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
	if status := p.wait(b.ID, ""); status != 0 {
		t.Errorf("status %d", status)
	}
	after, _ := p.cpu()
	t.Logf("%d ms of CPU time for %d bytes; %v", (after-own)*tick, size, p.figures())
	// The end of the output comes with the end of the container's last process.
	if n := <-read; n != size {
		t.Errorf("%d bytes of %d", n, size)
	}
}

// Input ends when the client says so, and not when it goes away.
func TestInput(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("cat")
	in, out := p.fifo("in"), "file://"+p.dir+"/out"
	p.run(b, streams{in: in, out: out})
	for _, text := range []string{"one\n", "two\n"} {
		f, err := os.OpenFile(in, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Error(err)
		}
		f.Close()
	}
	time.Sleep(50 * time.Millisecond)
	var st api.StateResponse
	p.must("State", &api.StateRequest{ID: b.ID}, &st)
	if st.Status != 2 {
		t.Errorf("status %v before the input's end", st.Status)
	}
	p.done("CloseIO", &api.CloseIORequest{ID: b.ID, Stdin: true})
	if status := p.wait(b.ID, ""); status != 0 {
		t.Errorf("status %d", status)
	}
	if text, err := os.ReadFile(p.dir + "/out"); err != nil || string(text) != "one\ntwo\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// A client that reads its input to the end while the container is being created asks for that once,
// and says then that the input is over, as nerdctl does: State waits for the creation.
func TestInputThatEndsDuringCreation(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("cat")
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "0.3"}}}}
	p.connect(b)
	in := p.fifo("in")
	var all sync.WaitGroup
	all.Go(func() {
		// The fifo opens when the creation does.
		if err := os.WriteFile(in, []byte("through\n"), 0); err != nil {
			t.Error(err)
		}
		if err := p.call("State", &api.StateRequest{ID: b.ID}, &api.StateResponse{}); err != nil {
			t.Errorf("state during the creation: %v", err)
		}
		if err := p.call("CloseIO", &api.CloseIORequest{ID: b.ID, Stdin: true}, &emptypb.Empty{}); err != nil {
			t.Errorf("the input's end: %v", err)
		}
	})
	p.created(b, streams{in: in, out: "file://" + p.dir + "/out"})
	p.must("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
	all.Wait()
	if status := p.wait(b.ID, ""); status != 0 {
		t.Errorf("status %d", status)
	}
	if text, err := os.ReadFile(p.dir + "/out"); err != nil || string(text) != "through\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// State is answered even if a creation takes for ever: containerd lists all containers with it.
func TestStateWhileCreationIsStuck(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("true")
	hook := p.fifo("hook")
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/cat", Args: []string{"cat", hook}}}}
	p.connect(b)
	var all sync.WaitGroup
	all.Go(func() { p.created(b, streams{}) })
	f, err := os.OpenFile(hook, os.O_WRONLY, 0) // the hook runs
	if err != nil {
		t.Fatal(err)
	}
	if err := p.call("State", &api.StateRequest{ID: b.ID}, &api.StateResponse{}); status.Code(err) != codes.NotFound {
		t.Errorf("state during the creation: %v", err)
	}
	f.Close()
	all.Wait()
	p.must("State", &api.StateRequest{ID: b.ID}, &api.StateResponse{})
}

// A terminal: sizes before and after its start, in any number, and all of much output.
func TestTerminal(t *testing.T) {
	const size = 10 << 20
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000")
	p.run(b, streams{})
	out := p.fifo("out")
	script := "stty size; head -c " + fmt64(size) + " /dev/zero | tr '\\0' x"
	if err := p.addExec(b.ID, "t", streams{out: out, terminal: true}, "sh", "-c", script); err != nil {
		t.Fatal(err)
	}
	p.done("ResizePty", &api.ResizePtyRequest{ID: b.ID, ExecID: "t", Width: 123, Height: 45})
	p.must("Start", &api.StartRequest{ID: b.ID, ExecID: "t"}, &api.StartResponse{})
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	output := bufio.NewReader(f)
	if line, err := output.ReadString('\n'); err != nil || line != "45 123\r\n" {
		t.Errorf("size %q, %v", line, err)
	}
	text := make(chan string)
	go func() {
		data, _ := io.ReadAll(output)
		text <- string(data)
	}()
	for i := range 200 {
		p.done("ResizePty", &api.ResizePtyRequest{ID: b.ID, ExecID: "t", Width: uint32(80 + i), Height: 25})
	}
	if status := p.wait(b.ID, "t"); status != 0 {
		t.Errorf("status %d", status)
	}
	p.must("Delete", &api.DeleteRequest{ID: b.ID, ExecID: "t"}, &api.DeleteResponse{})
	if got := <-text; strings.Count(got, "x") != size {
		t.Errorf("%d bytes that begin with %.20q", len(got), got)
	}
}

// A process that holds the output after the init's exit, in the host's pid namespace, is killed
// with the container.
func TestOutputHeldAfterExit(t *testing.T) {
	p := newPod(t)
	b := p.bundle().NoNamespace("pid").Sh("sleep 1000 & echo out")
	out := p.fifo("out")
	p.create(b, streams{out: out})
	// Who comes when the writers are gone waits for ever.
	f, err := os.OpenFile(out, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p.must("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
	p.wait(b.ID, "")
	if text, err := io.ReadAll(f); err != nil || string(text) != "out\n" {
		t.Errorf("%q, %v", text, err)
	}
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("%v with %v", dirs, harness.CgroupPids(dirs[0]))
	}
}
