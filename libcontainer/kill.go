package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// Kill sends a signal to the container's init; 0 only asks whether it could be sent. With all,
// every process of the container gets it, and one that has stopped is no error. SIGKILL ends the
// whole container in any case, paused or not, and what is left of it when its init is gone. Without
// a cgroup only the init can be found, and what the kernel ends with it; or, for SIGKILL, what has
// the container's root.
//
// Kill takes no lock: a container must be mortal while another command is stuck with it.
func (c *Container) Kill(sig unix.Signal, all bool) error {
	init, err := c.living()
	if err == nil {
		defer init.Close()
	}
	whole := all || sig == unix.SIGKILL && !c.rec.PrivatePid()
	forgiven := errors.Is(err, ErrNotRunning) && (all || whole && c.outlivesInit())
	switch {
	case err != nil && !forgiven:
		return err
	case whole && c.rec.CgroupMade && len(c.rec.CgroupPaths) > 0:
		return c.signalAll(init, sig)
	case sig == unix.SIGKILL && scattered(c.rec) && c.rec.ProcessRoot != 0:
		return c.killScattered(init)
	case init == nil:
		return nil
	case all && !(sig == unix.SIGKILL && c.rec.PrivatePid()):
		if err := c.needsCgroup(unknownPids); err != nil {
			return err
		}
	}
	if err := signal(init, sig); err != nil {
		return err
	}
	if sig == unix.SIGKILL {
		return c.letDie()
	}
	return nil
}

// outlivesInit reports whether there are processes although the init has ended. A pid namespace of
// their own would have ended with it.
func (c *Container) outlivesInit() bool {
	if c.rec.Phase == state.Creating {
		return false
	}
	pids, err := c.Pids()
	return err == nil && len(pids) > 0
}

// living opens the init, which the specification lets be signalled when the container is created or
// running.
func (c *Container) living() (*os.File, error) {
	if c.rec.Phase == state.Creating {
		return nil, ErrNotRunning
	}
	init, err := c.rec.OpenInit()
	if errors.Is(err, unix.ESRCH) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("open the container's init: %w", err)
	}
	return init, nil
}

// signal sends sig to the process behind a pidfd.
func signal(pidfd *os.File, sig unix.Signal) error {
	err := unix.PidfdSendSignal(int(pidfd.Fd()), sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("unable to signal init: %w", refusal.Explain("pidfd_send_signal", err))
	}
	return nil
}

// signalAll signals every process of the container; init is nil when it is dead already.
func (c *Container) signalAll(init *os.File, sig unix.Signal) error {
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	if err := cg.Signal(sig); err != nil {
		return fmt.Errorf("unable to signal all processes: %w", err)
	}
	// It may have been moved elsewhere.
	if init != nil && sig == unix.SIGKILL {
		if err := signal(init, sig); !errors.Is(err, ErrNotRunning) {
			return err
		}
	}
	return nil
}

// letDie thaws a frozen container: the v1 freezer keeps even a killed process. A cgroup above that
// is frozen is not ours: the killed process ends when that one is thawed.
func (c *Container) letDie() error {
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	if frozen, err := cg.Frozen(); err != nil || !frozen {
		return err
	}
	if err := cg.Thaw(); !errors.Is(err, cgroups.ErrFrozenAbove) {
		return err
	}
	return nil
}
