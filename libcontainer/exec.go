package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/systemd"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/diagnose"
	"github.com/ociruntime/ociruntime/libcontainer/internal/setup"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// Exec runs a further process in a running container. It returns once the program is executed; the
// process is our child. When ctx ends before that, there is no process, and the error wraps the
// cause.
func (c *Container) Exec(ctx context.Context, o *ExecOptions) (*Process, error) {
	if err := c.refresh(ctx); err != nil {
		return nil, err
	}
	if err := mayExec(o, c.Status); err != nil {
		return nil, err
	}
	return c.exec(ctx, o)
}

// refresh makes c what the last command has left, once none is changing it.
func (c *Container) refresh(ctx context.Context) error {
	// The lock is for a consistent look at the container, not for the time that the new process
	// takes: in a paused container it does not come up before `resume`, which needs the lock.
	unlock, err := c.dir.Lock(ctx, false)
	if err != nil {
		return err
	}
	defer unlock()
	rec, err := c.dir.Reload()
	if err == nil {
		c.rec = rec
	}
	return err
}

func (c *Container) exec(ctx context.Context, o *ExecOptions) (*Process, error) {
	spec, err := c.execConfig(o)
	if err != nil {
		return nil, err
	}
	j, err := c.launch(ctx, o, spec)
	return c.executed(ctx, j, err)
}

// execConfig is the container's configuration.
func (c *Container) execConfig(o *ExecOptions) (*specs.Spec, error) {
	if o.Config != nil {
		return o.Config, nil
	}
	return c.Config()
}

// executed is what Exec answers after a launch.
func (c *Container) executed(ctx context.Context, j *joining, err error) (*Process, error) {
	if err != nil && ctx.Err() == nil && c.justEnded() {
		return nil, &statusError{fmt.Sprintf("cannot exec in a stopped container: it has just ended (%v)", err), ErrNotRunning}
	}
	if err != nil {
		return nil, fmt.Errorf("unable to start container process: %w", err)
	}
	further, err := newProcess(j.proc)
	if err != nil {
		c.rt.warn(err.Error())
	}
	further.oom = j.oom
	return further, nil
}

// mayExec says why there can't be a further process now.
func mayExec(o *ExecOptions, ask func() (Status, error)) error {
	status, err := ask()
	switch {
	case err != nil:
		return err
	case status == Stopped:
		return &statusError{"cannot exec in a stopped container", ErrNotRunning}
	case status == Creating:
		// Its create has died and its init is about to: in there is the host's root still.
		return &statusError{"cannot exec in a container that is being created", ErrCreating}
	case status == Paused && !o.IgnorePaused:
		return &statusError{"cannot exec in a paused container (use --ignore-paused to override)", ErrPaused}
	}
	return nil
}

// justEnded reports whether the container has ended since we looked last: then whatever failed,
// failed for that.
func (c *Container) justEnded() bool {
	status, err := c.Status()
	return err == nil && status == Stopped
}

// joining is one launch of a further process.
type joining struct {
	launching
	c    *Container
	o    *ExecOptions
	init *os.File // pidfd
	// what the plan depends on, beside the configuration
	facts      *facts.Facts
	namespaces uint64 // see compile.ExecInput
	warn       func(string)
	oom        func() (*OOM, error) // for Process.OOM
}

func (c *Container) newJoining(o *ExecOptions, spec *specs.Spec) *joining {
	its := *spec
	its.Process = o.Process
	return &joining{
		launching: launching{rt: c.rt, given: &o.ProcessOptions, spec: &its, resctrl: c.resctrl()}, c: c, o: o, warn: c.rt.warn,
	}
}

// openInit opens the init, whose namespaces are joined.
func (j *joining) openInit() (err error) {
	if j.init, err = j.c.rec.OpenInit(); err != nil {
		return fmt.Errorf("open the container's init: %w", err)
	}
	j.files.Keep(compile.FilePidfd, j.init)
	return nil
}

