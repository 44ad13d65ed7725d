package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// cgroupPlan says where the container's cgroup will be, and with which limits.
type cgroupPlan struct {
	host   *cgroups.Layout
	set    *cgroups.Settings
	scope  *scope // nil without systemd
	path   string // linux.cgroupsPath, made absolute by systemd
	places []cgroups.Place
}

// planCgroup finds out where the cgroup will be, and with which limits; nothing is touched. What
// the container will see as its cgroup is what it returns.
func (c *creation) planCgroup() (seen []cgroups.Place, err error) {
	var res *specs.LinuxResources
	if c.spec.Linux != nil {
		res = load.Limits(c.spec.Version, c.spec.Linux.Resources)
	}
	if c.rt.NoCgroup {
		c.set = &cgroups.Settings{}
		c.warnUnlimited(res)
		return c.host.Own(), nil
	}
	if c.set, err = cgroups.Compile(res, c.host); err != nil {
		return nil, err
	}
	c.path = cgroupsPath(c.spec)
	if c.rt.SystemdCgroup {
		if c.scope, err = newScope(c.spec, c.id, c.host, c.set); err != nil {
			return nil, err
		}
		c.path = c.scope.path
	}
	for _, w := range c.set.Warnings {
		c.rt.warn(w)
	}
	c.places, err = c.host.Locate(c.path, c.id)
	return c.places, err
}

// checkDevices refuses a container whose device rules, or the denial that is the default, nothing
// would enforce: as root of the host it could open any disk. A user without privileges can't.
func (c *creation) checkDevices() error {
	if c.rt.NoCgroup || c.host.RestrictsDevices() || c.rt.rootless(c.facts) {
		return nil
	}
	return errors.New("linux.resources.devices: neither the devices controller of cgroup v1 nor cgroup2 is mounted, and without them " +
		"the container could open every device of the host (--cgroup-manager=disabled goes without cgroups)")
}

// warnUnlimited names the limits that are not in force without a cgroup. crun says nothing.
func (c *creation) warnUnlimited(res *specs.LinuxResources) {
	members := map[string]json.RawMessage{}
	data, err := json.Marshal(res)
	if err == nil {
		err = json.Unmarshal(data, &members)
	}
	if err != nil {
		c.rt.warn("linux.resources: " + err.Error())
	}
	maps.DeleteFunc(members, func(_ string, value json.RawMessage) bool { return string(value) == "{}" })
	if len(members) > 0 {
		c.rt.warn(fmt.Sprintf("linux.resources: not in force, as the container has no cgroup: %s", strings.Join(slices.Sorted(maps.Keys(members)), ", ")))
	}
}

func (c *creation) makeCgroup() error {
	if err := c.makeResctrl(); err != nil {
		return err
	}
	if c.rt.NoCgroup {
		c.cg = cgroups.Disabled("it was not to have one")
		return nil
	}
	cfg := cgroups.Config{Path: c.path, ID: c.id, Settings: c.set, Rootless: c.rt.rootless(c.facts), Adopt: c.scope != nil}
	if cgroups.OwnerWanted(c.spec) && c.spec.Process != nil {
		if uid, ok := hostID(c.spec, c.spec.Process.User.UID); ok {
			cfg.Owner = &cgroups.Owner{UID: int(uid), GID: -1}
		}
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
	if c.rec.CgroupID, err = cg.Identity(); err != nil {
		return err
	}
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
		c.ownHierarchies(c.cg.Paths())
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
// container has got none. have are the paths of those that it has got, by controller.
func (c *creation) ownHierarchies(have map[string]string) {
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
	return idmap.HostID(spec.Linux.UIDMappings, uid)
}
