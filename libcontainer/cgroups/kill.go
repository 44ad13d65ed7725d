package cgroups

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// KillAll sends SIGKILL to every process of the cgroup and of those below it, frozen or not, and
// lets frozen ones run to their end. It does not wait for them: Remove does, and Wait.
func (c *Cgroup) KillAll() error {
	if len(c.nodes) == 0 {
		return nil
	}
	n := c.v2()
	if n == nil {
		return c.killFrozen()
	}
	// The kernel kills the whole tree, and what forks meanwhile. It refuses a threaded cgroup.
	err := n.Kill()
	switch {
	case backend.Gone(err), errors.Is(err, unix.EOPNOTSUPP):
		return c.killFrozen()
	case err != nil:
		return err
	case c.Unified():
		return nil
	}
	// Processes may have left the v2 cgroup, but not the v1 ones.
	return backend.Also(c.signal(unix.SIGKILL), c.releaseKilled())
}

// killFrozen kills one by one. While the processes are frozen none can fork. Without a freezer, a
// few rounds catch up with all but a fork bomb.
func (c *Cgroup) killFrozen() error {
	pids, err := c.victims()
	if err != nil || len(pids) == 0 {
		return backend.Also(err, c.releaseKilled())
	}
	rounds := 1
	if err := c.Freeze(); err != nil {
		rounds = 10
	}
	for range rounds {
		if err := c.signal(unix.SIGKILL); err != nil {
			return backend.Also(err, c.releaseKilled())
		}
	}
	return c.releaseKilled()
}

// releaseKilled lets killed processes run to their end, frozen or not.
func (c *Cgroup) releaseKilled() error {
	if n := c.freezer(); n != nil {
		return n.ReleaseKilled()
	}
	return nil
}

// Signal sends a signal to every process of the cgroup and of those below it. Processes that end
// meanwhile are skipped.
func (c *Cgroup) Signal(sig unix.Signal) error {
	if sig == unix.SIGKILL {
		return c.KillAll()
	}
	return c.signal(sig)
}

// victims are the processes to signal. Were a damaged state file to name the root of a hierarchy,
// that would be all of the machine's.
func (c *Cgroup) victims() ([]int, error) {
	pids, err := c.Pids()
	if err == nil && slices.Contains(pids, 1) {
		return nil, fmt.Errorf("cgroup %s holds process 1: it cannot be a container's", c.procs().Path)
	}
	return pids, err
}

// signal sends the signal to one part of the processes after the other, each of which is held by a
// descriptor meanwhile.
func (c *Cgroup) signal(sig unix.Signal) error {
	pids, err := c.victims()
	if err != nil {
		return err
	}
	var failure error
	for part := range slices.Chunk(pids, 100) {
		if err := c.signalSome(part, sig); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// signalSome sends the signal to those of the processes that are in the cgroup. A number that was
// read there may be that of another process by now. So a pidfd is opened for it first, and then the
// cgroup is asked again: who is still in it is the process behind the pidfd, or that one has ended.
func (c *Cgroup) signalSome(pids []int, sig unix.Signal) error {
	held := make(map[int]int, len(pids))
	defer func() {
		for _, fd := range held {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH || err == unix.EINVAL {
			continue // the second, when its number still names a process group of others
		}
		if err != nil {
			return fmt.Errorf("open process %d of cgroup %s: %w", pid, c.procs().Path, refusal.Explain("pidfd_open", err))
		}
		held[pid] = fd
	}
	members, err := c.victims()
	if err != nil {
		return err
	}
	var failure error
	for pid, fd := range held {
		if _, found := slices.BinarySearch(members, pid); !found {
			continue
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && err != unix.ESRCH && failure == nil {
			failure = fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), pid, refusal.Explain("pidfd_send_signal", err))
		}
	}
	return failure
}
