package cgroups

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// KillAll sends SIGKILL to every process of the cgroup and of those below it, frozen or not, and lets frozen ones run to their
// end. It does not wait for them: Remove does, and Wait.
func (c *Cgroup) KillAll() error {
	if len(c.nodes) == 0 {
		return nil
	}
	n := c.v2()
	if n == nil {
		return c.killFrozen()
	}
	// The kernel kills the whole tree, and what forks meanwhile. It refuses a threaded cgroup.
	err := n.write("cgroup.kill", "1")
	switch {
	case gone(err), errors.Is(err, unix.EOPNOTSUPP):
		return c.killFrozen()
	case err != nil:
		return err
	case c.Unified():
		return nil
	}
	// The v1 freezer keeps even a killed process from dying. Processes may have left the v2 cgroup, but not the v1 ones.
	return also(c.signal(unix.SIGKILL), c.thawDead())
}

// Unified says that the cgroup lies on cgroup v2 alone.
func (c *Cgroup) Unified() bool { return len(c.nodes) == 1 && c.nodes[0].v2 }

// killFrozen kills by pid. While the processes are frozen none can fork, and no pid of theirs can come to mean another process.
// Without a freezer, a few rounds catch up with all but a fork bomb.
func (c *Cgroup) killFrozen() error {
	pids, err := c.victims()
	if err != nil || len(pids) == 0 {
		return also(err, c.thawDead())
	}
	rounds := 1
	if err := c.Freeze(); err != nil {
		rounds = 10
	}
	for range rounds {
		if err := c.signal(unix.SIGKILL); err != nil {
			return also(err, c.thawDead())
		}
	}
	return c.thawDead()
}

func (c *Cgroup) thawDead() error {
	err := c.Thaw()
	if errors.Is(err, ErrNoFreezer) || gone(err) {
		return nil
	}
	return err
}

// Signal sends a signal to every process of the cgroup and of those below it. Processes that end meanwhile are skipped.
func (c *Cgroup) Signal(sig unix.Signal) error {
	if sig == unix.SIGKILL {
		return c.KillAll()
	}
	return c.signal(sig)
}

// victims are the processes to signal. Were a damaged state file to name the root of a hierarchy, that would be all of the
// machine's.
func (c *Cgroup) victims() ([]int, error) {
	pids, err := c.Pids()
	if err == nil && slices.Contains(pids, 1) {
		return nil, fmt.Errorf("cgroup %s holds process 1: it cannot be a container's", c.procs().path)
	}
	return pids, err
}

func (c *Cgroup) signal(sig unix.Signal) error {
	pids, err := c.victims()
	if err != nil {
		return err
	}
	var failure error
	for _, pid := range pids {
		if err := unix.Kill(pid, sig); err != nil && err != unix.ESRCH && failure == nil {
			failure = fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), pid, err)
		}
	}
	return failure
}
