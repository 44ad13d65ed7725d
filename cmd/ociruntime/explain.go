package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	bundle, trace string
	asJSON, brief bool
	seccomp, asMe bool
}

// explainCommand prints the plan of a bundle or of a container.
func explainCommand(a *app) *cli.Command {
	var x explainFlags
	return &cli.Command{
		Name: "explain", ArgsUsage: "[ID]",
		Usage: "print what would be done, or was done, step by step",
		Description: `Prints the plan for a bundle, or the one that a container was made with: each step
in the order in which it is carried out, with the place in config.json that asked
for it and its system calls, and then what the seccomp filter does with each of the
program's own. Nothing is done, and no privileges are needed: a user sees
what root would get of a configuration for root.`,
		Flags: []cli.Flag{
			text(&x.bundle, "bundle,b", "the bundle in `DIR` (default: the current directory)"),
			text(&x.trace, "trace", "print `FILE` that --trace of another command wrote, the dearest step first"),
			boolean(&x.asJSON, "json", "as JSON, for programs"),
			boolean(&x.brief, "brief", "without the system calls"),
			boolean(&x.seccomp, "seccomp", "only the seccomp filter, as the BPF that the kernel runs"),
			boolean(&x.asMe, "as-me", "what you would get of a configuration for root"),
			// as it is without
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Hidden: true},
		},
		Action: a.action(0, 1, func(c *cli.Context) error {
			if x.trace != "" {
				return trace.PrintTable(os.Stdout, x.trace)
			}
			p, spec, err := x.plan(a, c.Args().Slice())
			if err != nil {
				return err
			}
			return x.print(a, p, spec)
		}),
	}
}

// plan is the plan of a container or bundle and the configuration that it was made from.
func (x *explainFlags) plan(a *app, args []string) (*plan.Plan, *specs.Spec, error) {
	if len(args) > 0 {
		if x.bundle != "" {
			return nil, nil, errors.New("--bundle: a container's plan is that of its own bundle")
		}
		c, err := a.runtime().Load(args[0])
		if err != nil {
			return nil, nil, err
		}
		spec, err := c.Config()
		if err != nil {
			return nil, nil, err
		}
		p, err := c.Explain()
		return p, spec, err
	}
	bundle, err := filepath.Abs(x.bundle)
	if err != nil {
		return nil, nil, fmt.Errorf("--bundle: %w", err)
	}
	explain := a.runtime().Explain
	spec, _, err := a.loadBundle(bundle, func(spec *specs.Spec, opts *check.Options) {
		if opts.Rootless && !x.asMe && isRoots(spec) {
			opts.Rootless, explain = false, a.runtime().ExplainAsRoot
			a.log.people = true
			a.log.warn("config.json is for root, having no user namespace: this is the plan as root would run it (--as-me: as you would)")
		}
	})
	if err != nil {
		return nil, nil, err
	}
	p, err := explain("ID", bundle, spec)
	return p, spec, err
}

// isRoots reports whether a configuration is for root alone: it has no user namespace.
func isRoots(spec *specs.Spec) bool {
	return spec.Linux == nil || !slices.ContainsFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.UserNamespace
	})
}

func (x *explainFlags) print(a *app, p *plan.Plan, spec *specs.Spec) error {
	filter, err := compile.SeccompFilter(spec)
	if err != nil {
		return err
	}
	if x.seccomp {
		if filter == nil {
			return errors.New("--seccomp: linux.seccomp is not set, so there is no filter")
		}
		return filter.WriteListing(os.Stdout)
	}
	if x.asJSON {
		data, err := plan.JSON(p)
		if err != nil {
			return err
		}
		return a.print(string(data))
	}
	opts := plan.PrintOptions{Calls: !x.brief}
	if out := int(os.Stdout.Fd()); console.IsTerminal(out) {
		opts.Color = os.Getenv("NO_COLOR") == ""
		if size, err := unix.IoctlGetWinsize(out, unix.TIOCGWINSZ); err == nil {
			opts.Width = int(size.Col)
		}
	}
	if err := plan.Print(os.Stdout, p, opts); err != nil || filter == nil || x.brief {
		return err
	}
	if err := a.print("\nseccomp filter\n"); err != nil {
		return err
	}
	return filter.WriteDecisions(os.Stdout)
}
