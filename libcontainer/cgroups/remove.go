package cgroups

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Wait waits until the last process has left the cgroup; false means that the time was over first.
func (c *Cgroup) Wait(timeout time.Duration) (empty bool, err error) {
	deadline := time.Now().Add(timeout)
	// A process leaves all hierarchies at once, so the v2 tree, which gives notice, speaks for the
	// others too.
	if n := c.v2(); n != nil {
		if empty, err := n.WaitEmpty(deadline); err != nil || !empty {
			return false, err
		}
	}
	for pause := 500 * time.Microsecond; ; pause = min(2*pause, 50*time.Millisecond) {
		pids, err := c.Pids()
		if err != nil || len(pids) == 0 {
			return err == nil, err
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		time.Sleep(pause)
	}
}

// Remove removes the cgroup and all cgroups below it, in every hierarchy, waiting up to timeout for
// processes that are on their way out. What is gone already is fine, so that it can be called again
// after a crash. Parents stay: others may use them.
func (c *Cgroup) Remove(timeout time.Duration) error {
	defer c.Close()
	deadline := time.Now().Add(timeout)
	err := c.removeOnce()
	if n := c.v2(); n != nil && errors.Is(err, unix.EBUSY) {
		if _, err := n.WaitEmpty(deadline); err != nil {
			return err
		}
		err = c.removeOnce()
	}
	// v1 gives no notice, and v2 may need a moment more than its notice promises.
	for pause := 500 * time.Microsecond; errors.Is(err, unix.EBUSY); pause = min(2*pause, 50*time.Millisecond) {
		left := time.Until(deadline)
		if left <= 0 {
			return c.describeBusy(err)
		}
		time.Sleep(min(left, pause))
		err = c.removeOnce()
	}
	return err
}

// removeOnce tries each hierarchy and returns the first error.
func (c *Cgroup) removeOnce() error {
	var failure error
	for _, n := range c.nodes {
		if err := n.Dir().Remove(); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// describeBusy says which processes keep a cgroup from being removed: one in state D waits for a
// device or file system.
func (c *Cgroup) describeBusy(err error) error {
	pids, perr := c.Pids()
	if perr != nil || len(pids) == 0 {
		return err
	}
	const most = 5
	var list []string
	for _, pid := range pids[:min(most, len(pids))] {
		list = append(list, fmt.Sprintf("%d (%s)", pid, processState(pid)))
	}
	if len(pids) > most {
		list = append(list, fmt.Sprintf("and %d more", len(pids)-most))
	}
	return fmt.Errorf("%w; processes remain: %s", err, strings.Join(list, ", "))
}

// processState is the letter of proc_pid_stat(5), behind the command's name, which may hold
// anything.
func processState(pid int) string {
	text, err := backend.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := strings.LastIndexByte(text, ')'); err == nil && i >= 0 && len(text) > i+2 {
		return string(text[i+2])
	}
	return "gone"
}
