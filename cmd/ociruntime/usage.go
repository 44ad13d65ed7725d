package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/specconv/similar"
)

// unknownCommand is the error of a word where a command is expected.
func unknownCommand(word string) error {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	hint := similar.Hint(word, names)
	if hint == "" {
		hint = `: "` + name + ` help" lists those that there are`
	}
	return cli.Exit(fmt.Sprintf("unknown command %q%s", word, hint), exitUnknownCommand)
}

// wrongUsage shows the help of a command, as the library does, and tells of a flag that is not the
// command's where it belongs, or which one was meant.
func wrongUsage(command *cli.Command, globals []cli.Flag) cli.OnUsageErrorFunc {
	return func(c *cli.Context, err error, _ bool) error {
		if flag, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
			err = fmt.Errorf("%w%s", err, flagHint(flag, command, globals))
		}
		fmt.Fprintf(c.App.Writer, "Incorrect Usage: %v\n\n", err)
		_ = cli.ShowCommandHelp(c.Lineage()[1], command.Name)
		return err
	}
}

// wrongGlobal is wrongUsage for what stands in front of the command.
func (a *app) wrongGlobal(globals []cli.Flag) cli.OnUsageErrorFunc {
	return func(c *cli.Context, err error, _ bool) error {
		if flag, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
			err = fmt.Errorf("%w%s", err, a.globalHint(flag, globals))
		}
		fmt.Fprintf(c.App.Writer, "Incorrect Usage: %v\n\n", err)
		_ = cli.ShowAppHelp(c)
		return err
	}
}

func (a *app) globalHint(given string, globals []cli.Flag) string {
	given, _, _ = strings.Cut(given, "=")
	var of []string
	for _, c := range commands() {
		if byName(c.build(a).Flags)[given] != nil {
			of = append(of, c.name)
		}
	}
	if len(of) > 0 {
		return ": it goes behind the command, which is one of " + strings.Join(of, ", ")
	}
	var known []string
	for _, f := range globals {
		known = append(known, f.Names()[0])
	}
	if meant := similar.Name(given, known); meant != "" {
		return ": did you mean --" + meant + "?"
	}
	return ""
}

func flagHint(given string, command *cli.Command, globals []cli.Flag) string {
	if _, err := parseSignal(given); err == nil && command.Name == "kill" {
		return ": a signal stands behind the ID, and without a dash: " + name + " kill ID " + given
	}
	if f := byName(globals)[given]; f != nil {
		value := ""
		if takes, ok := f.(cli.DocGenerationFlag); ok && takes.TakesValue() {
			value = " VALUE"
		}
		return fmt.Sprintf(": it goes in front of the command: %s --%s%s %s", name, f.Names()[0], value, command.Name)
	}
	var known []string
	for _, f := range slices.Concat(command.VisibleFlags(), globals) {
		if long := f.Names()[0]; long != given {
			known = append(known, long)
		}
	}
	if meant := similar.Name(given, known); meant != "" {
		return ": did you mean --" + meant + "?"
	}
	return ""
}
