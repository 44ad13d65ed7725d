package v2

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

const freezeFile, eventsFile = "cgroup.freeze", "cgroup.events"

// Frozen asks both files: cgroup.freeze tells of a freeze of this cgroup that is not complete yet,
// cgroup.events of one that is, of this cgroup or one above it.
func (c *Cgroup) Frozen() (bool, error) {
	own, err := c.dir.Read(freezeFile)
	if err == nil && strings.TrimSpace(own) != "0" {
		return true, nil
	}
	var events string
	if err == nil {
		events, err = c.dir.Read(eventsFile)
	}
	if backend.Gone(err) { // also the root of the tree
		return false, nil
	}
	return strings.Contains(events, "frozen 1"), err
}

// Freeze stops the processes and returns when they stand still.
func (c *Cgroup) Freeze(timeout time.Duration) error {
	if err := c.dir.Write(freezeFile, "1"); err != nil {
		return err
	}
	ok, err := c.waitEvent("frozen 1", time.Now().Add(timeout))
	if err == nil && !ok {
		err = fmt.Errorf("freeze %s: some process did not stop within %s", c.dir.Path, timeout)
	}
	return err
}

// Thaw lets the processes run again, unless a cgroup above is frozen.
func (c *Cgroup) Thaw() error { return c.dir.Write(freezeFile, "0") }

// ReleaseKilled thaws the cgroup. Here SIGKILL works on a frozen process too.
func (c *Cgroup) ReleaseKilled() error {
	if err := c.Thaw(); !backend.Gone(err) {
		return err
	}
	return nil
}

// WaitEmpty waits until the last process has left the cgroup and those below it; false means that
// the deadline came first. A cgroup that is gone is empty.
func (c *Cgroup) WaitEmpty(deadline time.Time) (bool, error) {
	empty, err := c.waitEvent("populated 0", deadline)
	if backend.Gone(err) {
		return true, nil
	}
	return empty, err
}

// waitEvent waits until cgroup.events has the line, or until the deadline; then ok is false. A
// cgroup that goes away meanwhile has no more events: the error is then ENODEV or ENOENT.
func (c *Cgroup) waitEvent(line string, deadline time.Time) (ok bool, err error) {
	fd, err := c.dir.OpenFile(eventsFile, unix.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	for {
		// The read arms the poll: the kernel reports changes since the last one.
		text, err := backend.ReadFD(fd)
		if err != nil {
			return false, &backend.FileError{Verb: "read", Path: c.dir.File(eventsFile), Err: err}
		}
		if strings.Contains(text, line) {
			return true, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		ts := unix.NsecToTimespec(left.Nanoseconds())
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		if _, err := unix.Ppoll(poll, &ts, nil); err != nil && err != unix.EINTR {
			return false, fmt.Errorf("wait for %s: %w", c.dir.File(eventsFile), err)
		}
	}
}
