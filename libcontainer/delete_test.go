package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/state"
)

func TestDelete(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*standIn)
		refused string // what delete without force says
	}{
		{"running", func(s *standIn) {}, "cannot delete container c that is not stopped: running"},
		{"paused", func(s *standIn) { s.must(s.load().Pause()) }, "cannot delete container c that is not stopped: paused"},
		{"created", func(s *standIn) { s.progress(waitOp) }, ""},
		{"created and paused", func(s *standIn) { s.progress(waitOp); s.must(s.load().Pause()) }, "cannot delete container c that is not stopped: paused"},
		{"stopped", func(s *standIn) { s.must(s.load().Kill(unix.SIGKILL, false)); s.becomes(Stopped) }, ""},
		{"moved out of its cgroup", func(s *standIn) { s.leaveCgroup() }, "cannot delete container c that is not stopped: running"},
		{"cgroup gone", func(s *standIn) {
			s.must(s.load().Kill(unix.SIGKILL, false))
			s.becomes(Stopped)
			s.must(s.cg.Remove(5 * time.Second))
		}, ""},
		// Its create was killed: before the init was known, and after.
		{"creating", func(s *standIn) { s.rec.Phase, s.rec.InitPid = state.Creating, 0; s.save() }, ""},
		{"creating with init", func(s *standIn) { s.rec.Phase = state.Creating; s.save() }, ""},
	} {
		for _, pidNS := range []bool{true, false} {
			for _, force := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s,pid namespace %v,force %v", c.name, pidNS, force), func(t *testing.T) {
					s := newStandIn(t, pidNS, family)
					c.prepare(s)
					err := s.rt.Delete(t.Context(), "c", force)
					if c.refused == "" || force {
						s.must(err)
						s.nothingLeft()
						return
					}
					if err == nil || err.Error() != c.refused {
						t.Errorf("error %v, want %s", err, c.refused)
					}
					if p, err := s.rec.Init(); err != nil || p == nil {
						t.Errorf("the refused delete had an effect: %v %v", p, err)
					}
				})
			}
		}
	}
}

// leaveCgroup moves the init out of the container's cgroup, as its administrator may.
func (s *standIn) leaveCgroup() {
	s.t.Helper()
	for _, p := range s.rec.CgroupPaths {
		s.must(os.WriteFile(filepath.Join(filepath.Dir(p), "cgroup.procs"), fmt.Appendln(nil, s.init.Process.Pid), 0))
	}
}

func TestDeleteOfNothing(t *testing.T) {
	r := &Runtime{Root: filepath.Join(t.TempDir(), "missing")}
	isError(t, r.Delete(t.Context(), "c", false), ErrNotExist, "container does not exist")
	if err := r.Delete(t.Context(), "c", true); err != nil {
		t.Error(err)
	}
	isError(t, r.Delete(t.Context(), "../c", true), ErrInvalidID, "invalid container ID format")
}

func TestDeleteOfADirectoryWithoutState(t *testing.T) {
	r := &Runtime{Root: t.TempDir()}
	for _, force := range []bool{false, true} {
		if _, err := state.Create(r.Root, "c"); err != nil {
			t.Fatal(err)
		}
		err := r.Delete(t.Context(), "c", force)
		if force && err != nil || !force && !errors.Is(err, ErrNotExist) {
			t.Errorf("force %v: %v", force, err)
		}
		if _, err := os.Lstat(filepath.Join(r.Root, "c")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("force %v: left the directory: %v", force, err)
		}
	}
}

func TestDeleteOfABrokenState(t *testing.T) {
	var warnings []string
	r := &Runtime{Root: t.TempDir(), Warn: func(m string) { warnings = append(warnings, m) }}
	d, err := state.Create(r.Root, "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile("state.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), "c", false); err == nil || !strings.Contains(err.Error(), "state.json") {
		t.Errorf("without force: %v", err)
	}
	if err := r.Delete(t.Context(), "c", true); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "only its directory") {
		t.Errorf("with force: %v, %q", err, warnings)
	}
	if _, err := os.Lstat(d.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left the directory: %v", err)
	}
}

