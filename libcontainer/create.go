package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/diagnose"
	"github.com/ociruntime/ociruntime/libcontainer/internal/rootfs"
	"github.com/ociruntime/ociruntime/libcontainer/internal/setup"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/netdev"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// creation is one call of Create.
type creation struct {
	launching
	cgroupPlan
	o      *CreateOptions
	id     string
	facts  *facts.Facts
	plan   *plan.Plan
	asRoot bool // compile what root would get, whoever asks
	toRead bool // the plan is for reading alone, whatever files of the host are missing

	undo       setup.Undo // of what has been made so far
	dir        *state.Dir
	rec        *state.Record // once it is saved
	cg         *cgroups.Cgroup
	notify     *os.File
	netDevices *netdev.Mover
}

func (o *CreateOptions) verb() string {
	if o.Run {
		return "run"
	}
	return "create"
}

func newCreation(r *Runtime, id string, o *CreateOptions) *creation {
	return &creation{launching: launching{rt: r, given: &o.ProcessOptions, spec: o.Spec}, o: o, id: id}
}

// Create makes a container, and with o.Run runs its program at once. Everything that can be found
// wrong without touching the host is found before the first side effect; when something fails
// later, nothing is left behind and the poststop hooks have run. Only if something could not be
// undone, the record stays, by which a forced Delete finds it. When ctx ends before Create returns,
// that is such a failure, and the error wraps the cause. The returned process is our child.
func (r *Runtime) Create(ctx context.Context, id string, o *CreateOptions) (*Container, *Process, error) {
	if err := state.CheckID(id); err != nil {
		return nil, nil, err
	}
	if o.Notify {
		o = o.withNotify(state.NotifyDir(r.Root, id))
	}
	c := newCreation(r, id, o)
	var err error
	if c.trace, err = trace.Open(o.Trace, o.verb()); err != nil {
		return nil, nil, err
	}
	defer c.release()
	end := c.trace.Span("default", "compile the plan")
	if err = c.compile(); err == nil {
		err = c.findRootfs()
	}
	end()
	if err != nil {
		return nil, nil, err
	}
	unlock, err := c.claim(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if err := c.carryOut(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("unable to start container process: %w", c.explain(err)), c.unmake(ctx))
	}
	p, err := newProcess(c.proc)
	if err != nil {
		r.warn(err.Error())
	}
	return c.container(), p, nil
}

// findRootfs wants a root file system before anything is made for it.
func (c *creation) findRootfs() error {
	if err := diagnose.Rootfs(c.spec, compile.RootfsPath(c.spec, c.o.Bundle)); err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	return nil
}

// release lets go of what was for the time of the creation alone, whatever came of it.
func (c *creation) release() {
	c.files.Close()
	c.scope.close()
	c.netDevices.Close()
	if c.cg != nil {
		c.cg.Close()
	}
	c.rt.finishTrace(c.trace)
}

// claim makes the container's directory, by which the id is ours, and locks it.
func (c *creation) claim(ctx context.Context) (unlock func(), err error) {
	if c.dir, err = state.Create(c.rt.Root, c.id); err != nil {
		return nil, err
	}
	// Before we hold it, it may be deleted and made again by somebody else: it is removed only if
	// it is empty.
	giveUp := func() { _ = unix.Rmdir(c.dir.Path()) }
	if unlock, err = c.dir.Lock(ctx, true); err != nil {
		giveUp()
		return nil, err
	}
	switch _, err = c.dir.Load(); {
	case errors.Is(err, ErrNotExist):
		return unlock, nil
	case err == nil:
		err = ErrExist
	default:
		giveUp()
	}
	unlock()
	return nil, err
}

// container is what has been made, with its init in place.
func (c *creation) container() *Container {
	return &Container{rt: c.rt, dir: c.dir, rec: c.rec, notify: c.notify}
}

