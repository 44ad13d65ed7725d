package libcontainer

import (
	"context"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/intelrdt"
	"github.com/ociruntime/ociruntime/libcontainer/internal/setup"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// launching is what create and exec have in common: a process is launched from a plan, and met at
// its rendezvous.
type launching struct {
	rt      *Runtime
	given   *ProcessOptions
	spec    *specs.Spec // with the process that is launched
	trace   *trace.Recorder
	files   setup.FileSet
	console *setup.ConsoleEnd
	resctrl *intelrdt.Group // nil without one
	proc    *launch.Process
}

// launcher is what create and exec do each in its own way.
type launcher interface {
	// attach has systemd move a process into the container's scope.
	attach(pid int) error
	// agentState is what the agent of a seccomp filter is told of the container.
	agentState() (*specs.State, error)
	// created is the last step: the process waits for nothing but our word.
	created(ctx context.Context) error
}

// hostSteps say what the host does for each kind of step in a plan. files are what the process has
// brought to the rendezvous.
type hostSteps map[plan.HostStep]func(ctx context.Context, s *plan.Step, files []*os.File) error

// hostSteps are the steps of every launch.
func (l *launching) hostSteps(of launcher) hostSteps {
	simple := func(do func() error) func(context.Context, *plan.Step, []*os.File) error {
		return func(context.Context, *plan.Step, []*os.File) error { return do() }
	}
	return hostSteps{
		compile.DoAttach:    simple(func() error { return of.attach(l.proc.Pid()) }),
		compile.DoIntelRdt:  simple(func() error { return l.resctrl.Join(l.proc.Pid()) }),
		compile.DoRlimits:   simple(func() error { return setup.SetRlimits(l.proc.Pid(), l.spec.Process.Rlimits) }),
		compile.DoScheduler: simple(func() error { return setup.SetScheduler(l.proc.Pid(), l.spec.Process.Scheduler) }),
		compile.DoOwnPipes:  simple(func() error { return setup.OwnPipes(l.given.Stdio, l.spec.Linux, l.spec.Process) }),
		compile.DoHome: func(_ context.Context, _ *plan.Step, files []*os.File) error {
			return setup.SetHome(l.proc, l.spec.Process.User.UID, files)
		},
		compile.DoSeccomp: func(_ context.Context, _ *plan.Step, files []*os.File) error {
			st, err := of.agentState()
			if err != nil {
				return err
			}
			return setup.SendListener(l.spec.Linux.Seccomp, st, l.proc.Pid(), files)
		},
		compile.DoCreated: func(ctx context.Context, _ *plan.Step, _ []*os.File) error { return of.created(ctx) },
	}
}

// serve meets the process until its program runs, or waits for start. After an error it is dead.
func (l *launching) serve(ctx context.Context, pl *plan.Plan, steps hostSteps) error {
	image := l.proc.Pid() // until it has spawned another
	err := l.proc.Serve(ctx, func(s *plan.Step, files []*os.File) error {
		defer l.trace.Step(s)()
		do := steps[s.Do]
		if do == nil {
			return fmt.Errorf("%s: the plan asks the host for %q, which it does not know", s.From, s.Do)
		}
		return do(ctx, s, files)
	})
	l.trace.Init(pl, l.proc.Page(), image, l.proc.Pid())
	if err != nil {
		return err
	}
	l.rt.warnOfKeyring(l.proc)
	return nil
}

// announce gives the process to those who want to know of it: the master of its terminal, a
// descriptor of it, its pid. kind says what it is to the receiver of the descriptor.
func (l *launching) announce(kind string) error {
	if err := l.console.Deliver(); err != nil {
		return err
	}
	if err := setup.SendPidfd(l.given.PidfdSocket, l.proc.Pid(), kind); err != nil {
		return err
	}
	return setup.WritePidFile(l.given.PidFile, l.proc.Pid())
}
