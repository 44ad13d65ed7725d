package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
	"weak"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/note"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/options"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/stdio"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

const (
	// lastTime is how long the exits of other processes are waited for before the init's is told.
	lastTime = 5 * time.Second
	// deathTime is how long Delete waits for the init that it has killed.
	deathTime = 10 * time.Second
)

// container is one task. Its lock is held for moments only: State has to be answered while anything
// else takes its time.
type container struct {
	service   *Service
	id        string
	bundle    string
	rt        *libcontainer.Runtime
	options   options.Options
	restoring *restoration  // nil if it is not restored
	private   bool          // the kernel ends all processes with the init
	made      bool          // guarded by the service's lock
	settled   chan struct{} // closed when it is made, or is not going to be

	notices  <-chan struct{} // of a lack of memory; nil without a watch
	endWatch func()

	mu        sync.Mutex
	machine   *task.Machine
	processes map[string]*process // by exec id
	// config is what the container was created with, for as long as the garbage collector leaves
	// it: several processes that are executed one after the other read it once, and in the months
	// between it is not in memory.
	config weak.Pointer[known]
	oom    bool // it is told that memory has run out
	dumped bool // a checkpoint has ended and removed it
}

// process is the init or a further process.
type process struct {
	streams config
	opened  *stdio.Streams // nil before the start
	spec    *specs.Process // of a further process
	running *libcontainer.Process
	ahead   *preparation // nil without one

	// What was said before it was started.
	size      *size
	inputOver bool
}

type size struct{ width, height uint16 }

// open takes the streams, and makes up for what was said before.
func (p *process) open(opened *stdio.Streams) error {
	p.opened = opened
	if p.size != nil {
		if err := opened.Resize(p.size.width, p.size.height); err != nil {
			return err
		}
	}
	if p.inputOver {
		return opened.CloseInput()
	}
	return nil
}

type config = stdio.Config

func (c *container) rootfs() string { return filepath.Join(c.bundle, "rootfs") }

func (c *container) checks() check.Options {
	return check.Options{SystemdCgroup: c.options.SystemdCgroup, NoPivot: c.options.NoPivot}
}

// with calls f with the machine. All that it asks and tells is one step.
func (c *container) with(f func(*task.Machine) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f(c.machine)
}

func (c *container) process(id string) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[id]
}

// owns reports whether a process is one that was started for the container and is waited for.
func (c *container) owns(pid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		if p.running != nil && p.running.Pid == pid || p.opened != nil && p.opened.LogProgram() == pid {
			return true
		}
	}
	return false
}

// load gives the container for one call: the library's object is for one goroutine.
func (c *container) load() (*libcontainer.Container, error) { return c.rt.Load(c.id) }

// known is a container's configuration, which is not to be changed, and what follows from it.
type known struct {
	spec   *specs.Spec
	filter *seccomp.Program // nil for none, or for one with an error, which each process finds
}

// configuration is what the container was created with.
func (c *container) configuration(lc *libcontainer.Container) (*known, error) {
	c.mu.Lock()
	k := c.config.Value()
	c.mu.Unlock()
	if k != nil {
		return k, nil
	}
	spec, err := lc.Config()
	if err != nil {
		return nil, err
	}
	k = &known{spec: spec}
	if filter, err := compile.SeccompFilter(spec); err == nil {
		k.filter = filter
	}
	c.mu.Lock()
	c.config = weak.Make(k)
	c.mu.Unlock()
	return k, nil
}

// watch waits for the end of a process, and tells of it.
func (c *container) watch(id string, p *libcontainer.Process) {
	status, err := p.WaitContext(context.Background())
	end := task.EndOf(status, err, time.Now())
	if err != nil {
		c.service.warn(err.Error())
	}
	if id != "" {
		_ = c.with(func(m *task.Machine) error { m.Ended(id, end); return nil })
		return
	}
	c.initEnded(p.Pid, end)
}

func (c *container) initEnded(pid int, end task.End) {
	n := note.Of(c.rt)
	n.Pid, n.Status, n.ExitedAt = pid, end.Status, end.At
	if err := n.Save(c.bundle); err != nil {
		c.service.warn(err.Error())
	}
	oom := c.wasOOMKilled()
	c.endWatch()
	_ = c.with(func(m *task.Machine) error {
		if oom && !c.oom {
			m.OutOfMemory()
		}
		m.Ended("", end)
		return nil
	})
	if !c.private {
		c.killRest()
	}
	c.service.sweepLater()
	over, _ := c.machine.Over("")
	late := time.NewTimer(lastTime)
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
		_ = c.with(func(m *task.Machine) error { m.GiveUp(); return nil })
	}
}

// ended reports whether the init has ended.
func (c *container) ended() (ended bool) {
	_ = c.with(func(m *task.Machine) error {
		v, err := m.State("")
		ended = err == nil && v.Status == task.Stopped
		return err
	})
	return ended
}

// removedBySomebody reports whether an ended container is no longer recorded.
func (c *container) removedBySomebody() bool {
	c.mu.Lock()
	dumped := c.dumped
	c.mu.Unlock()
	if dumped {
		_, err := os.Stat(c.bundle)
		return err != nil
	}
	_, err := c.load()
	return errors.Is(err, libcontainer.ErrNotExist)
}

// watchMemory tells that memory has run out.
func (c *container) watchMemory() {
	for range c.notices {
		_ = c.with(func(m *task.Machine) error {
			c.oom = true
			m.OutOfMemory()
			return nil
		})
	}
}

// wasOOMKilled asks at the end: the notice of what has ended the init may not have come yet, and
// the event has to come before the exit.
func (c *container) wasOOMKilled() bool {
	lc, err := c.load()
	if err != nil {
		return false
	}
	killed, err := lc.OOMKilled()
	return err == nil && killed
}

// killRest ends what the kernel has not ended together with the init.
func (c *container) killRest() {
	lc, err := c.load()
	if err == nil {
		err = lc.Kill(unix.SIGKILL, true)
	}
	if err != nil && !errors.Is(err, libcontainer.ErrNotExist) {
		c.service.warn(err.Error())
	}
}
