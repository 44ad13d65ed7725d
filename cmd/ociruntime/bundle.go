package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// bundleFlags are what create and run have in common.
type bundleFlags struct {
	streams
	bundle       string
	noPivot      bool
	noNewKeyring bool
	runs         bool // the program is run at once
}

func (b *bundleFlags) flags() []cli.Flag {
	return slices.Concat(
		[]cli.Flag{text(&b.bundle, "bundle,b", "`DIR` with config.json (default: the current directory)")},
		b.streams.flags(),
		[]cli.Flag{
			boolean(&b.noPivot, "no-pivot", "do without pivot_root, as on a ramdisk"),
			boolean(&b.noNewKeyring, "no-new-keyring", "keep the caller's session keyring"),
		},
	)
}

// options loads and checks the bundle, before anything is touched.
func (b *bundleFlags) options(a *app, foreground bool) (*libcontainer.CreateOptions, error) {
	bundle, err := filepath.Abs(b.bundle)
	if err != nil {
		return nil, fmt.Errorf("--bundle: %w", err)
	}
	spec, config, err := a.loadBundle(bundle, func(_ *specs.Spec, opts *check.Options) {
		opts.NoPivot, opts.Runs = b.noPivot, b.runs
	})
	if err != nil {
		return nil, err
	}
	given, err := b.streams.open(spec.Process != nil && spec.Process.Terminal, foreground, a.inherited)
	if err != nil {
		return nil, err
	}
	if spec.Process != nil {
		spec.Process.Env = append(spec.Process.Env, given.env...)
	}
	if a.globals.usersRoot {
		if err := makeUsersRoot(a.globals.root); err != nil {
			return nil, err
		}
	}
	return &libcontainer.CreateOptions{
		ProcessOptions: given.options(), Bundle: bundle, Spec: spec, Config: config,
		NoPivot: b.noPivot, NoNewKeyring: b.noNewKeyring, Notify: a.notifySocket() != "",
	}, nil
}

// loadBundle reads and checks config.json, with the options as adjust would have them.
func (a *app) loadBundle(bundle string, adjust func(*specs.Spec, *check.Options)) (*specs.Spec, []byte, error) {
	spec, config, warnings, err := specconv.LoadBundle(bundle, func(spec *specs.Spec) check.Options {
		opts := a.checkOptions()
		adjust(spec, &opts)
		return opts
	})
	a.warn(warnings)
	if a.log.debug {
		a.warn(load.Unknown(config))
	}
	var wrong problem.Problems
	switch {
	case err == nil || errors.As(err, &wrong):
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("--bundle: %w (%q writes one)", err, name+" spec")
	default:
		err = fmt.Errorf("--bundle: %w", err)
	}
	return spec, config, err
}

func (a *app) checkOptions() check.Options {
	return check.Options{Rootless: os.Geteuid() != 0, SystemdCgroup: a.globals.systemdCgroup}
}

func (a *app) warn(warnings problem.Warnings) {
	for _, w := range warnings {
		a.log.warn(w.String())
	}
}