// config.json may name any cgroup. Until it is known to be the container's, nobody in it may be
// harmed.
func TestDeleteSparesForeignCgroups(t *testing.T) {
	victim := newStandIn(t, false, sleeping)
	inside := filepath.Join(victim.cgroupDir("freezer", ""), "inside")
	victim.must(os.Mkdir(inside, 0o755))
	t.Cleanup(func() { _ = unix.Rmdir(inside) })

	root := t.TempDir()
	d, err := state.Create(root, "killed-early")
	victim.must(err)
	rec, err := state.NewRecord("killed-early")
	victim.must(err)
	rec.CgroupPaths = victim.rec.CgroupPaths
	victim.must(d.Save(rec))
	victim.must((&Runtime{Root: root}).Delete(t.Context(), "killed-early", true))

	victim.is(Running)
	if _, err := os.Stat(inside); err != nil {
		t.Errorf("a foreign cgroup was removed: %v", err)
	}
	if _, err := os.Lstat(d.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left the directory: %v", err)
	}
}

// A create that was killed between making the cgroup and writing that down.
func TestDeleteOfAnUnrecordedCgroup(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	s.reap()
	s.rec.Phase, s.rec.InitPid, s.rec.CgroupMade = state.Creating, 0, false
	s.save()
	s.must(s.rt.Delete(t.Context(), "c", true))
	s.nothingLeft()
}

func TestPoststopHooks(t *testing.T) {
	s := newStandIn(t, true, sleeping)
	out := filepath.Join(t.TempDir(), "out")
	hook := func(script string) string {
		return `{"path":"/bin/sh","args":["sh","-c","` + script + `"]}`
	}
	// The first fails; the last sees that processes and cgroups are gone, and that the id is not
	// free yet.
	config := `{"ociVersion":"1.0.0","hooks":{"post\u0073top":[` + hook("exit 3") + `,` + hook("cat > "+out) + `,` +
		hook(fmt.Sprintf("kill -0 %d; ls -d %s %s > %s.ls", s.init.Process.Pid, s.cgroupDir("freezer", ""), s.dir.Path(), out)) + `]}}`
	s.must(s.dir.SaveConfig([]byte(config)))
	s.must(s.load().Kill(unix.SIGKILL, false))
	s.reap()
	s.is(Stopped)
	s.must(s.rt.Delete(t.Context(), "c", false)) // the record does not speak of hooks
	s.nothingLeft()
	got, err := os.ReadFile(out)
	s.must(err)
	want := `"id":"c","status":"stopped","bundle":"/bundle","annotations":{"key":"value"}}`
	if !strings.HasSuffix(string(got), want) {
		t.Errorf("state %s, want %s", got, want)
	}
	if got, err := os.ReadFile(out + ".ls"); err != nil || string(got) != s.dir.Path()+"\n" {
		t.Errorf("left when the hooks ran: %s %v", got, err)
	}
	if len(s.warnings) != 2 || !strings.Contains(s.warnings[0], "error running poststop hook #0: exit status 3") {
		t.Errorf("warnings %q", s.warnings)
	}
}

// The freezer of cgroup v1 keeps even killed processes, and a cgroup above the container's is not
// ours to thaw: a forced delete takes them out of it.
func TestDeleteBelowAFrozenCgroup(t *testing.T) {
	s := newStandIn(t, true, sleeping)
	parent := filepath.Join(filepath.Dir(s.cgroupDir("freezer")), "freezer.state")
	s.freeze(parent)
	s.must(s.rt.Delete(t.Context(), "c", true))
	s.nothingLeft()
	if state, _ := os.ReadFile(parent); string(state) != "FROZEN\n" {
		t.Errorf("the parent is now %s", state)
	}
}

