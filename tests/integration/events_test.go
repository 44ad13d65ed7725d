package integration

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// event is a line of `events` with what the tests look at.
type event struct {
	Type, ID string
	Data     struct {
		CPU    struct{ Usage struct{ Total uint64 } }
		Memory struct {
			Usage struct{ Limit, Usage, Max uint64 }
			Raw   map[string]uint64
		}
		Pids       struct{ Current, Limit uint64 }
		Interfaces []struct {
			Name                                   string
			RxBytes, RxPackets, TxBytes, TxPackets uint64
		} `json:"network_interfaces"`
	}
}

func parseEvent(t *testing.T, line string) event {
	t.Helper()
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatalf("not an event: %v: %q", err, line)
	}
	return e
}

// stats is the answer of `events --stats`.
func stats(t *testing.T, b *harness.Bundle) event {
	t.Helper()
	out := b.Must("events", "--stats", b.ID)
	if strings.Count(out, "\n") != 1 {
		t.Errorf("not one line: %q", out)
	}
	return parseEvent(t, out)
}

func TestEventsStats(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := limited(t).Start()
	before := stats(t, b)
	if before.Type != "stats" || before.ID != b.ID {
		t.Errorf("type %q, id %q", before.Type, before.ID)
	}
	if d := before.Data; d.Pids.Current != 1 || d.Pids.Limit != 100 || d.Memory.Usage.Limit != 64<<20 || d.Memory.Usage.Usage == 0 || len(d.Memory.Raw) == 0 {
		t.Errorf("at rest: %+v", d)
	}
	b.MustExec("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
	if used := stats(t, b).Data.CPU.Usage.Total - before.Data.CPU.Usage.Total; used < uint64(time.Millisecond) {
		t.Errorf("a busy loop has used %d ns", used)
	}
}

// The names that monitoring programs of runc look for, whatever the values are.
func TestEventsNames(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := limited(t).Start()
	var doc struct {
		Data map[string]map[string]json.RawMessage `json:"data"`
	}
	var plain struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	out := b.Must("events", "--stats", b.ID)
	if err := json.Unmarshal([]byte(out), &plain); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(out), &doc)
	for _, section := range []string{"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"} {
		if _, ok := plain.Data[section]; !ok {
			t.Errorf("no %s in %s", section, out)
		}
	}
	for section, names := range map[string][]string{"cpu": {"usage"}, "memory": {"usage", "raw"}, "pids": {"current", "limit"}} {
		for _, name := range names {
			if _, ok := doc.Data[section][name]; !ok {
				t.Errorf("no %s.%s in %s", section, name, out)
			}
		}
	}
}

// watched is a running `events` command.
type watched struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

func watchEvents(t *testing.T, b *harness.Bundle, flags ...string) *watched {
	t.Helper()
	w := &watched{t: t, cmd: b.Cmd(append(append([]string{"events"}, flags...), b.ID)...), lines: make(chan string, 100)}
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			w.lines <- s.Text()
		}
	}()
	return w
}

// next waits for an event; ok is false when the command has ended.
func (w *watched) next() (e event, ok bool) {
	w.t.Helper()
	select {
	case line, ok := <-w.lines:
		if !ok {
			return event{}, false
		}
		return parseEvent(w.t, line), true
	case <-time.After(harness.Patience(10 * time.Second)):
		w.t.Fatal("no event in ten seconds")
	}
	return event{}, false
}

func (w *watched) wait() {
	w.t.Helper()
	for range w.lines {
	}
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("events: %v", err)
	}
}

// Statistics come at each interval, and the command ends with the container.
func TestEventsInterval(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := limited(t).Start()
	w := watchEvents(t, b, "--interval=50ms")
	for range 3 {
		if e, ok := w.next(); !ok || e.Type != "stats" || e.Data.Pids.Current != 1 {
			t.Errorf("%v, %+v", ok, e)
		}
	}
	b.Kill()
	w.wait()
	b.Delete()
}

// Lack of memory is told, both of a child and of the first process, with whose end the command
// ends.
func TestEventsOOM(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	hungry := "dd if=/dev/zero of=/tmp/x bs=1M count=64"
	for name, script := range map[string]string{
		"a child":           "read x < /tmp/go; " + hungry + "; read x < /tmp/go",
		"the first process": "read x < /tmp/go; exec " + hungry,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Mount("tmpfs", "/tmp", "tmpfs").Sh("mkfifo /tmp/go; " + script).
				Edit(resources(func(r *specs.LinuxResources) {
					r.Memory = &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}
				})).Start()
			w := watchEvents(t, b, "--interval=20ms")
			w.next() // so it watches
			b.MustExec("sh", "-c", "while [ ! -p /tmp/go ]; do sleep 0.01; done; echo > /tmp/go")
			told := false
			for !told {
				e, ok := w.next()
				if !ok {
					break
				}
				told = e.Type == "oom" && e.ID == b.ID
			}
			if !told {
				t.Error("no oom event")
			}
			if name == "a child" {
				b.Kill()
			}
			w.wait()
		})
	}
}

// Traffic of the container's own network namespace is counted; a container in the host's has none
// to show.
func TestEventsNetwork(t *testing.T) {
	t.Parallel()
	ours(t, "never lists any")
	peer := newNetns(t)
	b := sleeper(t).Namespace(specs.NetworkNamespace, peer.path()).Start()
	peer.ip("link", "add", "cnt0", "type", "veth", "peer", "cnt1")
	peer.ip("link", "set", "cnt1", "up")
	peer.ip("addr", "add", "10.99.0.1/24", "dev", "cnt0")
	peer.ip("link", "set", "cnt0", "up")
	b.MustExec("sh", "-c", "nc -w 1 10.99.0.2 9 </dev/null || true")
	list := stats(t, b).Data.Interfaces
	if len(list) != 2 {
		t.Fatalf("interfaces: %+v", list)
	}
	sent, got := list[0], list[1]
	if sent.Name != "cnt0" {
		sent, got = got, sent
	}
	if sent.Name != "cnt0" || got.Name != "cnt1" || sent.TxPackets == 0 || sent.TxBytes == 0 || got.RxBytes == 0 {
		t.Errorf("interfaces: %+v", list)
	}
	host := sleeper(t).NoNamespace(specs.NetworkNamespace).Start()
	if list := stats(t, host).Data.Interfaces; list != nil {
		t.Errorf("of the host: %+v", list)
	}
}

func TestEventsErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	for _, flags := range [][]string{{"--interval=0s"}, {"--interval=-1s"}, {"--interval=soon"}} {
		if res := b.Do("events", flags...); res.Code != 1 {
			t.Errorf("%v: exit %d", flags, res.Code)
		}
	}
	b.Kill()
	for _, flags := range [][]string{{"--stats"}, {}} {
		res := b.Do("events", flags...)
		if res.Code != 1 {
			t.Errorf("a stopped container: exit %d", res.Code)
		}
		contains(t, res.Stderr, "container with id "+b.ID+" is not running")
	}
}
