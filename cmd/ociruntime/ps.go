package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
)

// psCommand shows a container's processes.
func psCommand(a *app) *cli.Command {
	var format string
	return &cli.Command{
		Name: "ps", ArgsUsage: "ID [PS-OPTION...]",
		Usage: "show a container's processes",
		Description: `Shows the processes of a container, with the host's pids. The table is what the
host's ps prints with the given options ("-ef" if there are none), less the
processes that aren't the container's; it must have a PID column. JSON is an array
of pids, and needs no ps.`,
		Flags: []cli.Flag{text(&format, "format,f", "`FORMAT` is table or json (default: table)")},
		Action: a.action(1, anyNumber, func(c *cli.Context) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			container, err := a.runtime().Load(c.Args().First())
			if err != nil {
				return err
			}
			pids, err := container.Pids()
			if err != nil {
				return err
			}
			text, err := psText(pids, format, c.Args().Tail())
			if err != nil {
				return err
			}
			return a.print(text)
		}),
	}
}

func psText(pids []int, format string, options []string) (string, error) {
	if format == "json" {
		data, err := json.Marshal(pids) // null without any
		return string(data) + "\n", err
	}
	if len(options) == 0 {
		options = []string{"-ef"}
	}
	cmd := exec.Command("ps", options...)
	cmd.Stderr = os.Stderr
	var out []byte
	err := entry.AsCaller(func() (err error) {
		out, err = cmd.Output()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("the host's ps: %w", err)
	}
	return filterTable(string(out), pids)
}

// filterTable keeps the heading and the lines of some processes.
func filterTable(table string, pids []int) (string, error) {
	heading, lines, _ := strings.Cut(table, "\n")
	column := slices.Index(strings.Fields(heading), "PID")
	if column < 0 {
		return "", errors.New("the host's ps prints no PID column with these options")
	}
	kept := heading + "\n"
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		if len(fields) <= column {
			continue
		}
		if pid, err := strconv.Atoi(fields[column]); err == nil && slices.Contains(pids, pid) {
			kept += line
		}
	}
	return kept, nil
}
