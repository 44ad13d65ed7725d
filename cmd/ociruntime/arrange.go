package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// commandLine is a command line without its global flags, which are sorted.
type commandLine struct {
	global sorter
	rest   []string // the command and what follows it
}

// readLine takes the global flags out of a command line.
func readLine(flags []cli.Flag, args []string) *commandLine {
	l := &commandLine{global: sorter{flags: byName(append(slices.Clip(flags), cli.HelpFlag)), skip: isNoCommand}}
	l.rest = l.global.sort(args, true)
	return l
}

// command is the name of the command, "" where none is to be seen.
func (l *commandLine) command() string {
	if len(l.rest) == 0 || len(l.global.wrong) > 0 {
		return ""
	}
	return l.rest[0]
}

// version says that the program's version is asked for, and nothing else.
func (l *commandLine) version() bool {
	return l.global.version && !l.global.help && len(l.rest) == 0 && len(l.global.wrong) == 0
}

// arrange puts the command line into the order that the library reads: flags under their first
// name, "--", arguments. Engines write flags behind the container's id, too, and the library's
// flags may not be given under two names. Nothing is refused here: the library finds what is wrong,
// behind all that is right, so that --log has been seen by then.
func (l *commandLine) arrange(app *cli.App) []string {
	line, name := l.global.line(), l.command()
	if name == "" {
		return line
	}
	app.Setup() // adds the help command
	c := app.Command(name)
	if c == nil || c.SkipFlagParsing {
		return append(line, l.rest...)
	}
	own := sorter{flags: byName(append(slices.Clip(c.Flags), cli.HelpFlag))}
	// What follows the id of a command that takes any number of words belongs to another program.
	rest := own.sort(l.rest[1:], strings.HasSuffix(c.ArgsUsage, "...]"))
	switch {
	case own.help:
		return append(line, "help", c.Name)
	case len(own.wrong) > 0:
		return slices.Concat(line, []string{c.Name}, own.line())
	}
	return slices.Concat(line, []string{c.Name}, own.line(), []string{"--"}, rest)
}

// sorter takes the flags out of a command line.
type sorter struct {
	flags map[string]cli.Flag
	// skip says of the first word behind a flag that nobody knows that it may be the value of that
	// flag. It may be nil.
	skip          func(word string) bool
	right, wrong  []string
	help, version bool // --help and --version are on
}

func byName(flags []cli.Flag) map[string]cli.Flag {
	m := make(map[string]cli.Flag, 2*len(flags))
	for _, f := range flags {
		for _, n := range f.Names() {
			m[n] = f
		}
	}
	return m
}

// sort gives what is left without the flags. With stop they end at the first word; "--" ends them
// always.
func (s *sorter) sort(args []string, stop bool) (rest []string) {
	for len(args) > 0 {
		arg := args[0]
		isFlag := len(arg) > 1 && arg[0] == '-'
		switch {
		case arg == "--":
			return append(rest, args[1:]...)
		case isFlag:
			args = s.one(arg, args[1:])
			continue
		case stop && (len(s.wrong) == 0 || s.skip == nil || !s.skip(arg)):
			return append(rest, args...)
		}
		if !stop {
			rest = append(rest, arg)
		}
		args = args[1:]
	}
	return rest
}

// one sorts a flag and gives the arguments that follow its value.
func (s *sorter) one(arg string, rest []string) []string {
	given, value, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
	known, ok := s.flags[given]
	if !ok {
		s.wrong = append(s.wrong, arg)
		return rest
	}
	long := known.Names()[0]
	if takes, ok := known.(cli.DocGenerationFlag); ok && !takes.TakesValue() {
		on, err := strconv.ParseBool(value)
		switch {
		case !hasValue:
			value, on = "true", true
		case err != nil:
			s.wrong = append(s.wrong, arg)
			return rest
		}
		switch long {
		case cli.HelpFlag.Names()[0]:
			s.help = on
		case versionFlag:
			s.version = on
		}
	} else if !hasValue {
		if len(rest) == 0 {
			s.wrong = append(s.wrong, arg)
			return nil
		}
		value, rest = rest[0], rest[1:]
	}
	s.right = append(s.right, "--"+long+"="+value)
	return rest
}

// line is the flags. The library stops at the first that is wrong.
func (s *sorter) line() []string { return slices.Concat(s.right, s.wrong) }
