package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	bundle, trace string
	asJSON, brief bool
	verbose       bool
}

// explainCommand prints the plan of a bundle or of a container.
func explainCommand() *command {
	var x explainFlags
	return &command{
		name: "explain", args: "[ID]", max: 1,
		summary: "print what would be done, or was done, step by step",
		about: `Prints the plan for a bundle, or the one that a container was made with: each step
in the order in which it is carried out, with the place in config.json that asked
for it and its system calls. Nothing is done, and no privileges are needed.`,
		flags: func(f *flags) {
			f.text(&x.bundle, "bundle,b", "DIR", "the bundle (default: the current directory)")
			f.text(&x.trace, "trace", "FILE", "print a file that --trace of another command wrote, the dearest step first")
			f.bool(&x.asJSON, "json", "as JSON, for programs")
			f.bool(&x.brief, "brief", "without the system calls")
			f.bool(&x.verbose, "verbose,v", "") // as it is without
		},
		run: func(a *app, args []string) (int, error) {
			if x.trace != "" {
				return 0, trace.PrintTable(os.Stdout, x.trace)
			}
			p, err := x.plan(a, args)
			if err != nil {
				return 0, err
			}
			return 0, x.print(a, p)
		},
	}
}

func (x *explainFlags) plan(a *app, args []string) (*plan.Plan, error) {
	if len(args) > 0 {
		if x.bundle != "" {
			return nil, errors.New("--bundle: a container's plan is that of its own bundle")
		}
		c, err := a.runtime().Load(args[0])
		if err != nil {
			return nil, err
		}
		return c.Explain()
	}
	bundle, err := filepath.Abs(x.bundle)
	if err != nil {
		return nil, fmt.Errorf("--bundle: %w", err)
	}
	spec, _, err := a.loadBundle(bundle, false)
	if err != nil {
		return nil, err
	}
	return a.runtime().Explain("ID", bundle, spec)
}

func (x *explainFlags) print(a *app, p *plan.Plan) error {
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
	return plan.Print(os.Stdout, p, opts)
}
