package libcontainer

import (
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// cgroupPlan says where the container's cgroup will be, and with which limits.
type cgroupPlan struct {
	host   *cgroups.Layout
	set    *cgroups.Settings
	scope  *scope // nil without systemd
	path   string // linux.cgroupsPath, made absolute by systemd
	places []cgroups.Place
}

func (c *creation) makeCgroup() error {
	cfg := cgroups.Config{Path: c.path, ID: c.id, Settings: c.set, Rootless: c.rt.rootless(c.facts), Adopt: c.scope != nil}
	if cgroups.OwnerWanted(c.spec) && c.spec.Process != nil {
		if uid, ok := hostID(c.spec, c.spec.Process.User.UID); ok {
			cfg.Owner = &cgroups.Owner{UID: int(uid), GID: -1}
		}
	}
	if err := c.makeResctrl(); err != nil {
		return err
	}
	c.undo.Add(c.scope.stop) // which knows how far its start has come
	if err := c.scope.start(c.given.Stdio[0], c.dir.Path()); err != nil {
		return err
	}
	cg, err := cgroups.Create(c.host, cfg)
	if left := (*cgroups.LeftoverError)(nil); errors.As(err, &left) {
		c.undo.Add(func() error { return left.Left }) // which keeps the record, for delete
		return left.Err
	}
	if err != nil {
		return err
	}
	c.cg = cg
	c.undo.Add(c.removeCgroup)
	c.rec.CgroupPaths, c.rec.CgroupMade = cg.Paths(), true
	return c.dir.Save(c.rec)
}

// removeCgroup ends what is in the cgroup, such as processes that hooks have left there, and
// removes it.
func (c *creation) removeCgroup() error {
	const patience = 5 * time.Second
	return errors.Join(c.cg.KillAll(), c.scope.stop(), c.cg.Remove(patience))
}

// enter opens the cgroup's entrance for the init. A rootless runtime may have got fewer hierarchies
// than the host has, and the plan has to be made anew for those.
func (c *creation) enter() (*cgroups.Entrance, error) {
	e, err := c.cg.Enter()
	if err != nil {
		return nil, err
	}
	if c.scope != nil && e.Dir != nil && !mayMove(c.host, e.Dir.Name()) {
		e.Dir.Close()
		e.Dir, c.facts.Attach = nil, true
	}
	if !slices.Equal(e.Names, c.facts.JoinTasks) || c.facts.JoinDir != (e.Dir != nil) {
		c.facts.JoinTasks, c.facts.JoinDir = e.Names, e.Dir != nil
		c.ownHierarchies()
		if err := c.compilePlan(nil); err != nil { // the warnings are out
			return nil, errors.Join(err, e.Close())
		}
		c.recordOps(c.rec)
	}
	for i, f := range e.Tasks {
		c.files.Give(compile.TasksFile(e.Names[i]), f)
	}
	return e, nil
}

// ownHierarchies makes the container's /sys/fs/cgroup show the runtime's own cgroup where the
// container has got none.
func (c *creation) ownHierarchies() {
	have := c.cg.Paths()
	for i := range c.facts.Hierarchies {
		h := &c.facts.Hierarchies[i]
		key, trees := "", c.host.V1
		if h.V2 {
			trees = []cgroups.Hierarchy{*c.host.V2}
		} else {
			key = h.Controllers[0]
		}
		if _, ok := have[key]; ok {
			continue
		}
		for _, t := range trees {
			if h.V2 || slices.Contains(t.Controllers, key) {
				h.Host = filepath.Join(t.Mount, t.Own)
			}
		}
	}
}

func cgroupsPath(spec *specs.Spec) string {
	if spec.Linux == nil {
		return ""
	}
	return spec.Linux.CgroupsPath
}

// hostID is the id on the host of a user of the container.
func hostID(spec *specs.Spec, uid uint32) (uint32, bool) {
	if spec.Linux == nil {
		return uid, true
	}
	return compile.MapID(spec.Linux.UIDMappings, uid)
}