// launch starts a process in the container, created or running.
func (c *Container) launch(ctx context.Context, o *ExecOptions, spec *specs.Spec) (*joining, error) {
	j := c.newJoining(o, spec)
	var err error
	if j.trace, err = trace.Open(o.Trace, "exec"); err != nil {
		return nil, err
	}
	defer c.rt.finishTrace(j.trace)
	defer j.files.Close()
	defer func() { j.console.Close() }()
	if err := j.openInit(); err != nil {
		return nil, err
	}
	cg, err := c.execCgroup(o.Cgroup)
	if err != nil {
		return nil, diagnose.ExplainFiles(err, nil)
	}
	defer cg.Close()
	if o.CountOOM {
		if before, err := cg.OOMKills(); err == nil { // who can't count tells nothing
			j.oom = func() (*OOM, error) { return c.oomSince(before, o.Cgroup) }
		}
	}
	if err := j.settle(ctx, j.start(ctx, cg)); err != nil {
		return nil, err
	}
	return j, nil
}

// settle takes the outcome of start, after which there may be another way, and gives an error the
// words that help.
func (j *joining) settle(ctx context.Context, err error) error {
	var closed *closedCgroup
	if errors.As(err, &closed) && len(j.o.Cgroup) == 0 {
		err = j.startBesideInit(ctx)
	}
	if err == nil {
		return nil
	}
	if j.o.path != "" {
		program := *j.o.Process
		program.Args = []string{j.o.path}
		j.spec.Process = &program
	}
	return diagnose.ExplainExec(diagnose.ExplainFiles(err, nil), j.spec, j.c.rec.Config.Rootfs)
}

// closedCgroup says that the container's own cgroup takes no process. Its manager has moved its
// processes into cgroups below, beside which there may be none on v2, or somewhere else, and has
// removed it. The further process then goes where the init is.
type closedCgroup struct{ error }

func (e *closedCgroup) Unwrap() error { return e.error }

func (j *joining) startBesideInit(ctx context.Context) error {
	j.warn = nil // the warnings are out
	cg, err := j.c.cgroupOfInit()
	if err != nil {
		return err
	}
	defer cg.Close()
	return j.start(ctx, cg)
}

func (c *Container) cgroupOfInit() (*cgroups.Cgroup, error) {
	host, err := cgroups.Probe()
	if err != nil {
		return nil, err
	}
	return cgroups.OfProcess(host, c.rec.InitPid)
}

func enter(cg *cgroups.Cgroup) (*cgroups.Entrance, error) {
	entrance, err := cg.Enter()
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		err = &closedCgroup{err}
	}
	return entrance, err
}

// compile makes the plan by which a process gets into the container and its cgroup.
func (j *joining) compile(entrance *cgroups.Entrance) (*plan.Plan, error) {
	if err := j.look(entrance); err != nil {
		return nil, err
	}
	defer j.trace.Span("default", "compile the plan")()
	return compile.Exec(&compile.ExecInput{Input: compile.Input{
		ID: j.c.ID(), Bundle: j.c.rec.Bundle, Spec: j.spec, Facts: j.facts, Preserve: len(j.o.Preserve), ListenFDs: j.o.ListenFDs,
		Trace: j.o.Trace != "", Filter: j.o.Filter, Warn: j.warn,
	}, Path: j.o.path, Namespaces: j.namespaces, Announced: j.o.announced()})
}

// look asks for what the plan depends on.
func (j *joining) look(entrance *cgroups.Entrance) (err error) {
	if j.facts, err = probe.Host(j.o.Stdio); err != nil {
		return err
	}
	if j.facts.Attach, err = j.c.needsAttach(entrance); err != nil {
		return err
	}
	j.facts.JoinTasks, j.facts.JoinDir = entrance.Names, entrance.Dir != nil
	for i, f := range entrance.Tasks {
		j.files.Give(compile.TasksFile(entrance.Names[i]), f)
	}
	if j.namespaces, err = probe.OtherNamespaces(j.c.rec.InitPid); err != nil {
		return err
	}
	// The pid may have come to mean a process of the host meanwhile, whose namespaces are our own:
	// there would be nothing to join.
	return signal(j.init, 0)
}

