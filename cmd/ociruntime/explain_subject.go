package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/check"
)

// subject is what is explained: a bundle, or a container.
type subject struct {
	id, bundle string
	plan       *plan.Plan
	spec       *specs.Spec
	exec       bool // a further process in a container
}

// subject is the container that is named, or the bundle of --bundle.
func (x *explainFlags) subject(a *app, args []string) (*subject, error) {
	switch {
	case len(args) == 0 && x.execGiven:
		return nil, errors.New("an ID is needed: a process of exec runs in a container")
	case len(args) == 0:
		return x.bundleSubject(a, x.bundle)
	}
	if x.bundle != "" {
		return nil, errors.New("--bundle: a container's plan is that of its own bundle")
	}
	c, err := x.runtime(a).Load(args[0])
	if err != nil {
		return nil, err
	}
	if x.execGiven {
		return x.execSubject(a, c, args[1:])
	}
	return x.containerSubject(c)
}

// execSubject is a further process in a container.
func (x *explainFlags) execSubject(a *app, c *libcontainer.Container, command []string) (*subject, error) {
	spec, err := c.Config()
	if err != nil {
		return nil, err
	}
	process, err := x.exec.process(a, spec, command)
	if err != nil {
		return nil, err
	}
	opts := &libcontainer.ExecOptions{Process: process, Cgroup: x.exec.cgroup}
	opts.Stdio = [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	p, err := c.ExplainExec(opts)
	spec.Process = process
	return &subject{id: c.ID(), bundle: c.Record().Bundle, plan: p, spec: spec, exec: true}, err
}

func (x *explainFlags) containerSubject(c *libcontainer.Container) (*subject, error) {
	spec, err := c.Config()
	if err != nil {
		return nil, err
	}
	p, err := c.Explain()
	if err != nil {
		return nil, err
	}
	return &subject{id: c.ID(), bundle: c.Record().Bundle, plan: p, spec: spec}, nil
}

// runtime is the library's handle, whose warnings are notes.
func (x *explainFlags) runtime(a *app) *libcontainer.Runtime {
	rt := a.runtime()
	rt.Warn = x.note
	return rt
}

func (x *explainFlags) note(text string) { x.notes = append(x.notes, text) }

// noID stands where a container made of the bundle would have its id.
const noID = "ID"

func (x *explainFlags) bundleSubject(a *app, dir string) (*subject, error) {
	bundle, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--bundle: %w", err)
	}
	explain := x.runtime(a).Explain
	spec, _, err := a.loadBundle(bundle, func(spec *specs.Spec, opts *check.Options) {
		if opts.Rootless && !x.asMe && isRoots(spec) {
			refused := ""
			if _, err := check.Spec(spec, *opts); err != nil {
				refused = " (" + err.Error() + ")"
			}
			opts.Rootless, explain = false, x.runtime(a).ExplainAsRoot
			x.note("config.json is for root, and run would refuse it to you" + refused + ": this is root's plan (--as-me: yours)")
		}
	})
	if err != nil {
		return nil, err
	}
	p, err := explain(noID, bundle, spec)
	return &subject{id: noID, bundle: bundle, plan: p, spec: spec}, err
}

// isRoots reports whether a configuration is for root alone: it has no user namespace.
func isRoots(spec *specs.Spec) bool {
	_, mapped := namespace.Of(spec, specs.UserNamespace)
	return !mapped
}

// named is the container of that id, or the bundle in that directory. No id holds a slash.
func (x *explainFlags) named(a *app, name string) (*subject, error) {
	if strings.Contains(name, "/") || name == "." || name == ".." {
		return x.bundleSubject(a, name)
	}
	c, err := x.runtime(a).Load(name)
	if err == nil {
		return x.containerSubject(c)
	}
	if _, missing := os.Stat(name); missing != nil {
		return nil, fmt.Errorf("%w, and there is no bundle of that name either", err)
	}
	return x.bundleSubject(a, name)
}
