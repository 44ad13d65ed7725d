package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// Kill sends a signal to the container's init; 0 only asks whether it could be sent. With all, every process of the container gets it,
// and one that has stopped is no error. SIGKILL ends the whole container in any case, paused or not.
//
// Kill takes no lock: a container must be mortal while another command is stuck with it.
func (c *Container) Kill(sig unix.Signal, all bool) error {
	init, err := c.living()
	if err == nil {
		defer init.Close()
		var unlock func()
		if sig, unlock, err = c.deadly(sig); err == nil {
			defer unlock()
		}
	}
	whole := all || sig == unix.SIGKILL && !c.rec.PrivatePid()
	switch {
	case err != nil && !(errors.Is(err, ErrNotRunning) && all):
		return err
	case whole && c.rec.CgroupMade && len(c.rec.CgroupPaths) > 0:
		return c.signalAll(init, sig)
	case init == nil:
		return nil
	}
	if err := signal(init, sig); err != nil {
		return err
	}
	if sig == unix.SIGKILL {
		return c.thaw()
	}
	return nil
}

// living opens the init, which the specification lets be signalled when the container is created or running.
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

// deadly replaces a signal that should end a container which waits for `start` by SIGKILL: the kernel drops what the first process of a
// pid namespace has no handler for. While the caller has not called unlock, nobody can start the container.
func (c *Container) deadly(sig unix.Signal) (_ unix.Signal, unlock func(), err error) {
	unlock = func() {}
	switch sig {
	case unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGTERM:
	default:
		return sig, unlock, nil
	}
	if status, err := c.Status(); err != nil || status != Created || !c.rec.PrivatePid() {
		return sig, unlock, err
	}
	locked, err := c.dir.LockWithin(context.Background(), 0)
	if errors.Is(err, state.ErrBusy) {
		return sig, unlock, nil // it is being started: the user's program decides
	}
	if err != nil {
		return sig, unlock, err
	}
	if status, err := c.Status(); err != nil || status != Created {
		locked()
		return sig, unlock, err
	}
	return unix.SIGKILL, locked, nil
}

// thaw lets a frozen container go on; the v1 freezer keeps even a killed process.
func (c *Container) thaw() error {
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	if frozen, err := cg.Frozen(); err != nil || !frozen {
		return err
	}
	return cg.Thaw()
}
