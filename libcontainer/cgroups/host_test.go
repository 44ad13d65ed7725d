package cgroups

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// These tests make cgroups on this machine, under a name of their own, and remove them whatever happens.

func needRoot(t testing.TB) *Layout {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes cgroups")
	}
	host, err := Probe()
	if err != nil {
		t.Fatal(err)
	}
	if len(host.V1) == 0 && host.V2 == nil {
		t.Skip("no cgroups are mounted here")
	}
	return host
}

func uniqueName(t testing.TB) string {
	return fmt.Sprintf("ociruntime-test-%d-%d-%s", os.Getpid(), time.Now().UnixNano()%1e9, strings.ReplaceAll(t.Name(), "/", "-"))
}

// create makes a cgroup for the test and removes it at its end, together with its parent.
func create(t testing.TB, host *Layout, res *specs.LinuxResources) *Cgroup {
	t.Helper()
	set, err := Compile(res, host)
	if err != nil {
		t.Fatal(err)
	}
	name := uniqueName(t)
	cg, err := Create(host, Config{Path: "/" + name + "/box", ID: "box", Settings: set})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cg.KillAll()
		if err := cg.Remove(5 * time.Second); err != nil {
			t.Error(err)
		}
		for _, p := range cg.Paths() {
			if err := rmdir(filepath.Dir(p)); err != nil {
				t.Error(err)
			}
		}
	})
	return cg
}

// spawn starts a process in the cgroup, the way that the runtime does: born into the v2 tree, writing "0" to the v1 tasks files.
// before is shell code that it runs before spawn returns.
func spawn(t testing.TB, cg *Cgroup, script string, before ...string) *exec.Cmd {
	t.Helper()
	in, err := cg.Enter()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var join strings.Builder
	cmd := exec.Command("/bin/sh")
	for i, f := range in.Tasks {
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		fmt.Fprintf(&join, "echo 0 >/dev/fd/%d; ", i+3)
	}
	cmd.Args = []string{"sh", "-c", join.String() + strings.Join(append(before, "echo ready"), "; ") + "; " + script}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if in.Dir != nil {
		cmd.SysProcAttr.UseCgroupFD = true
		cmd.SysProcAttr.CgroupFD = int(in.Dir.Fd())
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cg.Thaw()
		cmd.Process.Kill()
		cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatalf("the process did not get into its cgroup: %v", err)
	}
	return cmd
}

func fileOf(t testing.TB, cg *Cgroup, controller, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cg.Paths()[controller], name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestLifeOfACgroup(t *testing.T) {
	host := needRoot(t)
	cg := create(t, host, nil)
	cmd := spawn(t, cg, "sleep 60 & wait")
	pid := cmd.Process.Pid

	for tree, p := range cg.Paths() {
		procs, err := os.ReadFile(filepath.Join(p, "cgroup.procs"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(strings.Fields(string(procs)), fmt.Sprint(pid)) {
			t.Errorf("process %d is not in hierarchy %q: %q", pid, tree, procs)
		}
	}
	again, err := Open(cg.Paths())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	pids, err := again.Pids()
	if err != nil || !slices.Contains(pids, pid) {
		t.Errorf("Pids = %v, %v; want %d among them", pids, err, pid)
	}
	if err := again.Freeze(); err != nil {
		t.Fatal(err)
	}
	if frozen, err := cg.Frozen(); !frozen || err != nil {
		t.Errorf("Frozen after Freeze = %v, %v", frozen, err)
	}
	if err := again.KillAll(); err != nil {
		t.Fatal(err)
	}
	empty, err := again.Wait(5 * time.Second)
	if !empty || err != nil {
		t.Fatalf("Wait after KillAll of a frozen cgroup = %v, %v", empty, err)
	}
	cmd.Wait()
	if err := again.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if cg.Exists() {
		t.Error("the cgroup exists after Remove")
	}
	if err := again.Remove(0); err != nil {
		t.Errorf("second Remove: %v", err)
	}
	if pids, err := cg.Pids(); err != nil || pids != nil {
		t.Errorf("Pids of a removed cgroup = %v, %v", pids, err)
	}
}

func BenchmarkCreateRemove(b *testing.B) {
	b.Run("here", func(b *testing.B) { benchmarkCreate(b, needRoot(b)) })
	b.Run("v2", func(b *testing.B) { benchmarkCreate(b, v2Only(b)) })
}

func benchmarkCreate(b *testing.B, host *Layout) {
	res := &specs.LinuxResources{}
	if len(host.V1) > 0 {
		limit, shares, pids := int64(64<<20), uint64(512), int64(100)
		res.Memory = &specs.LinuxMemory{Limit: &limit}
		res.CPU = &specs.LinuxCPU{Shares: &shares}
		res.Pids = &specs.LinuxPids{Limit: &pids}
	}
	keep := create(b, host, nil) // the parent is there already, as it is with engines
	name := "/" + filepath.Base(filepath.Dir(keep.nodes[0].path)) + "/bench"
	spent := make([]time.Duration, 5)
	lap := func(i int, since *time.Time) {
		now := time.Now()
		spent[i] += now.Sub(*since)
		*since = now
	}
	for b.Loop() {
		at := time.Now()
		if _, err := Probe(); err != nil {
			b.Fatal(err)
		}
		lap(0, &at)
		set, err := Compile(res, host)
		if err != nil {
			b.Fatal(err)
		}
		lap(1, &at)
		cg, err := Create(host, Config{Path: name, Settings: set})
		if err != nil {
			b.Fatal(err)
		}
		lap(2, &at)
		in, err := cg.Enter()
		if err != nil {
			b.Fatal(err)
		}
		in.Close()
		lap(3, &at)
		if err := cg.Remove(time.Second); err != nil {
			b.Fatal(err)
		}
		lap(4, &at)
	}
	for i, what := range []string{"probe", "compile", "create", "enter", "remove"} {
		b.ReportMetric(float64(spent[i].Microseconds())/float64(b.N), what+"-µs")
	}
}
