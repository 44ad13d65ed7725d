package libcontainer

import (
	"context"
	"fmt"
)

// Pause freezes every process of a created or running container.
func (c *Container) Pause() error {
	return c.freeze(func(status Status) error {
		switch status {
		case Created, Running:
			return nil
		case Paused:
			return fmt.Errorf("%w: %w", ErrNotRunning, ErrPaused)
		}
		return ErrNotRunning
	}, true)
}

// Resume lets the processes of a paused container go on.
func (c *Container) Resume() error {
	return c.freeze(func(status Status) error {
		if status != Paused {
			return ErrNotPaused
		}
		return nil
	}, false)
}

func (c *Container) freeze(allowed func(Status) error, freeze bool) error {
	status, unlock, err := c.lockStatus(context.Background())
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.needsCgroup("its processes can't be frozen"); err != nil {
		return err
	}
	if err := allowed(status); err != nil {
		return err
	}
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	if freeze {
		return cg.Freeze()
	}
	return cg.Thaw()
}
