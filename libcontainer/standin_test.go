package libcontainer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// Ops of the plan that a stand-in's init pretends to follow.
const (
	waitOp = 10
	execOp = 15
)

// standIn is a container as create leaves it, but for its init, an ordinary process of the host.
type standIn struct {
	*Container
	t        *testing.T
	cg       *cgroups.Cgroup
	init     *exec.Cmd
	reap     func()
	warnings []string
}

// newStandIn makes a running container of a shell script; with pidNS the shell is the first process
// of a pid namespace.
func newStandIn(t *testing.T, pidNS bool, script string) *standIn {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("cgroups and namespaces need root")
	}
	s := &standIn{t: t}
	r := &Runtime{Root: t.TempDir(), Warn: func(m string) { s.warnings = append(s.warnings, m) }}
	dir, err := state.Create(r.Root, "c")
	s.must(err)
	rec, err := state.NewRecord("c")
	s.must(err)
	s.Container = &Container{rt: r, dir: dir, rec: rec}
	host, err := cgroups.Probe()
	s.must(err)
	s.cg, err = cgroups.Create(host, cgroups.Config{Path: fmt.Sprintf("/ociruntime-verbs-%d-%s/c", os.Getpid(), filepath.Base(t.Name())), ID: "c"})
	s.must(err)
	paths := s.cg.Paths()
	t.Cleanup(func() {
		s.must(errors.Join(s.cg.KillAll(), s.cg.Remove(5*time.Second)))
		for _, p := range paths {
			if err := unix.Rmdir(filepath.Dir(p)); err != nil && err != unix.ENOENT {
				t.Error(err)
			}
		}
	})
	s.start(pidNS, script)
	s.must(s.cg.Finish())
	page, err := dir.NewProgressFile()
	s.must(err)
	s.must(page.Close())
	s.progress(execOp)

	rec.Phase, rec.WaitOp, rec.ExecOp = state.Created, waitOp, execOp
	rec.Bundle, rec.Config.Rootfs, rec.Annotations = "/bundle", "/bundle/rootfs", map[string]string{"key": "value"}
	rec.CgroupPaths, rec.CgroupMade = paths, true
	s.must(rec.SetInit(s.init.Process.Pid))
	if pidNS {
		rec.SetNamespaces([]specs.LinuxNamespace{{Type: specs.PIDNamespace}})
	}
	s.save()
	s.must(dir.SaveConfig([]byte("{}")))
	return s
}

// start runs the script in the cgroup and returns when it has said that it is ready.
func (s *standIn) start(pidNS bool, script string) {
	s.t.Helper()
	s.init = exec.Command("/bin/sh", "-c", "read go; "+script)
	s.init.Stderr = os.Stderr
	if pidNS {
		s.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	}
	stdin, err := s.init.StdinPipe()
	s.must(err)
	stdout, err := s.init.StdoutPipe()
	s.must(err)
	s.must(s.init.Start())
	// A frozen process dies of KillAll only.
	s.reap = sync.OnceFunc(func() { _ = s.cg.KillAll(); _ = s.init.Process.Kill(); _ = s.init.Wait() })
	s.t.Cleanup(s.reap)
	s.must(s.cg.Join(s.init.Process.Pid))
	_, err = stdin.Write([]byte("go\n"))
	s.must(err)
	_, err = stdout.Read(make([]byte, 100))
	s.must(err)
}

func (s *standIn) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *standIn) save() { s.t.Helper(); s.must(s.dir.Save(s.rec)) }

// progress plays the init that has begun op.
func (s *standIn) progress(op int) {
	s.t.Helper()
	f, err := s.dir.ProgressFile()
	s.must(err)
	defer f.Close()
	_, err = f.WriteAt(binary.NativeEndian.AppendUint32(nil, uint32(op)), plan.PageOp)
	s.must(err)
}

// load is what the next command gets to see.
func (s *standIn) load() *Container {
	s.t.Helper()
	c, err := s.rt.Load("c")
	s.must(err)
	return c
}

func (s *standIn) is(want Status) {
	s.t.Helper()
	got, err := s.load().Status()
	if err != nil || got != want {
		s.t.Errorf("status %q (%v), want %q", got, err, want)
	}
}

// becomes waits for a status.
func (s *standIn) becomes(want Status) {
	s.t.Helper()
	s.eventually(string(want), func() bool {
		got, err := s.load().Status()
		s.must(err)
		return got == want
	})
}

func (s *standIn) eventually(what string, ok func() bool) {
	s.t.Helper()
	for range 2500 {
		if ok() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.t.Fatalf("never: %s", what)
}

func (s *standIn) pids() []int {
	s.t.Helper()
	pids, err := s.load().Pids()
	s.must(err)
	return pids
}

// nothingLeft checks that the container is gone, with its processes and its cgroups.
func (s *standIn) nothingLeft() {
	s.t.Helper()
	if _, err := s.rt.Load("c"); !errors.Is(err, ErrNotExist) {
		s.t.Errorf("load: %v", err)
	}
	if entries, err := os.ReadDir(s.rt.Root); err != nil || len(entries) > 0 {
		s.t.Errorf("left in the root directory: %v %v", entries, err)
	}
	for _, p := range s.rec.CgroupPaths {
		if _, err := os.Lstat(p); err == nil {
			s.t.Errorf("%s is left", p)
		}
	}
	// A process leaves its cgroup, which is then removed, a moment before it counts as dead.
	s.eventually("the init is dead", func() bool {
		p, err := state.ReadProcess(s.init.Process.Pid)
		return err != nil || p.Dead()
	})
}

// cgroupDir is the container's cgroup for the first of the controllers that has one.
func (s *standIn) cgroupDir(controllers ...string) string {
	s.t.Helper()
	for _, name := range controllers {
		if p, ok := s.rec.CgroupPaths[name]; ok {
			return p
		}
	}
	s.t.Skipf("this machine has none of the cgroup controllers %q", controllers)
	return ""
}

func isError(t *testing.T, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
}

func contains(pids []int, pid int) bool { return slices.Contains(pids, pid) }
