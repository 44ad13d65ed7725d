package main

import (
	"errors"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	bundle, trace string
	html          string
	asJSON, brief bool
	seccomp, asMe bool
	diff          bool
	exec          execFlags // of a process of exec
	execGiven     bool
	notes         []string // for the reader of the plan
}

// explainCommand prints the plan of a bundle or of a container.
func explainCommand(a *app) *cli.Command {
	var x explainFlags
	return &cli.Command{
		Name: "explain", ArgsUsage: "[ID [COMMAND ARGUMENT...]] | --diff A B",
		Usage: "print what would be done, or was done, step by step",
		Description: `Prints the plan for a bundle, or the one that a container was made with: each step
in the order in which it is carried out, with the place in config.json that asked
for it and its system calls, and then what the seccomp filter does with each of the
program's own. Nothing is done, and no privileges are needed. It is the plan that
the caller would get, and of a configuration for root, root's; what would go wrong
is noted in front.

With a COMMAND, or with --process, it is the plan by which "exec" would run that
process in the container now; the flags for it are those of exec. Flags of COMMAND
itself stand behind "--": explain ID -- ls -l.

With --html it writes a page that needs no network: a timeline of what host and
container do, and each step with its system calls and its part of config.json. The
page holds what config.json says, the environment among it.

With --diff it compares the plans of two bundles or containers, each a directory or
an ID (a name with a slash is a directory): + is what only B has, - what only A has,
and ~ what both do with other system calls. What merely has another number, or lies
in another bundle, is no difference. The exit status is 0 whether they differ or not.`,
		Flags: x.flags(),
		Action: a.action(0, anyNumber, func(c *cli.Context) error {
			x.execGiven = x.ofExec(c)
			if err := x.conflict(c.NArg()); err != nil {
				return err
			}
			if x.trace != "" && x.html == "" {
				return trace.PrintTable(os.Stdout, x.trace)
			}
			if x.diff {
				return x.printDiff(a, c.Args().Slice())
			}
			s, err := x.subject(a, c.Args().Slice())
			if err != nil {
				return err
			}
			if x.html != "" {
				return x.writeHTML(s)
			}
			return x.print(a, s.plan, s.spec)
		}),
	}
}

func (x *explainFlags) flags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		text(&x.bundle, "bundle,b", "the bundle in `DIR` (default: the current directory)"),
		text(&x.trace, "trace", "print the times in `FILE`, which --trace of a command wrote"),
		text(&x.html, "html", "write a page for a browser to `FILE`, with the times of --trace"),
		boolean(&x.asJSON, "json", "as JSON, for programs"),
		boolean(&x.brief, "brief", "without the system calls"),
		boolean(&x.diff, "diff", "what one of two has that the other lacks"),
		boolean(&x.seccomp, "seccomp", "only the seccomp filter, as the BPF that the kernel runs"),
		boolean(&x.asMe, "as-me", "what you would get of a configuration for root"),
		// as it is without
		hidden(boolean(new(bool), "verbose,v", "")),
	}, x.exec.processFlags(), []cli.Flag{x.exec.cgroupFlag()})
}

// conflict says which flags don't go together: one of them would be passed over.
func (x *explainFlags) conflict(names int) error {
	switch {
	case x.html != "" && x.diff:
		return errors.New("--html: a page shows one plan, and --diff compares two")
	case x.html != "" && (x.asJSON || x.brief || x.seccomp):
		return errors.New("--html: the page has everything, and goes with none of --json, --brief, --seccomp")
	case x.trace != "" && x.html == "" && (names > 0 || x.bundle != "" || x.diff || x.asJSON || x.brief || x.seccomp):
		return errors.New("--trace: prints the times that are in its file alone (--html shows them with the plan)")
	case x.diff && (x.bundle != "" || x.seccomp):
		return errors.New("--diff: compares whole plans, and names its bundles as arguments: it goes with neither --bundle nor --seccomp")
	case x.seccomp && (x.asJSON || x.brief):
		return errors.New("--seccomp: prints the filter alone, and goes with neither --json nor --brief")
	}
	return nil
}

// ofExec reports whether a process of exec is asked for.
func (x *explainFlags) ofExec(c *cli.Context) bool {
	return c.NArg() > 1 && !x.diff || slices.ContainsFunc(append(x.exec.processFlags(), x.exec.cgroupFlag()), func(f cli.Flag) bool {
		return c.IsSet(f.Names()[0])
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
		x.warn(a)
		data, err := plan.JSON(p)
		if err != nil {
			return err
		}
		return a.print(string(data))
	}
	for _, note := range x.notes {
		if err := a.print("note: " + oneLine(note) + "\n"); err != nil {
			return err
		}
	}
	opts := plan.PrintOptions{Options: terminal(), Calls: !x.brief}
	if err := plan.Print(os.Stdout, p, opts); err != nil || filter == nil || x.brief {
		return err
	}
	if err := a.print("\nseccomp filter\n"); err != nil {
		return err
	}
	return filter.WriteDecisions(os.Stdout)
}

// warn tells the notes apart from the output.
func (x *explainFlags) warn(a *app) {
	a.log.people = len(x.notes) > 0
	for _, note := range x.notes {
		a.log.warn(note)
	}
}

// terminal is how wide the output may be, and whether it may have colours.
func terminal() (o layout.Options) {
	if out := int(os.Stdout.Fd()); console.IsTerminal(out) {
		o.Color = os.Getenv("NO_COLOR") == ""
		if size, err := unix.IoctlGetWinsize(out, unix.TIOCGWINSZ); err == nil {
			o.Width = int(size.Col)
		}
	}
	return o
}
