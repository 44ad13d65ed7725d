package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// commands are all commands and how to make each, in the order of the help.
func commands() []command {
	return []command{
		{"create", createCommand}, {"run", runCommand}, {"start", startCommand}, {"state", stateCommand},
		{"list", listCommand}, {"ps", psCommand}, {"exec", execCommand}, {"kill", killCommand},
		{"pause", pauseCommand}, {"resume", resumeCommand}, {"update", updateCommand}, {"stats", statsCommand}, {"inspect", inspectCommand}, {"events", eventsCommand},
		{"delete", deleteCommand}, {"spec", specCommand}, {"check", checkCommand}, {"explain", explainCommand}, {"features", featuresCommand},
		{"checkpoint", checkpointCommand}, {"restore", restoreCommand},
	}
}

type command struct {
	name  string
	build func(*app) *cli.Command
}

// newApp is the program that reads such arguments, and the arguments in the order in which it reads
// them. It has the global flags, and the command that stands there alone, or every one if there is
// none: to make all flags of all commands would take a tenth of the time of `state`.
func newApp(a *app, args []string) (*cli.App, []string) {
	flags := a.globals.flags(a)
	given := readLine(flags, args)
	line := &cli.App{
		Name:  name,
		Usage: "run containers from bundles of the Open Container Initiative",
		Description: `A bundle is a directory with a config.json and a root filesystem. "` + name + ` spec"
writes a config.json to start from, and "` + name + ` run ID" runs the bundle in the
current directory. "` + name + ` help COMMAND" says more about a command.`,
		HideVersion: true, // the library's flag would be answered before --log is there
		Flags:       flags,
		Compiled:    time.Unix(0, 0), // never shown; without it the library looks at the file of the program
		Before:      func(*cli.Context) error { return a.log.open() },
		// Errors are reported in one place, and nothing but main ends the program.
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    a.wrongGlobal(flags),
		CommandNotFound: func(_ *cli.Context, word string) { a.unknown = unknownCommand(word) },
	}
	all := commands()
	if given.version() {
		all = nil
	} else if i := slices.IndexFunc(all, func(c command) bool { return c.name == given.command() }); i >= 0 {
		all = all[i : i+1]
	}
	for _, c := range all {
		line.Commands = append(line.Commands, c.build(a))
	}
	for _, c := range line.Commands {
		c.HideHelpCommand = true // a container may be called "help"
		c.OnUsageError = wrongUsage(c, flags)
	}
	return line, given.arrange(line)
}

// anyNumber of positional arguments is fine.
const anyNumber = -1

// action is what a command does with at least and at most so many positional arguments.
func (a *app) action(least, most int, do func(c *cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := checkCount(c.Command, least, most, c.Args().Slice()); err != nil {
			fmt.Fprintf(c.App.Writer, "Incorrect Usage: %v\n\n", err)
			_ = cli.ShowCommandHelp(c.Lineage()[1], c.Command.Name)
			return err
		}
		if err := a.globals.settle(); err != nil {
			return err
		}
		a.log.debugf("%s %q, containers in %s", c.Command.Name, c.Args().Slice(), a.globals.root)
		return do(c)
	}
}

// container is the part of an action that has to do with the container whose id comes first.
func (a *app) container(do func(*libcontainer.Container) error) func(*cli.Context) error {
	return func(c *cli.Context) error {
		container, err := a.runtime().Load(c.Args().First())
		if err != nil {
			return err
		}
		return do(container)
	}
}

// checkCount says whether a command has got the right number of positional arguments, and if not,
// which they are.
func checkCount(command *cli.Command, least, most int, given []string) error {
	var wants string
	switch n := len(given); {
	case least == most && n != least:
		wants = fmt.Sprintf("exactly %d", least)
	case n < least:
		wants = fmt.Sprintf("a minimum of %d", least)
	case most != anyNumber && n > most:
		wants = fmt.Sprintf("a maximum of %d", most)
	default:
		return nil
	}
	wants += " argument(s)"
	if command.ArgsUsage != "" {
		wants += ": " + command.ArgsUsage
	}
	got := ", and there is none"
	if len(given) > 0 {
		got = ", not " + strings.Trim(fmt.Sprintf("%q", given), "[]")
	}
	return fmt.Errorf("%s: %q requires %s%s", name, command.Name, wants, got)
}

// isNoCommand reports whether a word names no command, neither ours nor the library's.
func isNoCommand(word string) bool {
	return word != "help" && word != "h" && !slices.ContainsFunc(commands(), func(c command) bool { return c.name == word })
}
