package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/hooks"
	"github.com/ociruntime/ociruntime/libcontainer/internal/diagnose"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// Start runs the program of a created container. It returns when execve has succeeded and the
// poststart hooks have run; an execve that fails is an error of Start. When a hook fails, the
// container is stopped and destroyed (spec, "Lifecycle"), and so it is when ctx ends before that;
// the error then wraps the cause.
//
// traceFile, if not empty, gets what each part of it cost.
func (c *Container) Start(ctx context.Context, traceFile string) error {
	t, err := trace.Open(traceFile, "start")
	if err != nil {
		return err
	}
	defer c.rt.finishTrace(t)
	return c.start(ctx, t)
}

// finishTrace writes a trace. When that fails, the program runs all the same.
func (r *Runtime) finishTrace(t *trace.Recorder) {
	if err := t.Close(); err != nil {
		r.warn(err.Error())
	}
}

// HasStartHooks reports whether the container may have hooks that Start runs, with which it takes
// as long as they do. It is for those who prepare for that. One without a program may, too.
func (c *Container) HasStartHooks() bool { return !c.rec.NoStartHooks }

func (c *Container) start(ctx context.Context, t *trace.Recorder) error {
	status, unlock, err := c.lockStatus(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	switch status {
	case Created:
	case Stopped:
		return &statusError{"cannot start a container that has stopped", ErrNotRunning}
	case Creating:
		return &statusError{"cannot start a container that is being created", ErrCreating}
	case Paused:
		return &statusError{"cannot start a paused container (resume it first)", ErrPaused}
	default:
		return &statusError{"cannot start an already running container", ErrRunning}
	}
	if err := c.listenNotify(); err != nil {
		return err
	}
	release := trace.Part{From: "process.args", Name: "let the init go on, until the program runs", Waits: true, Do: func() error { return c.release(ctx) }}
	if !c.HasStartHooks() {
		return t.Do(release) // the init has what it needs of the configuration
	}
	spec, err := c.Config()
	if err != nil {
		return err
	}
	if spec.Process == nil {
		return fmt.Errorf("process: not set in config.json, so there is nothing to start")
	}
	return t.Do(
		trace.Part{From: "hooks.startContainer", Name: "run the startContainer hooks", Do: func() error { return c.startHooks(ctx, spec) }},
		release,
		trace.Part{From: "hooks.poststart", Name: "run the poststart hooks", Do: func() error { return c.poststart(ctx, spec) }},
	)
}

// startHooks runs the startContainer hooks inside the container, before its program.
func (c *Container) startHooks(ctx context.Context, spec *specs.Spec) error {
	if err := c.runStartHooks(ctx, spec); err != nil {
		return errors.Join(err, c.destroyFailed(ctx))
	}
	return nil
}

func (c *Container) runStartHooks(ctx context.Context, spec *specs.Spec) error {
	if spec.Hooks == nil || len(spec.Hooks.StartContainer) == 0 {
		return nil
	}
	pid := c.rec.InitPid
	if c.rec.PrivatePid() {
		pid = 1
	}
	st := c.hookState(Created, pid)
	return hooks.Run(ctx, hooks.StartContainer, spec.Hooks.StartContainer, st, hooks.Options{Start: func(h *specs.Hook, stdio [3]*os.File) (int, error) {
		process := *spec.Process
		process.Terminal = false
		process.Args = hooks.Args(h)
		if h.Env != nil {
			process.Env = h.Env
		}
		j, err := c.launch(ctx, &ExecOptions{Process: &process, path: h.Path, ProcessOptions: ProcessOptions{Stdio: stdio}}, spec)
		if err != nil {
			return 0, err
		}
		return j.proc.Pid(), j.proc.Close()
	}})
}

// release tells the waiting init to go on, and reads what becomes of it.
func (c *Container) release(ctx context.Context) error {
	conn, err := c.dir.ConnectStart(c.rt.Resident)
	if err != nil {
		return err
	}
	defer conn.Close()
	page, err := c.dir.ProgressFile()
	if err != nil {
		return err
	}
	defer page.Close()
	op, errno, err := launch.AwaitStart(ctx, conn, page, c.rec.ExecOp)
	if err != nil && ctx.Err() != nil {
		return errors.Join(err, c.destroyFailed(ctx))
	}
	if errno == 0 {
		return err
	}
	spec, err := c.Config()
	if err != nil {
		return errno
	}
	return diagnose.ExplainExec(c.stepError(spec, op, errno), spec, c.rec.Config.Rootfs)
}

// stepError compiles the container's plan again, only for the words to a step that failed.
func (c *Container) stepError(spec *specs.Spec, op int, errno unix.Errno) error {
	host, err := cgroups.Probe()
	if err != nil {
		return errno
	}
	places, err := host.Locate(cgroupsPath(spec), c.ID())
	if err != nil {
		return errno
	}
	f, err := probe.Container(spec, c.rec.Bundle, host, places, [3]*os.File{})
	if err != nil {
		return errno
	}
	after := c.rec.ExecOp - c.rec.WaitOp
	for _, traced := range []bool{false, true} {
		p, err := compile.Create(&compile.Input{ID: c.ID(), Bundle: c.rec.Bundle, Spec: spec, Facts: f, Trace: traced})
		if err != nil {
			break
		}
		// Facts and flags that have changed since may make the plan longer or shorter, but not what
		// follows the wait for start.
		if last := p.OpCount() - 1; last-opIndex(p, plan.SysAccept4) == after && op >= c.rec.WaitOp {
			return launch.NewStepError(p, last-(c.rec.ExecOp-op), errno)
		}
	}
	return errno
}

// poststart runs those hooks, the program being started.
func (c *Container) poststart(ctx context.Context, spec *specs.Spec) error {
	if err := c.runPoststart(ctx, spec); err != nil {
		return errors.Join(err, c.destroyFailed(ctx))
	}
	return nil
}

func (c *Container) runPoststart(ctx context.Context, spec *specs.Spec) error {
	if spec.Hooks == nil {
		return nil
	}
	return hooks.Run(ctx, hooks.Poststart, spec.Hooks.Poststart, c.hookState(Running, c.rec.InitPid), hooks.Options{Dir: c.hookDir()})
}
