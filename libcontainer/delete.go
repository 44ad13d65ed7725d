package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/hooks"
	"github.com/ociruntime/ociruntime/libcontainer/internal/pidfd"
	"github.com/ociruntime/ociruntime/libcontainer/internal/rootfs"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

const (
	// busyTimeout is how long a forced delete leaves the container's processes to another command
	// that holds the container.
	busyTimeout = time.Second
	// deathTimeout is how long processes may take to die of SIGKILL.
	deathTimeout = 10 * time.Second
	// dyingTimeout is how long one may take to be dead that has left its cgroup.
	dyingTimeout = time.Second
)

// Delete removes a container by its id, as [Container.Delete] does, and also what is left of one
// that can't be loaded: a directory without a record, whatever force says, one with a broken record
// with force. With force an unknown id is no error.
func (r *Runtime) Delete(ctx context.Context, id string, force bool) error {
	c, err := r.Load(id)
	if err != nil && !errors.Is(err, ErrInvalidID) {
		c, err = r.deleteBroken(ctx, id, force, err)
	}
	if err == nil && c != nil {
		err = c.Delete(ctx, force)
	}
	if force && errors.Is(err, ErrNotExist) {
		return nil
	}
	return err
}

// deleteBroken removes the directory of a container that could not be loaded because of cause. The
// container is returned when it turns out that it was only being made.
func (r *Runtime) deleteBroken(ctx context.Context, id string, force bool, cause error) (*Container, error) {
	// The record is written before anything happens, so that without one there is nothing but the
	// directory.
	empty := errors.Is(cause, ErrNotExist)
	if !empty && !force || unread(cause) {
		return nil, cause
	}
	dir, err := state.Open(r.Root, id)
	if err != nil {
		return nil, err
	}
	unlock, err := dir.LockWithin(ctx, lockTimeout)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if c, err := r.Load(id); err == nil {
		return c, nil
	}
	if err := dir.Remove(); err != nil {
		return nil, err
	}
	if empty {
		return nil, cause
	}
	r.warn(fmt.Sprintf("container %s could not be loaded (%v): only its directory was removed", id, cause))
	return nil, nil
}

// unread reports whether a record may be whole that could not be read, for want of memory, say.
// Without it nobody would find what it speaks of.
func unread(err error) bool {
	var file *fs.PathError
	return errors.As(err, &file) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EISDIR)
}

// Delete removes a container: what is left of its processes and its cgroup, then the poststop hooks
// run, then the directory goes, and its id is free. One that was created but not started is killed
// first, as engines expect (and so is one whose create died); a running or paused one only with
// force. Hooks apart, Delete is bounded in time; after an error it can be called again.
//
// When ctx ends, Delete gives its cause and no longer waits for locks and processes. The poststop
// hook that runs is killed, those behind it are left out, and then the container is gone all the
// same: what becomes of these hooks changes nothing in its life cycle.
func (c *Container) Delete(ctx context.Context, force bool) error {
	unlock, err := c.lockToDelete(ctx, force)
	if err != nil {
		return err
	}
	defer unlock()
	status, err := c.Status()
	if err != nil && !force {
		return err
	}
	switch status {
	case Running, Paused:
		if !force {
			return &statusError{fmt.Sprintf("cannot delete container %s that is not stopped: %s", c.ID(), status), ErrRunning}
		}
	case Creating:
		// We have the lock, so its creator is dead.
	}
	return c.destroy(ctx, force || status != Stopped, deathTimeout)
}

// lockToDelete waits for other commands. With force it kills the container's processes when that
// takes too long: what the holder waits for, a hook apart, are they.
func (c *Container) lockToDelete(ctx context.Context, force bool) (unlock func(), err error) {
	if force {
		unlock, err := c.dir.LockWithin(ctx, busyTimeout)
		if err == nil {
			if err = c.reload(); err != nil {
				unlock()
			}
			return unlock, err
		}
		if errors.Is(err, state.ErrBusy) && c.reload() == nil {
			_, _ = c.killEverything()
		}
	}
	return c.lock(ctx)
}

// destroyFailed removes the container after a failure in its start. When that was the end of ctx,
// the poststop hooks run all the same, but not for ever: nothing else would end them.
func (c *Container) destroyFailed(ctx context.Context) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	return c.destroy(ctx, true, deathTimeout)
}

// afterwards is the context for what has to be done after a failure, even if ctx has ended.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(context.WithoutCancel(ctx), deathTimeout, context.Cause(ctx))
}

