package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/internal/rootfs"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// record writes down what is about to be made, before anything is: `delete --force` finds it
// however we end.
func (c *creation) record() error {
	rec, err := state.NewRecord(c.id)
	if err != nil {
		return err
	}
	spec := c.spec
	rec.Bundle, rec.Annotations, rec.OCIVersion = c.o.Bundle, spec.Annotations, specs.Version
	rec.Rootless = !c.facts.Privileged
	rec.Config.Rootfs = compile.RootfsPath(spec, c.o.Bundle)
	if spec.Linux != nil {
		rec.SetNamespaces(spec.Linux.Namespaces)
		rec.Config.Cgroups = state.Cgroups{Path: spec.Linux.CgroupsPath}
	}
	rec.CgroupPaths = plannedPaths(c.places)
	rec.NoPoststop = spec.Hooks == nil || len(spec.Hooks.Poststop) == 0
	// Without a program, start has to look at the configuration, too: it may have got one since.
	rec.NoStartHooks = spec.Process != nil && (spec.Hooks == nil || len(spec.Hooks.StartContainer)+len(spec.Hooks.Poststart) == 0)
	if c.scope != nil {
		rec.SystemdScope = c.scope.unit.Name
	}
	if spec.Process != nil && !spec.Process.Terminal {
		rec.ExternalDescriptors = externalDescriptors(c.given.Stdio, c.facts.Stdio)
	}
	c.recordResctrl(rec)
	if err := rootfs.RecordHostMounts(rec, spec); err != nil {
		return err
	}
	c.recordOps(rec)
	if err := c.dir.NewConfig(c.o.Config); err != nil {
		return err
	}
	if err := c.dir.Save(rec); err != nil {
		return err
	}
	c.rec = rec
	c.undo.Add(func() error { return rootfs.RemoveHostMounts(rec) })
	return c.makeNotify()
}

// recordOps notes where in the plan the init waits and ends, for those who look at the progress
// page. With Run there is neither a wait nor a page for others: once it is created, the container
// runs.
func (c *creation) recordOps(rec *state.Record) {
	if c.o.Run {
		return
	}
	rec.WaitOp, rec.ExecOp = opIndex(c.plan, plan.SysAccept4), c.plan.OpCount()-1
}

func plannedPaths(places []cgroups.Place) map[string]string {
	paths := make(map[string]string, len(places))
	for _, p := range places {
		if p.V2 {
			paths[""] = p.Path()
			continue
		}
		for _, name := range p.Tree.Controllers {
			paths[name] = p.Path()
		}
	}
	return paths
}

// opIndex is the index of the plan's first op that makes the given call, or -1.
func opIndex(p *plan.Plan, call plan.Call) int {
	n := 0
	for i := range p.Steps {
		for j := range p.Steps[i].Ops {
			if p.Steps[i].Ops[j].Call == call {
				return n
			}
			n++
		}
	}
	return -1
}

// recordCreated writes down that create has succeeded, before the init hears of it: from its
// program on, the record has to find it.
func (c *creation) recordCreated() error {
	c.rec.Phase = state.Created
	c.noteProcessRoot()
	return c.recordInit()
}

// recordInit writes the init's pid down: hooks may ask for the container's state.
func (c *creation) recordInit() error {
	if err := c.rec.SetInit(c.proc.Pid()); err != nil {
		return err
	}
	if err := rootfs.NoteHostMount(c.rec); err != nil {
		return err
	}
	return c.dir.Save(c.rec)
}
