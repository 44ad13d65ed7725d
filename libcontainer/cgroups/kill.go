package cgroups

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/refusal"
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
	// Processes may have left the v2 cgroup, but not the v1 ones.
	return also(c.signal(unix.SIGKILL), c.thawDead())
}

// Unified says that the cgroup lies on cgroup v2 alone.
func (c *Cgroup) Unified() bool { return len(c.nodes) == 1 && c.nodes[0].v2 }

// killFrozen kills one by one. While the processes are frozen none can fork. Without a freezer, a few rounds catch up with all
// but a fork bomb.
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

// thawDead lets killed processes run to their end. The v1 freezer keeps them from dying, also that of
// a cgroup above the container's, which is not ours to thaw: they are moved out of it.
func (c *Cgroup) thawDead() error {
	err := c.Thaw()
	if errors.Is(err, ErrNoFreezer) || gone(err) {
		return nil
	}
	n := c.v1("freezer")
	if err != nil || n == nil {
		return err
	}
	frozen, err := n.frozen()
	if err != nil || !frozen {
		return err
	}
	above, err := n.thawedAbove()
	if err != nil {
		return err
	}
	defer above.close()
	pids, err := n.pids()
	for _, pid := range pids {
		if werr := above.write("cgroup.procs", itoa(int64(pid))); werr != nil && !errors.Is(werr, unix.ESRCH) {
			err = also(err, werr)
		}
	}
	return err
}

// thawedAbove is the nearest cgroup above that is not frozen. The root of the hierarchy never is.
func (n *node) thawedAbove() (*node, error) {
	above := &node{path: path.Dir(n.path), fd: -1}
	for {
		_, err := above.open()
		if err != nil {
			return nil, fmt.Errorf("%s is frozen by a cgroup above it that can't be seen here: %w", n.path, err)
		}
		frozen, err := above.frozen()
		if err == nil && !frozen {
			return above, nil
		}
		above.close()
		if err != nil {
			return nil, err
		}
		above.path = path.Dir(above.path)
	}
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
		if err == unix.ESRCH {
			continue
		}
		if err != nil {
			return fmt.Errorf("open process %d of cgroup %s: %w", pid, c.procs().path, refusal.Explain("pidfd_open", err))
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