// destroy undoes what create did. With kill it ends the container first; without, only processes
// that the kernel has not killed together with the init. It gives processes that long to die. The
// caller holds the lock.
func (c *Container) destroy(ctx context.Context, kill bool, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	var killErr error
	if kill || !c.rec.PrivatePid() {
		var init *os.File
		init, killErr = c.killEverything()
		if init != nil {
			defer init.Close()
			if err := awaitDeath(ctx, init, deadline); err != nil {
				return errors.Join(c.survivor(err), killErr)
			}
		}
		if err := c.endStrays(ctx, deadline); err != nil {
			return errors.Join(err, killErr)
		}
	}
	if err := errors.Join(c.removeCgroup(cg, deadline), c.removeResctrl(), rootfs.RemoveHostMounts(c.rec)); err != nil {
		return errors.Join(err, killErr)
	}
	if killErr != nil && !c.endsWithin(dyingTimeout) {
		// The cgroup is gone, but it need not have held the init: without a record nobody would
		// find that again.
		return killErr
	}
	return errors.Join(c.poststop(ctx), c.dir.Remove())
}

// killEverything sends SIGKILL to all processes of the container, frozen or not. init is a pidfd,
// nil when it is dead already.
func (c *Container) killEverything() (init *os.File, err error) {
	c.rec.KillWorker()
	if c.rec.CgroupMade {
		cg, cerr := c.cgroup()
		if cerr == nil {
			cerr = cg.KillAll()
			cg.Close()
		}
		err = cerr
	}
	init, ierr := c.rec.OpenInit()
	if ierr == nil {
		ierr = refusal.Explain("pidfd_send_signal", unix.PidfdSendSignal(int(init.Fd()), unix.SIGKILL, nil, 0))
	}
	if errors.Is(ierr, unix.ESRCH) {
		ierr = nil
	}
	if ierr != nil {
		ierr = fmt.Errorf("kill the container's init: %w", ierr)
	}
	return init, errors.Join(err, ierr)
}

// endsWithin looks for the init without a descriptor of it. A killed process leaves its cgroup a
// moment before it is dead.
func (c *Container) endsWithin(patience time.Duration) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if init, err := c.rec.Init(); init == nil && err == nil {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// awaitDeath waits for the process behind a pidfd, until ctx or its time ends.
func awaitDeath(ctx context.Context, init *os.File, deadline time.Time) error {
	const turn = 50 * time.Millisecond // how late the end of ctx may be seen
	for {
		ended, err := pidfd.Await(init, min(turn, time.Until(deadline)))
		switch {
		case err != nil:
			return fmt.Errorf("wait for the container's init: %w", err)
		case ended:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !time.Now().Before(deadline):
			return errSurvived
		}
	}
}

var errSurvived = errors.New("container init still running")

// survivor adds to errSurvived what the process is doing.
func (c *Container) survivor(err error) error {
	p, _ := c.rec.Init()
	if p == nil || !errors.Is(err, errSurvived) {
		return err
	}
	why := fmt.Sprintf("in state %c", p.State)
	if p.State == 'D' {
		why = "in an uninterruptible wait (state D), perhaps for a device, a network file system or the end of a freeze"
	}
	return fmt.Errorf("%w: process %d (%s) was sent SIGKILL and is still %s", err, p.Pid, p.Command, why)
}

// removeCgroup removes the container's cgroup, waiting for processes that are about to end.
func (c *Container) removeCgroup(cg *cgroups.Cgroup, deadline time.Time) error {
	if c.rec.CgroupMade {
		c.stopUnit()
		return cg.Remove(max(time.Second, time.Until(deadline)))
	}
	// Create was interrupted. What it made is empty; anything else was there before, and is
	// somebody else's.
	if err := cgroups.RemoveUnused(c.rec.CgroupPaths); err != nil {
		c.rt.warn(fmt.Sprintf("container %s, which was not created: %v", c.ID(), err))
	}
	if !cg.Exists() {
		// Its unit holds nothing. One that somebody else has under this name has a cgroup.
		c.stopUnit()
	}
	return nil
}

// HasPoststop reports whether the container may have poststop hooks, with which Delete takes as
// long as they do.
func (c *Container) HasPoststop() bool { return !c.rec.NoPoststop }

// poststop runs the hooks of that name. Their failure changes nothing (config.md, "Poststop"), so
// only the end of ctx is an error. They run before the directory goes: should we be killed
// meanwhile, the next delete runs them again.
func (c *Container) poststop(ctx context.Context) error {
	if c.rec.NoPoststop {
		return nil
	}
	spec, err := c.Config()
	if err != nil {
		c.rt.warn(fmt.Sprintf("poststop hooks are left out: %v", err))
		return nil
	}
	if spec.Hooks == nil {
		return nil
	}
	return c.rt.runPoststop(ctx, spec.Hooks.Poststop, c.hookState(Stopped, 0), c.hookDir())
}

// runPoststop warns of hooks that fail. The error is that of the first which the end of ctx has cut
// short.
func (r *Runtime) runPoststop(ctx context.Context, list []specs.Hook, st *specs.State, dir string) error {
	var cut error
	hooks.RunAll(ctx, hooks.Poststop, list, st, hooks.Options{Dir: dir}, func(err error) {
		switch {
		case ctx.Err() == nil:
			r.warn(err.Error())
		case cut == nil:
			cut = err
		}
	})
	return cut
}
