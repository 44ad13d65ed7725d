package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/foreground"
)

// deleteCommand removes what is left of a container.
func deleteCommand(a *app) *cli.Command {
	var force, many bool
	return &cli.Command{
		Name: "delete", ArgsUsage: "ID",
		Usage: "remove a container",
		Description: `Removes a container that has stopped, or was never started: its cgroup, its
directory and what else was made for it. The bundle stays.

When it has poststop hooks, HUP, INT, QUIT and TERM end the one that runs and leave
out those behind it; the container goes all the same.

With --force a running container is killed first, whatever an interrupted command
has left is removed, too, and an unknown ID is no error.`,
		Flags: []cli.Flag{
			boolean(&force, "force,f", "kill it first if it runs"),
			boolean(&many, "regex,r", "take ID for a regular expression, and remove every container whose id it matches"),
		},
		Action: a.action(1, 1, func(c *cli.Context) error {
			if many {
				return a.deleteMany(c.Args().First(), force)
			}
			return a.delete(c.Args().First(), force)
		}),
	}
}

// delete removes a container by its id, and what is left of one that can't be loaded.
func (a *app) delete(id string, force bool) error {
	c, err := a.runtime().Load(id)
	if err != nil {
		return uninterruptible(func(ctx context.Context) error { return a.runtime().Delete(ctx, id, force) })
	}
	return a.deleteLoaded(c, force)
}

// deleteLoaded removes a container. To catch signals takes half a millisecond of five, so that is
// done only where a hook would outlive us.
func (a *app) deleteLoaded(c *libcontainer.Container, force bool) error {
	remove := func(ctx context.Context) error {
		err := c.Delete(ctx, force)
		if force && errors.Is(err, libcontainer.ErrNotExist) {
			return nil // somebody else was quicker
		}
		return err
	}
	if c.HasPoststop() {
		return a.interruptible(remove)
	}
	return uninterruptible(remove)
}

// deleteMany removes the containers whose ids an expression matches anywhere, as crun's does, and
// goes on when one can't be removed.
func (a *app) deleteMany(expression string, force bool) error {
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return fmt.Errorf("--regex: %w", err)
	}
	all, err := a.listed()
	if err != nil {
		return err
	}
	var failed []error
	for _, c := range all {
		if !pattern.MatchString(c.ID()) {
			continue
		}
		err := a.deleteLoaded(c, force)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.ID(), err))
		}
		if errors.As(err, new(foreground.Interruption)) {
			break
		}
	}
	return errors.Join(failed...)
}
