package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// Without a pid namespace of its own a container's processes outlive its init, and without a cgroup
// nothing holds them together. What is left of them is found by the mount that is their root: it is
// the container's alone, and its id is not used again. In a program that has become the parent of
// what loses its own, they are also found among its children.

// scattered reports whether there is neither a cgroup nor a pid namespace to find processes by.
func scattered(rec *state.Record) bool { return len(rec.CgroupPaths) == 0 && !rec.PrivatePid() }

// noteProcessRoot notes the mount that is the root of the container's processes, if they may have
// to be found by it. Who can't look at the init won't find them.
func (c *creation) noteProcessRoot() {
	if !scattered(c.rec) {
		return
	}
	if _, own := namespace.Of(c.spec, specs.MountNamespace); !own && !compile.MountsOnHost(c.spec) {
		return // it lies in a mount of the host's
	}
	id, unique := probe.RootMount(c.proc.Pid())
	if ours, _ := probe.RootMount(os.Getpid()); unique && id != ours {
		c.rec.ProcessRoot = id
	}
}

// endStrays kills what is left of the processes of a scattered container, until there is nothing
// more.
func (c *Container) endStrays(ctx context.Context, deadline time.Time) error {
	if !scattered(c.rec) || c.rec.Phase == state.Creating {
		return nil
	}
	s, err := c.newStrays()
	if err != nil {
		return err
	}
	if s.root == 0 && !s.all && s.session != 0 {
		c.rt.warn("linux.namespaces: without a pid namespace and a cgroup, processes that have outlived the container can't be told from others: any that there are go on")
	}
	for {
		killed, err := s.kill()
		for pid, fd := range killed {
			if err == nil {
				err = awaitDeath(ctx, fd, deadline)
			}
			if errors.Is(err, errSurvived) {
				err = fmt.Errorf("process %d of the container was sent SIGKILL and is still running", pid)
			}
			fd.Close()
		}
		if err != nil || len(killed) == 0 {
			return err
		}
	}
}

// killScattered kills the init, nil when it is dead already, and what else there is now. What that
// starts meanwhile is left to Delete.
func (c *Container) killScattered(init *os.File) error {
	if init != nil {
		if err := signal(init, unix.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
	}
	s, err := c.newStrays()
	if err != nil {
		return err
	}
	killed, err := s.kill()
	for _, fd := range killed {
		fd.Close()
	}
	return err
}

// strays tells the processes of a scattered container from others.
type strays struct {
	root    uint64 // the mount that is their root, or 0
	parent  int    // they become this one's children, or 0
	session int    // that of the container's first process
	all     bool   // all of parent's children are
}

func (c *Container) newStrays() (s strays, err error) {
	// Unique ids begin anew with each boot, and the record may have outlived one.
	if same, err := c.rec.SameBoot(); err != nil || !same {
		return s, err
	}
	s = strays{root: c.rec.ProcessRoot, session: c.rec.InitPid}
	if c.rt.Subreaper {
		spec, err := c.Config()
		if err != nil {
			return s, err
		}
		// A hook may have left something of its own.
		s.parent, s.all = os.Getpid(), spec.Hooks == nil
	}
	return s, nil
}

// kill sends SIGKILL to those that there are, and gives their pidfds. Each is looked at while its
// pidfd holds it.
func (s *strays) kill() (map[int]*os.File, error) {
	if s.root == 0 && s.parent == 0 {
		return nil, nil
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("look for the container's processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("look for the container's processes: %w", err)
	}
	killed := map[int]*os.File{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == 1 || pid == os.Getpid() || !s.has(pid) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // it has just ended
		}
		file := os.NewFile(uintptr(fd), "pidfd")
		if err = unix.ESRCH; s.has(pid) {
			err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		if err == nil {
			killed[pid] = file
			continue
		}
		file.Close()
		if !errors.Is(err, unix.ESRCH) {
			return killed, fmt.Errorf("kill process %d of the container: %w", pid, refusal.Explain("pidfd_send_signal", err))
		}
	}
	return killed, nil
}

// has reports whether a process is one of them, and lives.
func (s *strays) has(pid int) bool {
	if s.root != 0 {
		if id, unique := probe.RootMount(pid); unique && id == s.root {
			return true
		}
	}
	if s.parent == 0 {
		return false
	}
	p, err := state.ReadProcess(pid)
	// No new process gets the number of a session that still has members (setsid(2)).
	return err == nil && !p.Dead() && p.Parent == s.parent && (s.all || p.Session == s.session)
}
