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
	"github.com/ociruntime/ociruntime/libcontainer/rawfile"
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
	spec, config, err := a.loadBundle(bundle, func(_ *specs.Spec, opts *check.Options) { opts.NoPivot = b.noPivot })
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

// loadBundle reads, decodes and checks config.json, as adjust would have it.
func (a *app) loadBundle(bundle string, adjust func(*specs.Spec, *check.Options)) (*specs.Spec, []byte, error) {
	config, err := rawfile.Read(filepath.Join(bundle, load.ConfigName))
	if errors.Is(err, fs.ErrNotExist) {
		// Not with the kernel's words: engines take these for a missing command.
		return nil, nil, fmt.Errorf("--bundle: there is no %s in %s", load.ConfigName, bundle)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("--bundle: %w", err)
	}
	spec, warnings, err := load.Parse(config)
	a.warn(warnings)
	if err != nil {
		return nil, nil, err
	}
	if err := load.StripRoot(spec, bundle); err != nil {
		return nil, nil, err
	}
	opts := a.checkOptions()
	adjust(spec, &opts)
	warnings, err = check.Spec(spec, opts)
	a.warn(warnings)
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
