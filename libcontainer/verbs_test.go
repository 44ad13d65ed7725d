package libcontainer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

const (
	sleeping = "echo ready; exec sleep 1000"
	family   = "sleep 1000 & sleep 1000 & echo ready; wait"
)

func TestStatusIsDerived(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	for _, c := range []struct {
		op   int
		want Status
	}{{waitOp - 1, Created}, {waitOp, Created}, {execOp - 1, Created}, {execOp, Running}} {
		s.progress(c.op)
		s.is(c.want)
	}
	s.must(s.load().Pause())
	s.is(Paused)
	s.must(s.load().Resume())
	s.is(Running)

	s.rec.Phase = state.Creating
	s.save()
	s.is(Creating)
	s.rec.Phase = state.Created
	s.save()

	s.rec.InitStart++
	s.save()
	s.is(Stopped) // the pid is another's
	s.rec.InitStart--
	s.save()
	s.is(Running)
	s.must(s.init.Process.Kill())
	s.becomes(Stopped) // though nobody has reaped it
}

// Before the init exists, only the lock tells a container that is being created from what a killed
// create left.
func TestStatusWithoutAnInit(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	s.rec.Phase, s.rec.InitPid = state.Creating, 0
	s.save()
	s.is(Stopped)
	unlock, err := s.dir.Lock(t.Context(), true)
	s.must(err)
	s.is(Creating)
	// A reader that read just before the end of create.
	early := s.load()
	s.must(s.rec.SetInit(s.init.Process.Pid))
	s.rec.Phase = state.Created
	s.save()
	unlock()
	if got, err := early.Status(); err != nil || got != Running {
		t.Errorf("status %q %v", got, err)
	}
}

