package libcontainer

import (
	"context"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/hooks"
	"github.com/ociruntime/ociruntime/libcontainer/internal/setup"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// runHooks runs the hooks of one kind while the init waits.
func (c *creation) runHooks(ctx context.Context, s *plan.Step, files []*os.File) error {
	if err := c.recordInit(); err != nil { // they may look at the record
		return err
	}
	h, st := c.spec.Hooks, c.hookState()
	inBundle := hooks.Options{Dir: c.o.Bundle}
	switch s.Do {
	case compile.DoPrestart:
		// Step 3 of the life cycle: "created" is what comes after step 2, and the validation suite
		// asks for it here.
		st.Status = specs.StateCreated
		return hooks.Run(ctx, hooks.Prestart, h.Prestart, st, inBundle) //nolint:staticcheck // dockerd 20.10 uses it
	case compile.DoCreateRuntime:
		return hooks.Run(ctx, hooks.CreateRuntime, h.CreateRuntime, st, inBundle)
	}
	st.Pid = c.containerPid()
	start := setup.InNamespaces(ctx, c.o.Spec, c.proc.Pid(), files[0])
	return hooks.Run(ctx, hooks.CreateContainer, h.CreateContainer, st, hooks.Options{Start: start})
}

// poststop runs the hooks that follow a creation which has failed.
func (c *creation) poststop(ctx context.Context) error {
	if c.spec.Hooks == nil || c.rec == nil {
		return nil
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	// There may never have been an init.
	return c.rt.runPoststop(ctx, c.spec.Hooks.Poststop, c.stateOf(specs.StateStopped, 0), c.o.Bundle)
}

// containerPid is the init's pid as its own pid namespace counts.
func (c *creation) containerPid() int {
	if c.rec.PrivatePid() {
		return 1
	}
	return c.proc.Pid()
}

// hookState is the state that hooks get on stdin while the container is being created.
func (c *creation) hookState() *specs.State {
	return c.stateOf(specs.StateCreating, c.proc.Pid())
}

func (c *creation) stateOf(status specs.ContainerState, pid int) *specs.State {
	return &specs.State{
		Version: specs.Version, ID: c.id, Status: status, Pid: pid,
		Bundle: c.o.Bundle, Annotations: c.spec.Annotations,
	}
}
