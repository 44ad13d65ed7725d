package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// UpdateOptions are the changes to a container's limits. What is not set, or zero where the kernel
// has no use for zero, stays as it is.
type UpdateOptions struct {
	Resources *specs.LinuxResources // device rules in it are left out
	// L3CacheSchema and MemBwSchema are those of linux.intelRdt.
	L3CacheSchema, MemBwSchema string
}

// Update changes the limits of a container that has not stopped, all or none, and notes them in the
// saved configuration: a later update starts from there.
func (c *Container) Update(o *UpdateOptions) error {
	status, unlock, err := c.lockStatus(context.Background())
	if err != nil {
		return err
	}
	defer unlock()
	if status == Stopped || status == Creating {
		return ErrNotRunning
	}
	if err := c.needsCgroup("no limit can be set"); err != nil {
		return err
	}
	spec, err := c.Config()
	if err != nil {
		return err
	}
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	before := load.Limits(spec.Version, spec.Linux.Resources)
	spec.Linux.Resources = cgroups.Merge(before, load.Limits(spec.Version, o.Resources))
	undo, err := c.updateResctrl(spec.Linux.IntelRdt, o)
	if err != nil {
		return err
	}
	if err := c.limit(spec.Linux.Resources, before); err != nil {
		return errors.Join(err, undo())
	}
	changed := map[string]any{"resources": spec.Linux.Resources}
	if spec.Linux.IntelRdt != nil {
		changed["intelRdt"] = spec.Linux.IntelRdt
	}
	if err := c.saveLinux(changed); err != nil {
		return fmt.Errorf("the new limits are in force, but later commands will not know them: %w", err)
	}
	return nil
}

// limit puts limits in force. Their check belongs here, since a change may be good or bad only
// together with what was there before.
func (c *Container) limit(res, before *specs.LinuxResources) error {
	if _, err := check.Resources(res); err != nil {
		return err
	}
	host, err := cgroups.Probe()
	if err != nil {
		return err
	}
	set, err := cgroups.CompileUpdate(res, host)
	if err != nil {
		return err
	}
	for _, w := range set.Warnings {
		c.rt.warn(w)
	}
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	if c.rec.SystemdScope == "" {
		return cg.Update(set)
	}
	return c.limitUnit(cg, set, func() (*cgroups.Settings, error) { return cgroups.CompileUpdate(before, host) })
}

// saveLinux replaces members of "linux" in the text of the saved configuration. The rest of the
// text stays, since a decoded configuration could not be written as it was read: a hook with an
// empty environment isn't one without.
func (c *Container) saveLinux(members map[string]any) error {
	text, err := c.configText()
	if err != nil {
		return err
	}
	text, err = editMember(text, "linux", func(linux []byte) ([]byte, error) {
		for name, value := range members {
			if linux, err = editMember(linux, name, func([]byte) ([]byte, error) { return json.Marshal(value) }); err != nil {
				return nil, err
			}
		}
		return linux, nil
	})
	if err != nil {
		return fmt.Errorf("change the saved configuration: %w", err)
	}
	return c.dir.SaveConfig(text)
}

// editMember replaces a member of a JSON object, "null" or nothing by what edit makes of it. Upper
// and lower case in its name don't count, as when it is read.
func editMember(object []byte, name string, edit func([]byte) ([]byte, error)) ([]byte, error) {
	members := map[string]json.RawMessage{}
	if len(object) > 0 {
		if err := json.Unmarshal(object, &members); err != nil {
			return nil, err
		}
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	old, exact := members[name]
	for key, value := range members {
		if key == name || !strings.EqualFold(key, name) {
			continue
		}
		if !exact {
			old = value
		}
		delete(members, key)
	}
	value, err := edit(old)
	if err != nil {
		return nil, err
	}
	members[name] = value
	return json.Marshal(members)
}
