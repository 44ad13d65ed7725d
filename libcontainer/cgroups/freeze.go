package cgroups

import (
	"errors"
	"fmt"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// ErrNoFreezer says that the container has no cgroup that can be frozen.
var ErrNoFreezer = errors.New("no cgroup freezer for this container: its processes are in no cgroup of their own that has one")

// ErrFrozenAbove says that a cgroup above the container's is frozen, and the container with it.
var ErrFrozenAbove = errors.New("a cgroup above it is frozen, and must be thawed first")

// freezeTimeout bounds Freeze: a process in an uninterruptible wait can hold the kernel up for as
// long as it likes.
const freezeTimeout = 10 * time.Second

// freezer is the v1 freezer where there is one, since that is where other tools look for the state,
// else the v2 directory.
func (c *Cgroup) freezer() backend.Cgroup { return c.v1Or2("freezer") }

// Frozen says whether the processes stand still or are being stopped, by the container's cgroup or
// by one above it. A cgroup that is gone is not frozen.
func (c *Cgroup) Frozen() (bool, error) {
	n := c.freezer()
	if n == nil {
		return false, nil
	}
	return n.Frozen()
}

// OwnFrozen is Frozen of the cgroup that OpenOwn gives for the same arguments. It looks at no more
// than it has to, for list asks it of every container: whose cgroup it is makes a difference only
// when it is frozen.
func OwnFrozen(paths map[string]string, identity string) (bool, error) {
	key := "freezer"
	p, ok := paths[key]
	if !ok {
		key = ""
		if p, ok = paths[key]; !ok {
			return false, nil
		}
	}
	if err := checkPath(key, p); err != nil {
		return false, err
	}
	n := newNode(p, []string{key})
	n.Dir().Glance = true
	frozen, err := n.Frozen()
	if err != nil || !frozen {
		return false, err
	}
	c, err := OpenOwn(paths, identity)
	if err != nil {
		return false, err
	}
	defer c.Close()
	return c.Frozen()
}

// Freeze stops every process of the cgroup and returns when they stand still. If they don't in
// time, it thaws them again.
func (c *Cgroup) Freeze() error {
	n := c.freezer()
	if n == nil {
		return ErrNoFreezer
	}
	if err := n.Freeze(freezeTimeout); err != nil {
		return backend.Also(err, n.Thaw())
	}
	return nil
}

// Thaw lets the processes run again. The error is ErrFrozenAbove when a cgroup above still keeps
// them frozen.
func (c *Cgroup) Thaw() error {
	n := c.freezer()
	if n == nil {
		return ErrNoFreezer
	}
	if err := n.Thaw(); err != nil {
		return err
	}
	frozen, err := n.Frozen()
	if err == nil && frozen {
		err = fmt.Errorf("%s is still frozen: %w", n.Dir().Path, ErrFrozenAbove)
	}
	return err
}