func (j *joining) start(ctx context.Context, cg *cgroups.Cgroup) error {
	entrance, err := enter(cg)
	if err != nil {
		return err
	}
	defer entrance.Close()
	pl, err := j.compile(entrance)
	if err != nil {
		return err
	}
	err = j.trace.Do(
		trace.Part{From: "default", Name: "open the plan's files", Do: func() error { return j.open(pl) }},
		trace.Part{From: "default", Name: "link the image and start it", Do: func() error {
			return j.startImage(entrance, func() (*launch.Process, error) { return launch.Start(j.image(pl, entrance)) })
		}},
	)
	return j.meet(ctx, pl, err)
}

// meet meets the process until its program runs, if it was started without an error.
func (j *joining) meet(ctx context.Context, pl *plan.Plan, err error) error {
	if err == nil {
		end := j.trace.Wait("default", "meet the process until the program runs")
		if err = j.serve(ctx, pl, j.hostSteps(j)); err != nil {
			err = errors.Join(err, j.proc.Close())
		}
		end()
	}
	if launch.RefusedByCgroup(err) {
		err = &closedCgroup{err}
	}
	return err
}

// image is what is started.
func (j *joining) image(pl *plan.Plan, entrance *cgroups.Entrance) *launch.Config {
	return &launch.Config{
		Plan: pl, Stdio: j.o.Stdio, Preserve: j.o.Preserve, Files: j.files.ByName, Cgroup: entrance.Dir, Dir: j.c.dir.Path(),
		Polled: j.rt.Resident,
	}
}

func (j *joining) startImage(entrance *cgroups.Entrance, start func() (*launch.Process, error)) error {
	return setup.OnCPUs(setup.InitialCPUs(j.spec.Process.ExecCPUAffinity, entrance), func() (err error) {
		j.proc, err = start()
		return err
	})
}

func (j *joining) open(pl *plan.Plan) error {
	for i := range pl.Files {
		switch name := pl.Files[i].Name; name {
		case compile.FileProc:
			f, err := setup.OpenProc()
			if err != nil {
				return err
			}
			j.files.Keep(name, f)
		case compile.FileRootfs:
			f, err := j.openRoot()
			if err != nil {
				return err
			}
			j.files.Keep(name, f)
		case compile.FileConsole:
			j.console.Close()
			var err error
			if j.console, err = setup.NewConsoleEnd(j.o.ConsoleSocket, j.o.Console); err != nil {
				return err
			}
			j.files.Give(name, j.console.Init)
		}
	}
	return j.files.OpenAll(pl)
}

// openRoot opens the root directory of the container's init.
func (j *joining) openRoot() (*os.File, error) {
	path := fmt.Sprintf("/proc/%d/root", j.c.rec.InitPid)
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the container's root %s: %w", path, err)
	}
	// While the init is there, its pid has not been given to another process.
	if err := unix.PidfdSendSignal(int(j.init.Fd()), 0, nil, 0); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open the container's root: %w", refusal.Explain("pidfd_send_signal", err))
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (j *joining) created(context.Context) error { return j.announce("setns") }

func (j *joining) attach(pid int) error {
	return j.c.withSystemd(func(m *systemd.Manager, unit string) error { return m.Attach(unit, pid) })
}

// agentState finds the container created or running: startContainer hooks come this way, too.
func (j *joining) agentState() (*specs.State, error) {
	status, err := j.c.Status()
	if err != nil {
		return nil, err
	}
	return j.c.hookState(status, j.c.rec.InitPid), nil
}

// execCgroup is the container's cgroup, or the one below it that --cgroup names: "PATH" or, on v1,
// "CONTROLLER[,CONTROLLER…]:PATH".
func (c *Container) execCgroup(args []string) (*cgroups.Cgroup, error) {
	cg, err := c.cgroup()
	if err != nil || len(args) == 0 {
		return cg, err
	}
	if err := c.needsCgroup("there is none to join"); err != nil {
		return nil, fmt.Errorf("--cgroup: %w", err)
	}
	defer cg.Close()
	paths := make(map[string]string)
	for _, a := range args {
		controllers, path, ok := strings.Cut(a, ":")
		if !ok {
			controllers, path = "", a
		}
		for _, name := range strings.Split(controllers, ",") {
			paths[name] = path
		}
	}
	return cg.Sub(paths)
}
