package libcontainer

import (
	"errors"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/intelrdt"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// planResctrl finds out which group linux.intelRdt asks for; nothing is touched.
func (c *creation) planResctrl() error {
	if c.spec.Linux == nil || c.spec.Linux.IntelRdt == nil {
		return nil
	}
	tree, err := intelrdt.Find()
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	c.resctrl = tree.Plan(c.spec.Linux.IntelRdt, c.id)
	return nil
}

// recordResctrl notes what the group is, or is going to be.
func (c *creation) recordResctrl(rec *state.Record) {
	if g := c.resctrl; g != nil {
		rec.IntelRdtPath, rec.IntelRdtMonPath, rec.IntelRdtOwn, rec.IntelRdtMonMade = g.Dir, g.Mon, g.Own, g.MadeMon
	}
}

func (c *creation) makeResctrl() error {
	if c.resctrl == nil {
		return nil
	}
	c.undo.Add(c.resctrl.Unmake)
	defer c.recordResctrl(c.rec)
	return c.resctrl.Make(c.spec.Linux.IntelRdt)
}

// resctrl is the container's resctrl group, nil without one.
func (c *Container) resctrl() *intelrdt.Group {
	if c.rec.IntelRdtPath == "" {
		return nil
	}
	return intelrdt.Open(c.rec.IntelRdtPath, c.rec.IntelRdtMonPath, c.rec.IntelRdtOwn, c.rec.IntelRdtMonMade)
}

// removeResctrl removes what create has made for this container alone.
func (c *Container) removeResctrl() error {
	if g := c.resctrl(); g != nil {
		return g.Remove()
	}
	return nil
}

// updateResctrl changes the schemas of the container's class, in cfg, too. What it returns undoes
// the change in the kernel.
func (c *Container) updateResctrl(cfg *specs.LinuxIntelRdt, o *UpdateOptions) (undo func() error, err error) {
	if o.L3CacheSchema == "" && o.MemBwSchema == "" {
		return func() error { return nil }, nil
	}
	g := c.resctrl()
	switch {
	case g == nil || cfg == nil:
		return nil, errors.New("updating a non-existent Intel RDT configuration is not supported")
	case o.MemBwSchema != "" && (!strings.HasPrefix(o.MemBwSchema, "MB:") || strings.Contains(o.MemBwSchema, "\n")):
		return nil, fmt.Errorf("linux.intelRdt.memBwSchema: must be one line that begins with MB: %q", o.MemBwSchema)
	}
	if undo, err = g.Update(o.L3CacheSchema, o.MemBwSchema); err != nil {
		return nil, err
	}
	if o.L3CacheSchema != "" {
		cfg.L3CacheSchema = o.L3CacheSchema
	}
	if o.MemBwSchema != "" {
		cfg.MemBwSchema = o.MemBwSchema
	}
	return undo, nil
}