// compile gathers the facts and makes the plan; nothing is touched.
func (c *creation) compile() error {
	var err error
	if err = c.planResctrl(); err != nil {
		return err
	}
	if c.host, err = cgroups.Probe(); err != nil {
		return err
	}
	seen, err := c.planCgroup()
	if err != nil {
		return err
	}
	c.facts, err = probe.Container(c.spec, c.o.Bundle, c.host, seen, c.given.Stdio)
	if err != nil && (c.facts == nil || !c.bears(err)) {
		return err
	}
	probe.Assume(c.facts, c.spec, c.o.Bundle, c.bears)
	if c.rt.NoCgroup {
		c.facts.JoinTasks, c.facts.JoinDir = nil, false
	}
	if c.asRoot {
		becomeRoot(c.facts)
	}
	if err := c.checkDevices(); err != nil {
		return err
	}
	if err := c.openNamespaces(); err != nil {
		return err
	}
	if c.o.Notify {
		// It does not exist yet.
		c.facts.Sources[len(c.spec.Mounts)-1] = facts.Source{Dir: true}
	}
	if c.o.NoPivot {
		if c.facts.KernelMounts, err = probe.KernelMounts(compile.RootfsPath(c.spec, c.o.Bundle)); err != nil {
			return err
		}
	}
	return c.compilePlan(c.rt.warn)
}

// bears reports whether a plan to be read can be made although a file of the host could not be
// looked at. That it is missing CheckFiles says; one that only root may see is there for root.
func (c *creation) bears(err error) bool {
	return c.toRead && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || c.asRoot && errors.Is(err, unix.EACCES))
}

// openNamespaces opens the namespaces to join, before the plan is made: what they are decides what
// may be set in them.
func (c *creation) openNamespaces() error {
	if c.spec.Linux == nil {
		return nil
	}
	files, err := probe.Namespaces(c.facts, c.spec.Linux.Namespaces, c.bears)
	for name, f := range files {
		c.files.Keep(name, f)
	}
	return err
}

func (c *creation) compilePlan(warn func(string)) (err error) {
	c.plan, err = compile.Create(&compile.Input{
		ID: c.id, Bundle: c.o.Bundle, Spec: c.spec, Facts: c.facts,
		Run: c.o.Run, Hold: c.o.Hold, NoPivot: c.o.NoPivot, NoNewKeyring: c.o.NoNewKeyring,
		Preserve: len(c.o.Preserve), ListenFDs: c.o.ListenFDs, Trace: c.o.Trace != "", Warn: warn,
	})
	return err
}

// carryOut carries the plan out.
func (c *creation) carryOut(ctx context.Context) error {
	defer c.files.Close()
	var entrance *cgroups.Entrance
	err := c.trace.Do(
		trace.Part{From: "default", Name: "write down what is about to be made", Do: c.record},
		trace.Part{From: "linux.resources", Name: "make the cgroup and set its limits", Do: c.makeCgroup},
		trace.Part{From: "linux.cgroupsPath", Name: "open the cgroup's entrance", Do: func() (err error) { entrance, err = c.enter(); return err }},
		trace.Part{From: "default", Name: "open the plan's files", Do: c.open},
		trace.Part{From: "default", Name: "link the init image and start it", Do: func() error { return c.launch(entrance) }},
	)
	if entrance != nil {
		entrance.Close()
	}
	if err != nil {
		return err
	}
	// Closed at once, not when Create returns: the init holds them, and a descriptor of ours on the
	// container's file system would keep it busy.
	c.files.Close()
	end := c.trace.Wait("default", "meet the init until the program runs, or waits for start")
	err = c.serve(ctx, c.plan, c.hostSteps())
	end()
	if err != nil {
		return err
	}
	if c.o.Run {
		return c.container().runPoststart(ctx, c.spec)
	}
	return nil
}

func (c *creation) launch(entrance *cgroups.Entrance) error {
	var page *os.File // launch makes one that goes with it
	var err error
	if !c.o.Run {
		if page, err = c.dir.NewProgressFile(); err != nil {
			return err
		}
		defer page.Close()
	}
	c.proc, err = launch.Start(&launch.Config{
		Plan: c.plan, Stdio: c.given.Stdio, Preserve: c.o.Preserve, Files: c.files.ByName,
		Cgroup: c.files.Cgroup(c.plan, entrance.Dir), Page: page, Dir: c.dir.Path(),
		Polled: c.rt.Resident,
	})
	if err != nil {
		return err
	}
	c.undo.Add(c.endInit)
	return nil
}

// endInit ends the init, and writes down one that does not end.
func (c *creation) endInit() error {
	err := c.proc.Kill()
	if err != nil {
		err = errors.Join(err, c.recordInit())
	}
	return errors.Join(err, c.proc.Close())
}