func TestStateDocument(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	st, err := s.load().State()
	s.must(err)
	text, err := json.Marshal(st)
	s.must(err)
	for _, want := range []string{
		`{"ociVersion":"1.`, `"id":"c","pid":`, `"status":"running","bundle":"/bundle","rootfs":"/bundle/rootfs","created":"2`, `Z","annotations":{"key":"value"},"owner":""}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	if st.Pid != s.init.Process.Pid {
		t.Errorf("pid %d", st.Pid)
	}
	s.must(s.init.Process.Kill())
	s.becomes(Stopped)
	if st, err := s.load().State(); err != nil || st.Pid != 0 || st.Status != Stopped {
		t.Errorf("%+v %v", st, err)
	}
	if owner := s.load().Owner(); owner != "root" {
		t.Errorf("owner %q", owner)
	}
	s.rec.Owner = 2_000_000_001
	if owner := s.Owner(); owner != "#2000000001" {
		t.Errorf("owner %q", owner)
	}
	if killed, err := s.load().OOMKilled(); err != nil || killed {
		t.Errorf("OOM killed: %v %v", killed, err)
	}
}

func TestConfigIsTheSavedOne(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	s.rec.Bundle = t.TempDir()
	s.must(os.WriteFile(filepath.Join(s.rec.Bundle, "config.json"), []byte(`{"ociVersion":"1.0.0","hostname":"edited"}`), 0o600))
	s.must(s.dir.SaveConfig([]byte(`{"ociVersion":"1.0.0","hostname":"saved"}`)))
	spec, err := s.Config()
	s.must(err)
	if spec.Hostname != "saved" {
		t.Errorf("hostname %s", spec.Hostname)
	}
	s.must(os.Remove(filepath.Join(s.dir.Path(), "config.json")))
	spec, err = s.Config()
	s.must(err)
	if spec.Hostname != "edited" {
		t.Errorf("hostname %s", spec.Hostname)
	}
}

func TestKillSendsTheSignal(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	s := newStandIn(t, true, `trap "echo TERM >> `+out+`" TERM; trap "echo USR1 >> `+out+`" USR1; echo ready; while :; do sleep 0.01; done`)
	for _, sig := range []unix.Signal{0, unix.SIGTERM, unix.SIGUSR1, unix.SIGURG} {
		s.must(s.load().Kill(sig, false))
		if name := strings.TrimPrefix(unix.SignalName(sig), "SIG"); sig == unix.SIGTERM || sig == unix.SIGUSR1 {
			s.eventually(name, func() bool { data, _ := os.ReadFile(out); return strings.HasSuffix(string(data), name+"\n") })
		}
	}
	isError(t, s.load().Kill(999, false), unix.EINVAL, "unable to signal init: invalid argument")
	s.is(Running)
	s.must(s.load().Kill(unix.SIGKILL, false))
	s.becomes(Stopped)
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, 0} {
		isError(t, s.load().Kill(sig, false), ErrNotRunning, "container not running")
		s.must(s.load().Kill(sig, true))
	}
}

func TestKillWhileCreating(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	s.rec.Phase = state.Creating
	s.save()
	isError(t, s.load().Kill(unix.SIGKILL, false), ErrNotRunning, "container not running")
	if p, err := s.rec.Init(); err != nil || p == nil {
		t.Errorf("the refused kill had an effect: %v %v", p, err)
	}
}

func TestKillWithoutPidNamespace(t *testing.T) {
	s := newStandIn(t, false, family)
	if n := len(s.pids()); n != 3 {
		t.Fatalf("%d processes", n)
	}
	s.must(s.load().Kill(unix.SIGKILL, false))
	s.eventually("death of all", func() bool { return len(s.pids()) == 0 })
	s.is(Stopped)
}

func TestKillAll(t *testing.T) {
	s := newStandIn(t, false, family)
	s.must(s.load().Kill(unix.SIGTERM, true))
	s.eventually("death of all", func() bool { return len(s.pids()) == 0 })
}

// Those whom a dead init leaves in a shared pid namespace die of SIGKILL; other signals are for the
// init.
func TestKillLeftovers(t *testing.T) {
	s := newStandIn(t, false, family)
	s.must(s.init.Process.Kill())
	s.becomes(Stopped)
	isError(t, s.load().Kill(unix.SIGTERM, false), ErrNotRunning, "container not running")
	if n := len(s.pids()); n != 2 {
		t.Errorf("%d processes, want 2", n)
	}
	s.must(s.load().Kill(unix.SIGKILL, false))
	s.eventually("death of all", func() bool { return len(s.pids()) == 0 })
	isError(t, s.load().Kill(unix.SIGKILL, false), ErrNotRunning, "container not running")
}

func TestKillPaused(t *testing.T) {
	for _, pidNS := range []bool{true, false} {
		t.Run(map[bool]string{true: "private", false: "shared"}[pidNS], func(t *testing.T) {
			s := newStandIn(t, pidNS, sleeping)
			s.must(s.load().Pause())
			s.must(s.load().Kill(unix.SIGTERM, false))
			s.is(Paused)
			s.must(s.load().Kill(unix.SIGKILL, false))
			s.becomes(Stopped)
			s.must(s.load().Delete(t.Context(), false))
			s.nothingLeft()
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	isError(t, s.load().Resume(), ErrNotPaused, "container not paused")
	s.must(s.load().Pause())
	isError(t, s.load().Pause(), ErrNotRunning, "container not running")
	isError(t, s.load().Pause(), ErrPaused, "container paused")
	s.must(s.load().Resume())
	// A created container can be paused as well.
	s.progress(waitOp)
	s.must(s.load().Pause())
	s.is(Paused)
	s.must(s.load().Resume())
	s.is(Created)
	s.must(s.load().Kill(unix.SIGKILL, false))
	s.becomes(Stopped)
	isError(t, s.load().Pause(), ErrNotRunning, "container not running")
	isError(t, s.load().Resume(), ErrNotPaused, "container not paused")
}

// A container stands still with the cgroup that it lies in, whoever has frozen that one.
func TestResumeBelowAFrozenCgroup(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	paths := s.cg.Paths()
	for name, dir := range paths {
		paths[name] = filepath.Dir(dir)
	}
	above, err := cgroups.Open(paths)
	s.must(err)
	defer above.Close()
	s.must(above.Freeze())
	t.Cleanup(func() { s.must(above.Thaw()) })
	s.is(Paused)
	isError(t, s.load().Resume(), cgroups.ErrFrozenAbove, "a cgroup above it is frozen, and must be thawed first")
	s.is(Paused)
	s.must(above.Thaw())
	s.is(Running)
}

func TestPids(t *testing.T) {
	s := newStandIn(t, true, family)
	if pids := s.pids(); len(pids) != 3 || !contains(pids, s.init.Process.Pid) {
		t.Errorf("%v lacks something, the init %d perhaps", pids, s.init.Process.Pid)
	}
	s.must(s.load().Kill(unix.SIGKILL, false))
	s.eventually("death of all", func() bool { return len(s.pids()) == 0 })
	bare := *s.load()
	bare.rec.CgroupPaths = nil
	_, err := bare.Pids()
	isError(t, err, ErrNoCgroup, "container has no cgroup: its processes can't be told from others")
}

func TestList(t *testing.T) {
	s := newStandIn(t, false, sleeping)
	unfinished, err := state.Create(s.rt.Root, "a-being-made")
	s.must(err)
	unlock, err := unfinished.Lock(t.Context(), true)
	s.must(err)
	defer unlock()
	_, err = state.Create(s.rt.Root, "b-abandoned")
	s.must(err)
	broken, err := state.Create(s.rt.Root, "d-broken")
	s.must(err)
	s.must(broken.WriteFile("state.json", []byte("{")))

	all, bad, err := s.rt.List()
	s.must(err)
	if len(all) != 1 || all[0].ID() != "c" {
		t.Errorf("%d containers", len(all))
	}
	if text := errors.Join(bad...).Error(); len(bad) != 2 || !strings.Contains(text, "load container b-abandoned: ") || !strings.Contains(text, "load container d-broken: ") {
		t.Errorf("broken: %s", text)
	}
	_, _, err = (&Runtime{Root: s.rt.Root + "/missing"}).List()
	isError(t, err, os.ErrNotExist, "")
}

// Commands at once neither corrupt a container nor fail for each other's sake.
func TestVerbsAtOnce(t *testing.T) {
	s := newStandIn(t, true, sleeping)
	var wg sync.WaitGroup
	deleted := make([]error, 6)
	for i := range deleted {
		wg.Go(func() {
			for _, verb := range []func(*Container) error{(*Container).Pause, (*Container).Resume} {
				if c, err := s.rt.Load("c"); err == nil {
					err = verb(c)
					if err != nil && !errors.Is(err, ErrNotRunning) && !errors.Is(err, ErrNotPaused) && !errors.Is(err, ErrNotExist) {
						t.Error(err)
					}
				}
			}
			deleted[i] = s.rt.Delete(t.Context(), "c", i%2 == 0)
			if errors.Is(deleted[i], ErrNotExist) && i%2 == 1 || deleted[i] != nil && strings.Contains(deleted[i].Error(), "that is not stopped") {
				deleted[i] = nil
			}
		})
	}
	wg.Wait()
	if err := errors.Join(deleted...); err != nil {
		t.Error(err)
	}
	s.nothingLeft()
}