// freeze writes to a file freezer.state and undoes that at the end of the test.
func (s *standIn) freeze(file string) {
	s.t.Helper()
	s.must(os.WriteFile(file, []byte("FROZEN"), 0))
	s.t.Cleanup(func() { s.must(os.WriteFile(file, []byte("THAWED"), 0)) })
	s.eventually("frozen", func() bool { data, _ := os.ReadFile(file); return string(data) == "FROZEN\n" })
}

// Nothing that we can do ends a process that has been frozen in a cgroup outside of the container,
// as one that waits for a dead disk: delete says so in time, and can be called again.
func TestDeleteIsBoundedInTime(t *testing.T) {
	s := newStandIn(t, true, sleeping)
	s.eventually("sleep", func() bool {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.init.Process.Pid))
		return string(name) == "sleep\n"
	})
	beside := filepath.Join(filepath.Dir(s.cgroupDir("freezer")), "beside")
	s.must(os.Mkdir(beside, 0o755))
	t.Cleanup(func() { s.must(os.Remove(beside)) })
	t.Cleanup(s.reap)
	s.must(os.WriteFile(filepath.Join(beside, "cgroup.procs"), []byte(strconv.Itoa(s.init.Process.Pid)), 0))
	s.freeze(filepath.Join(beside, "freezer.state"))

	begin := time.Now()
	err := s.load().destroy(t.Context(), true, 200*time.Millisecond)
	isError(t, err, errSurvived, fmt.Sprintf("container init still running: process %d (sleep) was sent SIGKILL and is still in ", s.init.Process.Pid))
	if took := time.Since(begin); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	s.must(os.WriteFile(filepath.Join(beside, "freezer.state"), []byte("THAWED"), 0))
	s.must(s.rt.Delete(t.Context(), "c", true))
	s.nothingLeft()
}

// A create or start that waits for the init, or for what the init does, holds the lock: a forced
// delete gets through by killing what it waits for.
func TestForcedDeleteOfAHeldContainer(t *testing.T) {
	s := newStandIn(t, true, sleeping)
	unlock, err := s.dir.Lock(t.Context(), true)
	s.must(err)
	go func() {
		_ = s.init.Wait()
		unlock()
	}()
	begin := time.Now()
	s.must(s.rt.Delete(t.Context(), "c", true))
	if took := time.Since(begin); took < busyTimeout || took > lockTimeout/2 {
		t.Errorf("took %s", took)
	}
	s.nothingLeft()
}

func TestDeleteOfOtherRuntimesContainer(t *testing.T) {
	s := newStandIn(t, true, sleeping)
	s.must(os.RemoveAll(s.dir.Path()))
	_, err := state.Create(s.rt.Root, "c")
	s.must(err)
	paths, err := json.Marshal(s.rec.CgroupPaths)
	s.must(err)
	text := fmt.Sprintf(`{"id":"c","init_process_pid":%d,"init_process_start":%d,"created":"2026-01-02T03:04:05.6Z","config":{"rootfs":"/r",
		"labels":["bundle=/nowhere"],"namespaces":[{"type":"NEWPID","path":""}]},"cgroup_paths":%s}`,
		s.rec.InitPid, s.rec.InitStart, paths)
	s.must(s.dir.WriteFile("state.json", []byte(text)))
	s.is(Running)
	s.must(s.dir.WriteFile("exec.fifo", nil))
	s.is(Created)
	s.must(s.rt.Delete(t.Context(), "c", true))
	if _, err := s.rt.Load("c"); !errors.Is(err, ErrNotExist) {
		t.Errorf("load: %v", err)
	}
	if len(s.warnings) != 1 || !strings.Contains(s.warnings[0], "poststop hooks are left out") {
		t.Errorf("warnings %q", s.warnings)
	}
}

// The id is free at once.
func TestCreateAfterDelete(t *testing.T) {
	s := newStandIn(t, true, sleeping)
	s.must(s.rt.Delete(t.Context(), "c", true))
	_, err := state.Create(s.rt.Root, "c")
	s.must(err)
}
