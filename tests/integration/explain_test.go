package integration

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// explained is explain --json.
type explained struct {
	Steps []struct {
		Number           int
		What, From, Site string
		Ops              []any
	}
}

func explain(t *testing.T, b *harness.Bundle, args ...string) *explained {
	t.Helper()
	var p explained
	if err := json.Unmarshal([]byte(b.Must(append([]string{"explain", "--json"}, args...)...)), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// traced is a file of --trace.
type traced struct {
	TraceEvents []traceEvent
}

type traceEvent struct {
	Name, Ph, Cat string
	Pid           int
	Ts, Dur       float64
	Args          struct{ Name string }
}

func readTrace(t *testing.T, file string) *traced {
	t.Helper()
	data, err := os.ReadFile(file)
	var tr traced
	if err == nil {
		err = json.Unmarshal(data, &tr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &tr
}

// What explain shows of a process of exec is what exec then does, and nothing has been started.
func TestExplainExec(t *testing.T) {
	t.Parallel()
	ours(t, "has no explain")
	b := sleeper(t)
	b.Start()
	before := b.Must("ps", "--format", "json", b.ID)
	p := explain(t, b, "--user", "7:8", "--env", "A=b", b.ID, "--", "sh", "-c", "exit 3")
	if after := b.Must("ps", "--format", "json", b.ID); after != before {
		t.Errorf("explain has changed the processes from %s to %s", before, after)
	}
	file := filepath.Join(harness.TempDir(t), "trace")
	if res := b.Runtime.Run("exec", "--trace", file, "--user", "7:8", "--env", "A=b", b.ID, "sh", "-c", "exit 3"); res.Code != 3 {
		t.Fatalf("%+v", res)
	}
	var plans, done []string
	for _, s := range p.Steps {
		plans = append(plans, s.What)
	}
	for _, e := range readTrace(t, file).TraceEvents {
		if e.Ph == "X" && slices.Contains(plans, e.Name) {
			done = append(done, e.Name)
		}
	}
	for _, want := range []string{"become user 7, group 8", "execute sh"} {
		if !slices.Contains(plans, want) || !slices.Contains(done, want) {
			t.Errorf("%q is not in both: explained %q, done %q", want, plans, done)
		}
	}
	for i, s := range p.Steps {
		if len(s.Ops) > 0 && s.Site == "init" && !slices.Contains(done, plans[i]) {
			t.Errorf("step %d, %q, is not in the trace %q", s.Number, plans[i], done)
		}
	}

	process := filepath.Join(harness.TempDir(t), "process.json")
	if err := os.WriteFile(process, []byte(`{"user": {"uid": 9, "gid": 9}, "args": ["/bin/id"], "cwd": "/"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, b.Must("explain", "--process", process, b.ID), "become user 9, group 9")
	for args, want := range map[string]string{
		"--user 1 " + b.ID:                       "a COMMAND or --process is needed",
		"--user 1":                               "an ID is needed: a process of exec runs in a container",
		"--process " + process + ".no " + b.ID:   "--process: there is no file " + process + ".no",
		"--bundle " + b.Dir + " " + b.ID + " id": "--bundle: a container's plan is that of its own bundle",
	} {
		if res := b.Runtime.Run(append([]string{"explain"}, strings.Fields(args)...)...); res.Code != 1 || res.Message() != want {
			t.Errorf("%s: %+v", args, res)
		}
	}
	b.Kill()
	if res := b.Runtime.Run("explain", b.ID, "id"); res.Code != 1 || res.Message() != "cannot exec in a stopped container" {
		t.Errorf("stopped: %+v", res)
	}
}

// The trace has the processes under their own pids and names, every arrow begins and ends in a span
// of its process, and the table's rows add up to no more than the time that it took.
func TestTrace(t *testing.T) {
	t.Parallel()
	ours(t, "has --trace")
	b := sleeper(t)
	file := filepath.Join(harness.TempDir(t), "trace")
	b.Create("--trace", file)
	tr := readTrace(t, file)
	named := map[int]string{}
	for _, e := range tr.TraceEvents {
		if e.Ph == "M" && e.Name == "process_name" {
			named[e.Pid] = e.Args.Name
		}
	}
	if named[b.Pid()] != "container" || !slices.Contains(slices.Collect(maps.Values(named)), "ociruntime create") {
		t.Errorf("the init is %d, the processes are %v", b.Pid(), named)
	}
	ends, last := map[string]int{}, 0.0
	for _, e := range tr.TraceEvents {
		if _, ok := named[e.Pid]; !ok {
			t.Errorf("%+v is of an unknown process", e)
		}
		switch e.Ph {
		case "X":
			last = max(last, e.Ts+e.Dur)
			if !strings.HasPrefix(e.Cat, "host") && !strings.HasPrefix(e.Cat, "init") {
				t.Errorf("%+v has no side", e)
			}
		case "s", "f":
			ends[e.Ph+" "+e.Name]++
			if !slices.ContainsFunc(tr.TraceEvents, func(s traceEvent) bool {
				return s.Ph == "X" && s.Pid == e.Pid && s.Ts <= e.Ts && e.Ts <= s.Ts+s.Dur
			}) {
				t.Errorf("%+v is in no span", e)
			}
		}
	}
	// The last rendezvous is over before the init has gone on.
	for name, least := range map[string]int{"start": 1, "meet the host": 1, "go on": 0} {
		if ends["s "+name] < least || ends["s "+name] != ends["f "+name] {
			t.Errorf("arrows: %v", ends)
		}
	}
	sum := 0.0
	for line := range strings.Lines(b.Must("explain", "--trace", file)) {
		self, err := strconv.ParseFloat(strings.Fields(line)[0], 64)
		if err == nil {
			sum += self
		}
	}
	// While the host is still starting the image, that may run: these two work at once.
	if sum < last/2 || sum > 1.5*last {
		t.Errorf("the rows add up to %.1f µs of %.1f", sum, last)
	}
}
