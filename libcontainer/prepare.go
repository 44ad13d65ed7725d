package libcontainer

import (
	"context"
	"errors"
	"os"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/internal/diagnose"
	"github.com/ociruntime/ociruntime/libcontainer/internal/pidfd"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// Prepared is a further process that is ready to be started, see [Container.Prepare]. Its methods
// are for one goroutine, which after Exec and Close has no more use for it.
type Prepared struct {
	j        *joining
	o        ExecOptions
	rec      *state.Record // as it was found
	entrance *cgroups.Entrance
	plan     *plan.Plan
	image    *launch.Ready
	warnings []string // which are told when the process is started
}

// Prepare does ahead what Exec would do before there is a process: the plan is compiled and linked,
// and what it takes is opened. It is for a program that hears of a process before it is to start
// it: nobody sees anything of it, nor is it asked whether there may be a process. Stdio may be no
// more than what the process is going to get looks like, such as the same files opened with O_PATH;
// later they are compared.
//
// After an error, Exec is the way, and says what is wrong. A Prepared holds a dozen descriptors,
// and should not be kept for long.
func (c *Container) Prepare(o *ExecOptions) (_ *Prepared, err error) {
	if o.Trace != "" || len(o.Cgroup) > 0 || o.CountOOM || o.Console != nil || o.ConsoleSocket != "" {
		return nil, errors.New("only an ordinary process can be prepared")
	}
	p := &Prepared{o: *o, rec: c.rec}
	spec, err := c.execConfig(o)
	if err != nil {
		return nil, err
	}
	p.j = c.newJoining(&p.o, spec)
	p.j.warn = func(text string) { p.warnings = append(p.warnings, text) }
	if err := p.make(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Prepared) make() error {
	j := p.j
	if err := j.openInit(); err != nil {
		return err
	}
	cg, err := j.c.execCgroup(nil)
	if err != nil {
		return diagnose.ExplainFiles(err, nil)
	}
	defer cg.Close()
	if p.entrance, err = enter(cg); err != nil {
		return err
	}
	if p.plan, err = j.compile(p.entrance); err != nil {
		return err
	}
	for i := range p.plan.Files {
		if p.plan.Files[i].Name == compile.FileRootfs {
			return errors.New("the root directory of the container's init may be another one later")
		}
	}
	if err := j.open(p.plan); err != nil {
		return err
	}
	p.image, err = launch.Prepare(j.image(p.plan, p.entrance))
	return err
}

// Exec is [Container.Exec] with the options that Prepare has got, and these files. Whether there
// may be a process now is asked now, and what has changed since Prepare is done anew.
func (p *Prepared) Exec(ctx context.Context, stdio [3]*os.File) (*Process, error) {
	defer p.Close()
	j, c := p.j, p.j.c
	p.o.Stdio = stdio
	if err := c.refresh(ctx); err != nil {
		return nil, err
	}
	if err := mayExec(&p.o, p.status); err != nil {
		return nil, err
	}
	if !p.holds() {
		return c.exec(ctx, &p.o)
	}
	for _, text := range p.warnings {
		c.rt.warn(text)
	}
	err := j.startImage(p.entrance, func() (*launch.Process, error) { return p.image.Start(stdio) })
	return c.executed(ctx, j, j.settle(ctx, j.meet(ctx, p.plan, err)))
}

// status is the container's, for which its init is asked as it is held.
func (p *Prepared) status() (Status, error) {
	if p.j.c.rec != p.rec {
		return p.j.c.Status()
	}
	ended, err := pidfd.Await(p.j.init, 0)
	if err != nil {
		return "", err
	}
	return p.j.c.statusWith(!ended)
}

// holds reports whether Exec would get the same answers again. What can't change in the life of a
// process, such as our own privileges, is not asked twice. Nor are the namespaces that are joined:
// whichever of its kind the init is in then is the one.
func (p *Prepared) holds() bool {
	rec := p.j.c.rec
	if rec.InitPid != p.rec.InitPid || rec.InitStart != p.rec.InitStart {
		return false
	}
	for i, f := range p.o.Stdio {
		if f != nil && probe.OfStdio(int(f.Fd())) != p.j.facts.Stdio[i] {
			return false
		}
	}
	other, err := probe.OtherAmong(rec.InitPid, ^p.j.namespaces)
	return err == nil && other == 0 && signal(p.j.init, 0) == nil
}

// Close lets go of what was prepared.
func (p *Prepared) Close() {
	if p.image != nil {
		p.image.Close()
		p.image = nil
	}
	p.j.files.Close()
	if p.entrance != nil {
		p.entrance.Close()
	}
}