// hostSteps are the steps of both, and those that make the container.
func (c *creation) hostSteps() hostSteps {
	steps := c.launching.hostSteps(c)
	steps[compile.DoIDMaps] = func(context.Context, *plan.Step, []*os.File) error {
		return setup.WriteIDMaps(c.proc.Pid(), c.spec.Linux, c.facts)
	}
	steps[compile.DoNetDevices] = func(_ context.Context, _ *plan.Step, files []*os.File) error {
		return c.moveNetDevices(files[0])
	}
	steps[compile.DoTmpCopyUp] = func(ctx context.Context, s *plan.Step, files []*os.File) error {
		return rootfs.CopyUp(files[0], files[1], c.dataCopier(ctx, s.From))
	}
	steps[compile.DoIDMapMount] = func(_ context.Context, s *plan.Step, files []*os.File) error {
		return c.files.MapOwners(files[0], s.From, s.IDMap, c.proc.Pid())
	}
	for _, do := range []plan.HostStep{compile.DoPrestart, compile.DoCreateRuntime, compile.DoCreateContainer} {
		steps[do] = c.runHooks
	}
	return steps
}

// dataCopier copies files in the container's cgroup, if we may put a process there.
func (c *creation) dataCopier(ctx context.Context, from string) *rootfs.DataCopier {
	d := &rootfs.DataCopier{Ctx: ctx, From: from, Cg: c.cg, Stdio: c.given.Stdio, Dir: c.dir.Path()}
	if c.facts.Attach {
		d.Cg = nil
	}
	return d
}

// created is the last rendezvous. From its program on, the container is found by its record.
func (c *creation) created(ctx context.Context) error {
	if err := c.scope.finish(); err != nil {
		return err
	}
	if err := c.cg.Finish(); err != nil {
		return err
	}
	if err := c.recordCreated(); err != nil {
		return err
	}
	if err := c.announce("standard"); err != nil || !c.o.Run {
		return err
	}
	// There will be no start that runs them.
	return c.container().runStartHooks(ctx, c.spec)
}

func (c *creation) attach(pid int) error { return c.scope.manager.Attach(c.scope.unit.Name, pid) }

func (c *creation) agentState() (*specs.State, error) { return c.hookState(), nil }

// explain adds what only the host can see: the kernel killed the init because the container's
// memory limit is too low for it, or gave it so little that it could not even say so.
func (c *creation) explain(err error) error {
	err = diagnose.ExplainFiles(err, c.plan)
	var killed *launch.KilledError
	if c.cg == nil || !errors.As(err, &killed) {
		return diagnose.ExplainCreate(err, c.spec, c.o.Bundle, compile.RootfsPath(c.spec, c.o.Bundle))
	}
	n, oomErr := c.cg.OOMKills()
	switch {
	case killed.Killed(unix.SIGKILL) && oomErr == nil && n > 0:
		return fmt.Errorf("container init was OOM-killed (memory limit too low?): %s%w", c.memoryLimit(), err)
	case c.memoryLimit() != "" && (c.ranIntoLimit() || !killed.Status.Signaled() && !c.cg.Exists()):
		// systemd removes what is empty, with its counts. An init that ends of itself says why, if
		// it can.
		return fmt.Errorf("container init has got no memory (memory limit too low?): %s%w", c.memoryLimit(), err)
	}
	return err
}

// ranIntoLimit reports whether the kernel had memory of the container's to refuse or to take back.
func (c *creation) ranIntoLimit() bool {
	s, err := c.cg.Stats()
	return err == nil && s.Memory.Usage.Failcnt > 0
}

// memoryLimit names the limit of config.json, for the front of an error.
func (c *creation) memoryLimit() string {
	l := c.spec.Linux
	if l == nil || l.Resources == nil || l.Resources.Memory == nil || l.Resources.Memory.Limit == nil {
		return ""
	}
	return fmt.Sprintf("linux.resources.memory.limit is %d: ", *l.Resources.Memory.Limit)
}

// unmake undoes a failed creation. The record goes last, when there is nothing left that it could
// be needed for.
func (c *creation) unmake(ctx context.Context) error {
	if err := c.undo.Run(); err != nil {
		return fmt.Errorf("container %s: what was made is not all removed (delete --force tries again): %w", c.id, err)
	}
	return errors.Join(c.poststop(ctx), c.dir.Remove())
}
