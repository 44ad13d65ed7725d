package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// listCommand shows the containers below --root.
func listCommand(a *app) *cli.Command {
	var format string
	var quiet bool
	return &cli.Command{
		Name:  "list",
		Usage: "list the containers",
		Description: `Lists the containers in the directory that the global flag --root names. One whose
record can't be read is left out, with a warning.`,
		Flags: []cli.Flag{
			text(&format, "format,f", "`FORMAT` is table or json (default: table)"),
			boolean(&quiet, "quiet,q", "show only the ids"),
		},
		Action: a.action(0, 0, func(*cli.Context) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if quiet {
				return a.printIDs()
			}
			states, err := a.list()
			if err != nil {
				return err
			}
			text, err := listText(states, format, time.Now())
			if err != nil {
				return err
			}
			return a.print(text)
		}),
	}
}

// checkFormat checks the --format of list and ps.
func checkFormat(format string) error {
	return oneFormat(format, "table", "json")
}

// oneFormat checks a --format with two values, of which the first is the default.
func oneFormat(format, first, second string) error {
	if format == "" || format == first || format == second {
		return nil
	}
	return fmt.Errorf("--format: invalid format option %q: it is %s or %s", format, first, second)
}

// listed are the containers below --root. One whose record can't be read is told of.
func (a *app) listed() ([]*libcontainer.Container, error) {
	all, broken, err := a.runtime().List()
	if errors.Is(err, fs.ErrNotExist) && !a.globals.rootGiven {
		return nil, nil // nobody has made a container yet
	}
	for _, err := range broken {
		a.log.line("warning", err.Error())
	}
	return all, err
}

func (a *app) list() ([]*libcontainer.State, error) {
	all, err := a.listed()
	if err != nil {
		return nil, err
	}
	var states []*libcontainer.State
	owners := map[int]string{} // looked up once
	for _, c := range all {
		state, err := c.State()
		if err != nil {
			a.log.line("warning", fmt.Sprintf("load container %s: %v", c.ID(), err))
			continue
		}
		uid := c.Record().Owner
		if _, known := owners[uid]; !known {
			owners[uid] = c.Owner()
		}
		state.Owner = owners[uid]
		states = append(states, state)
	}
	return states, nil
}

// printIDs asks no container for its state.
func (a *app) printIDs() error {
	all, err := a.listed()
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, c := range all {
		b.WriteString(c.ID() + "\n")
	}
	return a.print(b.String())
}

func listText(states []*libcontainer.State, format string, now time.Time) (string, error) {
	var b strings.Builder
	if format == "json" {
		data, err := json.Marshal(states) // null without any
		if err != nil {
			return "", err
		}
		b.Write(append(data, '\n'))
	} else {
		w := tabwriter.NewWriter(&b, 12, 1, 3, ' ', 0)
		fmt.Fprintln(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER")
		for _, s := range states {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.Pid, s.Status, s.Bundle, ago(now.Sub(s.Created)), s.Owner)
		}
		_ = w.Flush() // to memory
	}
	return b.String(), nil
}
