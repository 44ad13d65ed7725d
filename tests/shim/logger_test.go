package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// logger writes a log program, and gives its address.
func (p *pod) logger(name, script string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	writeScript(p.t, path, "#!/bin/sh\n"+script+"\n")
	return "binary://" + path
}

// answers wants every call about a container answered while something else takes its time, which
// over closes.
func (p *pod) answers(id string, over <-chan error) {
	p.t.Helper()
	for i := range 20 {
		p.must("State", &api.StateRequest{ID: id}, &api.StateResponse{})
		p.must("Pids", &api.PidsRequest{ID: id}, &api.PidsResponse{})
		p.must("Connect", &api.ConnectRequest{ID: id}, &api.ConnectResponse{})
		if status, err := p.exec(id, fmt.Sprint("x", i), streams{}, "sh", "-c", "exit 5"); status != 5 || err != nil {
			p.t.Errorf("a process: %d, %v", status, err)
		}
	}
	select {
	case err := <-over:
		p.t.Errorf("nothing took its time: %v", err)
	default:
	}
}

// A log program that ends before the container, or at once, costs the output that it would have
// got, and not the container.
func TestLogProgramEnds(t *testing.T) {
	p := newPod(t)
	p.run(p.bundle().Args("sleep", "1000"), streams{}) // so that the daemon stays
	for name, script := range map[string]string{
		"at once":       "exit 1",
		"by a signal":   "exec 5>&-; kill -9 $$",
		"after a while": "exec 5>&-; head -c 10 <&3 >/dev/null",
		"in the middle": "exec 5>&-; sleep 0.3",
	} {
		b := p.bundle().Sh("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; exit 3")
		p.run(b, streams{out: p.logger("logger", script)})
		if status := p.wait(b.ID, ""); status != 3 {
			t.Errorf("%s: status %d", name, status)
		}
		p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
	}
}

// A log program gets what comes out of a terminal, to its end, as of `nerdctl run -dt`.
func TestLogProgramOfTerminal(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000")
	p.run(b, streams{})
	script := "trap '' TERM; exec 5>&-; cat <&3 >" + p.dir + "/out; cat <&4 >" + p.dir + "/err; echo end >>" + p.dir + "/out"
	s := streams{out: p.logger("logger", script), terminal: true}
	status, err := p.exec(b.ID, "x", s, "sh", "-c", "tty >/dev/null; echo out; echo err >&2; head -c 100000 /dev/zero; exit 3")
	if status != 3 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	want := "out\r\nerr\r\n" + strings.Repeat("\x00", 100000) + "end\n"
	if text := readFile(t, p.dir+"/out"); text != want {
		t.Errorf("%d bytes that begin with %.20q", len(text), text)
	}
	if text := readFile(t, p.dir+"/err"); text != "" {
		t.Errorf("stderr is %q", text)
	}
}

// A log program that reads nothing stops its container, and no call.
func TestLogProgramReadsNothing(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Sh("head -c 1000000 /dev/zero; exit 3")
	p.run(b, streams{out: p.logger("logger", "exec 5>&-; exec sleep 1000")})
	waiting := make(chan error, 1)
	go func() { waiting <- p.call("Wait", &api.WaitRequest{ID: b.ID}, &api.WaitResponse{}) }()
	p.answers(b.ID, waiting)
	p.done("Kill", &api.KillRequest{ID: b.ID, Signal: uint32(unix.SIGKILL)})
	if err := <-waiting; err != nil {
		t.Errorf("wait: %v", err)
	}
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
}

// A log program that never says that it is ready is an error of the create, which stops nobody
// else. It is not asked to end, but killed.
func TestLogProgramIsNeverReady(t *testing.T) {
	t.Parallel() // it takes its time
	p := newPod(t)
	other := p.bundle().Args("sleep", "1000")
	p.run(other, streams{})
	b := p.bundle().Args("true").Save()
	out := p.logger("logger", "trap '' TERM; exec sleep 1000")
	created := make(chan error, 1)
	began := time.Now()
	go func() {
		created <- p.call("Create", &api.CreateTaskRequest{ID: b.ID, Bundle: b.Dir, Options: p.packed(), Stdout: out}, &api.CreateTaskResponse{})
	}()
	p.answers(other.ID, created)
	if err := <-created; err == nil || !strings.Contains(err.Error(), "is not ready after") {
		t.Errorf("create: %v", err)
	}
	t.Logf("after %v", time.Since(began))
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("%v is there", dirs)
	}
}

// A log program that does not end when it is asked to is killed, and nobody else waits for that.
func TestLogProgramIgnoresSIGTERM(t *testing.T) {
	t.Parallel() // it takes its time
	p := newPod(t)
	other := p.bundle().Args("sleep", "1000")
	p.run(other, streams{})
	b := p.bundle().Args("true")
	p.run(b, streams{out: p.logger("logger", "trap '' TERM; exec 5>&-; exec sleep 1000")})
	p.wait(b.ID, "")
	deleted := make(chan error, 1)
	began := time.Now()
	go func() { deleted <- p.call("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{}) }()
	p.answers(other.ID, deleted)
	if err := <-deleted; err != nil {
		t.Errorf("delete: %v", err)
	}
	t.Logf("after %v", time.Since(began))
}

// What the daemon would like to log, and containerd does not read, is lost, and stops no call.
func TestFullLog(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000").Save()
	fifo := filepath.Join(b.Dir, "log")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// As containerd has it, which then hangs.
	f, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fill := func() {
		if err := f.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := f.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}
	fill()
	p.options.BinaryName = "warn" // of which a line is logged with each create
	address, err := p.start(b.Dir, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.address, p.client = address, dial(t, address)
	var a api.ConnectResponse
	p.must("Connect", &api.ConnectRequest{ID: b.ID}, &a)
	p.pid = int(a.ShimPid)
	never := make(chan error)
	for i := range 20 {
		c := b
		if i > 0 {
			c = p.bundle().Args("sleep", "1000").Save()
		}
		p.must("Create", &api.CreateTaskRequest{ID: c.ID, Bundle: c.Dir, Options: p.packed()}, &api.CreateTaskResponse{})
		p.must("Start", &api.StartRequest{ID: c.ID}, &api.StartResponse{})
		t.Cleanup(func() { p.remove(c.ID) })
	}
	p.answers(b.ID, never)
	// There is room again, and what comes then is read.
	if err := f.SetReadDeadline(time.Now().Add(harness.Patience(10 * time.Second))); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	if _, err := f.Read(buf); err != nil {
		t.Fatal(err)
	}
	c := p.bundle().Args("sleep", "1000").Save()
	p.must("Create", &api.CreateTaskRequest{ID: c.ID, Bundle: c.Dir, Options: p.packed()}, &api.CreateTaskResponse{})
	t.Cleanup(func() { p.remove(c.ID) })
	n, err := f.Read(buf)
	for err == nil && !strings.Contains(string(buf[:n]), "BinaryName") {
		n, err = f.Read(buf)
	}
	if err != nil {
		t.Errorf("the line behind: %v", err)
	}
}
