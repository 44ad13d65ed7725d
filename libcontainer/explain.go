package libcontainer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/diagnose"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// Explain makes the plan of a configuration without touching anything, with the cgroup's part,
// which the host does before the init exists, in front. The plan is for reading only. It is what
// the caller would get; what would go wrong is a warning.
func (r *Runtime) Explain(id, bundle string, spec *specs.Spec) (*plan.Plan, error) {
	return newCreation(r, id, &CreateOptions{Bundle: bundle, Spec: spec}).explained()
}

// ExplainAsRoot is Explain as root would have it in the first user namespace, for a configuration
// that the caller may look at and not run.
func (r *Runtime) ExplainAsRoot(id, bundle string, spec *specs.Spec) (*plan.Plan, error) {
	c := newCreation(r, id, &CreateOptions{Bundle: bundle, Spec: spec})
	c.asRoot = true
	return c.explained()
}

// becomeRoot changes what a user has found out to what root would find.
func becomeRoot(f *facts.Facts) {
	all := uint64(1)<<(f.LastCap+1) - 1
	f.EUID, f.EGID, f.InUserNS = 0, 0, false
	f.Bounding, f.Permitted = all, all
	f.Privileged, f.OwnsMounts, f.MakesDevices = true, true, true
}

func (c *creation) explained() (*plan.Plan, error) {
	c.toRead = true
	err := c.compile()
	defer c.scope.close()
	defer c.files.Close()
	if err == nil {
		err = c.asCaller()
	}
	if err != nil {
		return nil, err
	}
	bad, odd := CheckFiles(c.o.Bundle, c.spec)
	for _, p := range slices.Concat(bad, problem.Problems(odd)) {
		c.rt.warn(p.String())
	}
	var before []plan.Step
	add := func(from, what string) {
		before = append(before, plan.Step{What: what, From: from, Group: plan.Cgroup, Site: plan.Host})
	}
	from := "linux.cgroupsPath"
	if cgroupsPath(c.o.Spec) == "" {
		from = "default"
	}
	c.scope.explain(from, add)
	for _, p := range c.places {
		add(from, "make the cgroup "+p.Path())
	}
	if c.resctrl != nil {
		add("linux.intelRdt", "make the resctrl group "+c.resctrl.Dir+" or look at it, and set its limits")
	}
	for _, line := range c.set.Lines() {
		// "FILE = VALUE  (PLACE)", or more than that: then it stays together.
		write, place, _ := strings.Cut(line, "  (")
		place, simple := strings.CutSuffix(place, ")")
		if !simple || strings.ContainsAny(place, ";(") {
			write, place = line, "linux.resources"
		}
		add(place, "write "+write)
	}
	p := *c.plan
	p.Steps = slices.Concat(before, p.Steps)
	return &p, nil
}

// asCaller leaves out the cgroups that a user without privileges can't make, as Create would find
// out by trying.
func (c *creation) asCaller() error {
	if c.asRoot || c.rt.NoCgroup || c.scope != nil || !c.rt.rootless(c.facts) {
		return nil
	}
	may := cgroups.Makeable(c.places)
	if len(may) == len(c.places) {
		return nil
	}
	what := "you may make no cgroup, and the container stays in yours"
	if len(may) > 0 {
		what = fmt.Sprintf("you may make a cgroup in %d of %d hierarchies alone", len(may), len(c.places))
	}
	c.rt.warn("linux.cgroupsPath: " + what)
	var lacking []cgroups.Write
	if c.set, lacking = c.set.Within(may); len(lacking) > 0 {
		c.rt.warn(lacking[0].From + ": cannot be set without a cgroup, and is refused")
	}
	have := map[string]string{}
	c.places, c.facts.JoinTasks, c.facts.JoinDir = may, nil, false
	for _, p := range may {
		if p.V2 {
			c.facts.JoinDir = true
			have[""] = p.Path()
			continue
		}
		c.facts.JoinTasks = append(c.facts.JoinTasks, strings.Join(p.Tree.Controllers, ","))
		for _, name := range p.Tree.Controllers {
			have[name] = p.Path()
		}
	}
	c.ownHierarchies(have)
	return c.compilePlan(nil) // the warnings are out
}

// Explain makes the plan again from the configuration that the container was created with.
func (c *Container) Explain() (*plan.Plan, error) {
	spec, err := c.Config()
	if err != nil {
		return nil, err
	}
	rt := *c.rt
	rt.SystemdCgroup, rt.NoCgroup = c.rec.SystemdScope != "", len(c.rec.CgroupPaths) == 0
	return rt.Explain(c.ID(), c.rec.Bundle, spec)
}

// ExplainExec makes the plan by which Exec would run a further process now. Nothing is started.
func (c *Container) ExplainExec(o *ExecOptions) (*plan.Plan, error) {
	if err := mayExec(&ExecOptions{IgnorePaused: true}, c.Status); err != nil {
		return nil, err
	}
	spec, err := c.Config()
	if err != nil {
		return nil, err
	}
	j := c.newJoining(o, spec)
	defer j.files.Close()
	if err := j.openInit(); err != nil {
		return nil, err
	}
	cg, err := c.execCgroup(o.Cgroup)
	if err != nil {
		return nil, diagnose.ExplainFiles(err, nil)
	}
	defer cg.Close()
	entrance, err := enter(cg)
	var closed *closedCgroup
	if errors.As(err, &closed) && len(o.Cgroup) == 0 {
		var its *cgroups.Cgroup
		if its, err = c.cgroupOfInit(); err != nil {
			return nil, err
		}
		defer its.Close()
		entrance, err = enter(its)
	}
	if err != nil {
		return nil, diagnose.ExplainFiles(err, nil)
	}
	defer entrance.Close()
	return j.compile(entrance)
}
