package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
	"github.com/ociruntime/ociruntime/specconv/problem"
	"github.com/ociruntime/ociruntime/specconv/similar"
)

// checkCommand judges a bundle.
func checkCommand(a *app) *cli.Command {
	var bundle, format string
	return &cli.Command{
		Name:  "check",
		Usage: "say what is wrong with a bundle, without running it",
		Description: `Looks at a bundle's config.json and at its root filesystem: whether the configuration
is one that can be carried out on this host, whether the program is there and one for
this machine, and its loader or interpreter with it. All that is wrong is said at once,
each with its place in config.json, and what is merely odd as a warning: properties
and system calls that nobody knows, with those that may have been meant.

Nothing is done, and no privileges are needed. A configuration for root is checked as
root would run it. What only the kernel can judge is found out by "run".

The exit status is 1 if something is wrong, and 0 if there are no more than warnings.`,
		Flags: []cli.Flag{
			text(&bundle, "bundle,b", "the bundle in `DIR` (default: the current directory)"),
			text(&format, "format,f", "`FORMAT` is text or json (default: text)"),
		},
		Action: a.action(0, 0, func(*cli.Context) error {
			if err := oneFormat(format, "text", "json"); err != nil {
				return err
			}
			dir, err := filepath.Abs(bundle)
			if err != nil {
				return fmt.Errorf("--bundle: %w", err)
			}
			v, err := a.judge(dir)
			if err != nil {
				return err
			}
			return v.print(a, format)
		}),
	}
}

// verdict is what is to be said of a bundle.
type verdict struct {
	Bundle   string     `json:"bundle"`
	Problems []findings `json:"problems"`
	Warnings []findings `json:"warnings"`
}

type findings struct {
	Place   string `json:"place"` // in config.json, or empty
	Message string `json:"message"`
}

func (a *app) judge(bundle string) (*verdict, error) {
	v := &verdict{Bundle: bundle, Problems: []findings{}, Warnings: []findings{}}
	asRoot := false
	spec, config, warnings, err := specconv.LoadBundle(bundle, func(spec *specs.Spec) check.Options {
		opts := a.checkOptions()
		asRoot = opts.Rootless && isRoots(spec)
		opts.Rootless = opts.Rootless && !asRoot
		return opts
	})
	var wrong problem.Problems
	switch {
	case err == nil:
	case errors.As(err, &wrong):
		v.wrong(wrong...)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("--bundle: %w (%q writes one)", err, name+" spec")
	default:
		return nil, fmt.Errorf("--bundle: %w", err)
	}
	v.odd(warnings...)
	if config == nil {
		// With a value of a wrong type there is no more to check, but a property of a wrong name.
		config, _ = os.ReadFile(filepath.Join(bundle, load.ConfigName))
	}
	v.odd(load.Unknown(config)...)
	if spec == nil {
		return v, nil
	}
	if spec.Linux != nil && spec.Linux.Seccomp != nil {
		known := seccomp.Names()
		seccomp.Unknown(spec.Linux.Seccomp, func(place, name string) {
			v.odd(problem.Problem{Path: place, Msg: fmt.Sprintf("no system call is called %q, and it is left out%s", name, similar.Hint(name, known))})
		})
	}
	if asRoot {
		v.odd(problem.Problem{Msg: "the configuration is for root, having no user namespace, and is checked as root would run it"})
	}
	mistaken := len(v.Problems) > 0
	bad, odd := libcontainer.CheckFiles(bundle, spec)
	v.wrong(bad...)
	v.odd(odd...)
	if mistaken {
		return v, nil // what comes next relies on a configuration without mistakes
	}
	odd, err = a.runtime().CheckHost(bundle, spec, asRoot)
	v.odd(odd...)
	if errors.As(err, &wrong) {
		v.wrong(wrong...)
	}
	return v, nil
}

func (v *verdict) wrong(list ...problem.Problem) {
	for _, p := range list {
		v.Problems = append(v.Problems, findings{p.Path, p.Msg})
	}
}

func (v *verdict) odd(list ...problem.Problem) {
	for _, p := range list {
		v.Warnings = append(v.Warnings, findings{p.Path, p.Msg})
	}
}

func (v *verdict) print(a *app, format string) error {
	if format == "json" {
		data, err := json.Marshal(v)
		if err == nil {
			err = a.print(string(data) + "\n")
		}
		if err != nil {
			return err
		}
	} else if err := a.print(v.text()); err != nil {
		return err
	}
	if len(v.Problems) > 0 {
		return cli.Exit("", exitFailure)
	}
	return nil
}

func (v *verdict) text() string {
	var b strings.Builder
	for _, list := range []struct {
		kind string
		of   []findings
	}{{"wrong", v.Problems}, {"warning", v.Warnings}} {
		for _, f := range list.of {
			fmt.Fprintf(&b, "%-8s %s\n", list.kind+":", oneLine(problem.Problem{Path: f.Place, Msg: f.Message}.String()))
		}
	}
	if len(v.Problems) == 0 {
		fmt.Fprintf(&b, "nothing is wrong with %s\n", oneLine(filepath.Join(v.Bundle, load.ConfigName)))
	}
	return b.String()
}
