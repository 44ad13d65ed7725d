package cgroups

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoFreezer says that the container has no cgroup that can be frozen.
var ErrNoFreezer = errors.New("no cgroup freezer for this container")

// freezeTimeout bounds Freeze: a process in an uninterruptible wait can hold the kernel up for as long as it likes.
const freezeTimeout = 10 * time.Second

// freezer is the v1 freezer where there is one, since that is where other tools look for the state, else the v2 directory.
func (c *Cgroup) freezer() *node {
	if n := c.v1("freezer"); n != nil {
		return n
	}
	return c.v2()
}

// Frozen says whether the cgroup is frozen or being frozen. A cgroup that is gone is not.
func (c *Cgroup) Frozen() (bool, error) {
	n := c.freezer()
	if n == nil {
		return false, nil
	}
	return n.frozen()
}

func (n *node) frozen() (bool, error) {
	file, thawed := "freezer.state", "THAWED"
	if n.v2 {
		file, thawed = "cgroup.freeze", "0"
	}
	s, err := n.read(file)
	if err != nil {
		if gone(err) { // also a hierarchy without the freezer, and the tree's root
			return false, nil
		}
		return false, err
	}
	return strings.TrimSpace(s) != thawed, nil
}

// Freeze stops every process of the cgroup and returns when they stand still. If they don't in time, it thaws them again.
func (c *Cgroup) Freeze() error {
	n := c.freezer()
	if n == nil {
		return ErrNoFreezer
	}
	freeze := (*node).freezeV1
	if n.v2 {
		freeze = (*node).freezeV2
	}
	if err := freeze(n, time.Now().Add(freezeTimeout)); err != nil {
		return also(err, c.Thaw())
	}
	return nil
}

// Thaw lets the processes run again.
func (c *Cgroup) Thaw() error {
	n := c.freezer()
	switch {
	case n == nil:
		return ErrNoFreezer
	case n.v2:
		return n.write("cgroup.freeze", "0")
	}
	return n.write("freezer.state", "THAWED")
}

func (n *node) freezeV2(deadline time.Time) error {
	if err := n.write("cgroup.freeze", "1"); err != nil {
		return err
	}
	ok, err := n.waitEvent("frozen 1", deadline)
	if err == nil && !ok {
		err = fmt.Errorf("freeze %s: some process did not stop within %s", n.path, freezeTimeout)
	}
	return err
}

// freezeV1 has to look again and again: the v1 freezer gives no notice, and finds out how far it has come only when the
// state is read. A process that forks at the wrong moment stays unfrozen until FROZEN is written once more.
func (n *node) freezeV1(deadline time.Time) error {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		if err := n.write("freezer.state", "FROZEN"); err != nil {
			return err
		}
		s, err := n.read("freezer.state")
		if err != nil {
			return err
		}
		if strings.TrimSpace(s) == "FROZEN" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("freeze %s: some process did not stop within %s", n.path, freezeTimeout)
		}
		time.Sleep(pause)
	}
}

// waitEvent waits until cgroup.events of a v2 cgroup has the line, or until the deadline; then ok is false. A cgroup that goes
// away meanwhile has no more events: the error is then ENODEV or ENOENT.
func (n *node) waitEvent(line string, deadline time.Time) (ok bool, err error) {
	dir, err := n.open()
	if err != nil {
		return false, err
	}
	fd, err := openAt(dir, "cgroup.events", unix.O_RDONLY)
	if err != nil {
		return false, &FileError{Verb: "open", Path: n.file("cgroup.events"), Err: err}
	}
	defer unix.Close(fd)
	for {
		// The read arms the poll: the kernel reports changes since the last one.
		text, err := readFD(fd)
		if err != nil {
			return false, &FileError{Verb: "read", Path: n.file("cgroup.events"), Err: err}
		}
		if strings.Contains(text, line) {
			return true, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		ts := unix.NsecToTimespec(left.Nanoseconds())
		if _, err := unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, &ts, nil); err != nil && err != unix.EINTR {
			return false, fmt.Errorf("wait for %s: %w", n.file("cgroup.events"), err)
		}
	}
}
