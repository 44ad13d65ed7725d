package cgroups

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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

func TestRemoveNested(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		for _, p := range cg.Paths() {
			for _, sub := range []string{"/one", "/one/two", "/three"} {
				if err := unix.Mkdir(p+sub, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
					t.Fatal(err)
				}
			}
		}
		if err := cg.Remove(time.Second); err != nil {
			t.Fatal(err)
		}
		if cg.Exists() {
			t.Error("something is left")
		}
	})
}

// Remove waits for processes that are about to end, and otherwise names those that stay.
func TestRemoveWaits(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		cmd := spawn(t, cg, "exec sleep 60")
		err := cg.Remove(20 * time.Millisecond)
		if want := fmt.Sprintf("processes remain: %d (", cmd.Process.Pid); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("Remove of a cgroup in use: %v, want %q in it", err, want)
		}
		if empty, err := cg.Wait(time.Millisecond); empty || err != nil {
			t.Errorf("Wait = %v, %v", empty, err)
		}
		timer := time.AfterFunc(50*time.Millisecond, func() { cmd.Process.Kill() })
		defer timer.Stop()
		start := time.Now()
		if err := cg.Remove(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestSub(t *testing.T) {
	host := needV1(t, "memory", "cpu")
	cg := create(t, host, nil)
	for _, name := range []string{"memory", "cpu"} {
		if err := unix.Mkdir(cg.Paths()[name]+"/inner", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cg.Sub(map[string]string{"memory": "/../inner"}); err == nil {
		t.Error("a path with .. was accepted")
	}
	sub, err := cg.Sub(map[string]string{"memory": "/inner"})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got, want := sub.Paths()["memory"], cg.Paths()["memory"]+"/inner"; got != want {
		t.Errorf("memory path %q, want %q", got, want)
	}
	if sub.Paths()["cpu"] != cg.Paths()["cpu"] {
		t.Error("a controller that was not named has moved")
	}
	cmd := spawn(t, sub, "exec sleep 60")
	if pids, err := sub.v1("memory").Dir().Pids(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("the process is not in the sub-cgroup: %v, %v", pids, err)
	}
	if pids, err := cg.Pids(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("Pids of the container = %v, %v", pids, err)
	}
	now, err := OfProcess(host, cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range sub.Paths() {
		if now.Paths()[name] != p {
			t.Errorf("OfProcess %q = %q, want %q", name, now.Paths()[name], p)
		}
	}
	for _, paths := range []map[string]string{{"memory": "missing"}, {"nonsense": "inner"}} {
		if _, err := cg.Sub(paths); err == nil || !strings.HasPrefix(err.Error(), "--cgroup: ") {
			t.Errorf("Sub(%v): %v", paths, err)
		}
	}
}

func TestJoin(t *testing.T) {
	cg := create(t, needRoot(t), nil)
	other := create(t, needRoot(t), nil)
	cmd := spawn(t, other, "exec sleep 60")
	if err := cg.Join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if pids, err := cg.Pids(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("Pids = %v, %v", pids, err)
	}
}

func TestFreezeAndThaw(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		cmd := spawn(t, cg, "sleep 0.1; exit 7")
		if err := cg.Freeze(); err != nil {
			t.Fatal(err)
		}
		if frozen, err := cg.Frozen(); !frozen || err != nil {
			t.Errorf("Frozen = %v, %v", frozen, err)
		}
		id, err := cg.Identity()
		if err != nil {
			t.Fatal(err)
		}
		for identity, want := range map[string]bool{id: true, "": true, "1": false} {
			if frozen, err := OwnFrozen(cg.Paths(), identity); frozen != want || err != nil {
				t.Errorf("OwnFrozen of identity %q where it is %q = %v, %v", identity, id, frozen, err)
			}
		}
		time.Sleep(200 * time.Millisecond)
		if pids, err := cg.Pids(); err != nil || len(pids) == 0 {
			t.Errorf("Pids of a frozen cgroup = %v, %v: the process went on", pids, err)
		}
		if err := cg.Thaw(); err != nil {
			t.Fatal(err)
		}
		if frozen, err := cg.Frozen(); frozen || err != nil {
			t.Errorf("Frozen after Thaw = %v, %v", frozen, err)
		}
		if frozen, err := OwnFrozen(cg.Paths(), id); frozen || err != nil {
			t.Errorf("OwnFrozen after Thaw = %v, %v", frozen, err)
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 7 {
			t.Errorf("exit code %d, want 7: the process did not go on after the thaw", code)
		}
	})
}

// A cgroup stands still with the one above it, and thawing it alone changes nothing.
func TestFrozenAbove(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		parent := create(t, host, nil)
		paths := parent.Paths()
		for name, dir := range paths {
			paths[name] = dir + "/child"
			if err := os.Mkdir(paths[name], 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
		}
		cg, err := Open(paths)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(cg.KillAll(), cg.Remove(5*time.Second)); err != nil {
				t.Error(err)
			}
		})
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if dir, ok := paths["cpuset"]; ok {
				if err := os.WriteFile(dir+"/"+file, []byte(fileOf(t, parent, "cpuset", file)), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		spawn(t, cg, "sleep 60")
		if err := parent.Freeze(); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { parent.Thaw() })
		if frozen, err := cg.Frozen(); !frozen || err != nil {
			t.Errorf("Frozen below a frozen cgroup = %v, %v", frozen, err)
		}
		if err := cg.Thaw(); !errors.Is(err, ErrFrozenAbove) {
			t.Errorf("Thaw below a frozen cgroup: %v, want %v", err, ErrFrozenAbove)
		}
		if err := parent.Thaw(); err != nil {
			t.Fatal(err)
		}
		if err := cg.Thaw(); err != nil {
			t.Errorf("Thaw once the one above is thawed: %v", err)
		}
		if frozen, err := cg.Frozen(); frozen || err != nil {
			t.Errorf("Frozen = %v, %v", frozen, err)
		}
	})
}

func TestOOMKills(t *testing.T) {
	host := needRoot(t)
	if host.version("memory") == 0 {
		t.Skip("no memory controller here")
	}
	cg := create(t, host, parseResources(t, `{"memory":{"limit":4194304,"swap":4194304}}`))
	if n, err := cg.OOMKills(); n != 0 || err != nil {
		t.Fatalf("OOMKills of a new cgroup = %d, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	notices, err := cg.WatchOOM(ctx)
	if err != nil {
		t.Fatal(err)
	}
	spawn(t, cg, `x=$(head -c 30000000 /dev/zero | tr '\0' x)`).Wait()
	n, err := cg.OOMKills()
	if n == 0 || err != nil {
		t.Errorf("OOMKills = %d, %v", n, err)
	}
	select {
	case _, ok := <-notices:
		if !ok {
			t.Error("the watch ended without a notice")
		}
	case <-time.After(5 * time.Second):
		t.Error("the watch has seen nothing")
	}
	cancel()
	for range notices { // ends
	}

	// A watch ends with the cgroup, too.
	if notices, err = cg.WatchOOM(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cg.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	for range notices {
	}
}

// A pid that was read from the cgroup may be that of another process when the signal is sent.
func TestSignalAsksAgain(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		inside, outside := spawn(t, cg, "exec sleep 60"), exec.Command("sleep", "60")
		if err := outside.Start(); err != nil {
			t.Fatal(err)
		}
		if err := cg.signalSome([]int{inside.Process.Pid, outside.Process.Pid}, unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = inside.Wait()
		if err := unix.Kill(outside.Process.Pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = outside.Wait()
		for cmd, want := range map[*exec.Cmd]syscall.Signal{inside: unix.SIGTERM, outside: unix.SIGKILL} {
			if got := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != want {
				t.Errorf("ended by %s, want %s", got, want)
			}
		}
	})
}

// A state file that names a hierarchy's root must not get everything killed.
func TestRootIsNoContainer(t *testing.T) {
	host := needRoot(t)
	paths := map[string]string{}
	for i := range host.V1 {
		paths[host.V1[i].Controllers[0]] = host.V1[i].Mount
	}
	if host.V2 != nil {
		paths[""] = host.V2.Mount
	}
	cg, err := Open(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer cg.Close()
	if pids, err := cg.victims(); err == nil || !strings.Contains(err.Error(), "holds process 1") {
		t.Errorf("victims in the root: %d processes, %v", len(pids), err)
	}
}
