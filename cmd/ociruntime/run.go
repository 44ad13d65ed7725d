package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/foreground"
)

// runFlags are the flags of run.
type runFlags struct {
	bundleFlags
	detach, keep, noSubreaper bool
}

// runCommand makes a container and runs its program.
func runCommand(a *app) *cli.Command {
	var r runFlags
	return &cli.Command{
		Name: "run", ArgsUsage: "ID",
		Usage: "make a container and run its program",
		Description: `Makes a container out of a bundle, runs its program, waits for it to end and removes
the container. The program's exit code becomes this command's (128 plus the signal if
one ended it). A terminal is attached to it, which ends when the input does.

Signals are passed on to the program while it runs. Before and after that, HUP, INT,
QUIT and TERM end this command, with the hook that runs; nothing is left of the
container, and the exit code is 128 plus the signal.

The ID is a name for the container: letters, digits and _ + . - .`,
		Flags: append(r.bundleFlags.flags(),
			boolean(&r.detach, "detach,d", "leave the container running and return"),
			boolean(&r.keep, "keep", "don't remove the container when its program has ended"),
			boolean(&r.noSubreaper, "no-subreaper", "don't adopt processes that lose their parent")),
		Action: a.action(1, 1, func(c *cli.Context) error {
			code, err := r.run(a, c.Args().First())
			if err != nil {
				return fmt.Errorf("%s run failed: %w", name, err)
			}
			return cli.Exit("", code)
		}),
	}
}

func (r *runFlags) run(a *app, id string) (int, error) {
	r.runs = true
	return r.carryOut(a, func(ctx context.Context, opts *libcontainer.CreateOptions) (*libcontainer.Container, *libcontainer.Process, error) {
		opts.Run = true
		return a.runtime().Create(ctx, id, opts)
	})
}

// carryOut makes a container with its program running, and stays in front of it if it is to.
// Signals are caught from before the bundle is read.
func (r *runFlags) carryOut(a *app,
	begin func(context.Context, *libcontainer.CreateOptions) (*libcontainer.Container, *libcontainer.Process, error),
) (int, error) {
	var opts *libcontainer.CreateOptions
	var container *libcontainer.Container
	var process *libcontainer.Process
	front := a.foreground()
	create := func(ctx context.Context) (err error) {
		if opts, err = r.options(a, !r.detach); err != nil {
			return err
		}
		if !r.detach && opts.Spec.Process != nil && opts.Spec.Process.Terminal {
			opts.Console = front.Attach
		}
		container, process, err = begin(ctx, opts)
		return err
	}
	if r.detach {
		if err := a.interruptible(create); err != nil {
			return 0, err
		}
		return 0, container.ForwardReady(a.notifySocket(), 0)
	}
	if !r.noSubreaper {
		// Processes that outlive their parents without a pid namespace of their own become our
		// children, to be reaped.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return 0, fmt.Errorf("become a subreaper: %w", err)
		}
		// The program that executed this one may have left it children of its own.
		none := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		a.subreaper = errors.Is(none, unix.ECHILD)
	}
	a.catch(front)
	defer front.Close()
	if err := front.Begin(create); err != nil {
		return 0, err
	}
	a.log.people = true // engines never run containers in the foreground
	a.log.flush()
	told := make(chan error, 1)
	if opts.Notify {
		// It is we who stay in front of the service manager.
		go func() { told <- container.ForwardReady(a.notifySocket(), os.Getpid()) }()
	} else {
		close(told)
	}
	code, err := front.Wait(process, !r.noSubreaper)
	a.readyTold(told)
	// The terminal is given back before poststop hooks run.
	front.Close()
	if code == 128+int(unix.SIGKILL) {
		a.tellOOM(container)
	}
	return code, r.finish(a, front, container, err)
}

// tellOOM says of a container that was killed whether it was for a lack of memory.
func (a *app) tellOOM(container *libcontainer.Container) {
	o, err := container.OOM()
	switch {
	case err != nil:
		a.log.warn(err.Error())
	case o != nil:
		a.log.warn(oomText(o, "the container"))
	}
}

// oomText says what the kernel has killed, if it was one process.
func oomText(o *libcontainer.OOM, one string) string {
	if o.Kills > 1 {
		one = fmt.Sprintf("%d processes of the container", o.Kills)
	}
	text := "the kernel has killed " + one + " for a lack of memory: "
	if limit := sizeLimit(o.Limit); limit != "none" {
		text = "linux.resources.memory.limit: " + text + "it may have " + limit
	} else {
		text += "it has no limit of its own"
	}
	if o.Peak > 0 {
		text += ", and has used up to " + size(o.Peak)
	}
	return text
}

// finish removes the container. When that fails, the program's exit code still counts, unless a
// signal has ended it.
func (r *runFlags) finish(a *app, front *foreground.Loop, container *libcontainer.Container, err error) error {
	if r.keep && err == nil {
		return nil
	}
	deleteErr := front.End(func(ctx context.Context) error { return container.Delete(ctx, true) })
	var interrupted foreground.Interruption
	switch {
	case deleteErr == nil:
	case errors.Is(deleteErr, libcontainer.ErrNotExist):
		// Somebody else has removed it, as checkpoint does.
	case errors.As(deleteErr, &interrupted):
		err = errors.Join(err, fmt.Errorf("remove the container: %w", deleteErr))
	default:
		a.log.warn(fmt.Sprintf("remove the container: %v", deleteErr))
	}
	return err
}
