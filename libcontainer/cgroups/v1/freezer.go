package v1

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

const stateFile = "freezer.state"

// Frozen reads the cgroup's effective state, which is that of a frozen cgroup above it too.
func (c *Cgroup) Frozen() (bool, error) {
	if !c.has("freezer") {
		return false, nil
	}
	s, err := c.dir.Read(stateFile)
	if err != nil {
		if backend.Gone(err) { // also the root of the hierarchy
			return false, nil
		}
		return false, err
	}
	return strings.TrimSpace(s) != "THAWED", nil
}

// Freeze has to look again and again: the freezer gives no notice, and finds out how far it has
// come only when the state is read. A process that forks at the wrong moment stays unfrozen until
// FROZEN is written once more.
func (c *Cgroup) Freeze(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		if err := c.dir.Write(stateFile, "FROZEN"); err != nil {
			return err
		}
		s, err := c.dir.Read(stateFile)
		if err != nil {
			return err
		}
		if strings.TrimSpace(s) == "FROZEN" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("freeze %s: some process did not stop within %s", c.dir.Path, timeout)
		}
		time.Sleep(pause)
	}
}

// Thaw lets the processes run again, unless a cgroup above is frozen.
func (c *Cgroup) Thaw() error { return c.dir.Write(stateFile, "THAWED") }

// ReleaseKilled thaws the cgroup, so that killed processes can die. What a cgroup above keeps
// frozen is not ours to thaw: the processes are moved out of it.
func (c *Cgroup) ReleaseKilled() error {
	err := c.Thaw()
	if backend.Gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	frozen, err := c.Frozen()
	if err != nil || !frozen {
		return err
	}
	above, err := c.thawedAbove()
	if err != nil {
		return err
	}
	defer above.dir.Close()
	pids, err := c.dir.Pids()
	for _, pid := range pids {
		if werr := above.dir.Write("cgroup.procs", strconv.Itoa(pid)); werr != nil && !errors.Is(werr, unix.ESRCH) {
			err = backend.Also(err, werr)
		}
	}
	return err
}

// thawedAbove is the nearest cgroup above that is not frozen. The root of the hierarchy never is.
func (c *Cgroup) thawedAbove() (*Cgroup, error) {
	for dir := path.Dir(c.dir.Path); ; dir = path.Dir(dir) {
		above := New(dir, c.controllers)
		if _, err := above.dir.Open(); err != nil {
			return nil, fmt.Errorf("%s is frozen by a cgroup above it that can't be seen here: %w", c.dir.Path, err)
		}
		frozen, err := above.Frozen()
		if err == nil && !frozen {
			return above, nil
		}
		above.dir.Close()
		if err != nil {
			return nil, err
		}
	}
}
