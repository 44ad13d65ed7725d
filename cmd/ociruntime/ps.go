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
)

// psCommand shows a container's processes.
func psCommand() *command {
	var format string
	return &command{
		name: "ps", args: "ID [PS-OPTION...]", min: 1, max: -1, verbatim: true,
		summary: "show a container's processes",
		about: `Shows the processes of a container, with the host's pids. The table is what the
host's ps prints with the given options ("-ef" if there are none), less the
processes that aren't the container's; it must have a PID column. JSON is an array
of pids, and needs no ps.`,
		flags: func(f *flags) { f.text(&format, "format,f", "FORMAT", "table or json (default: table)") },
		run: func(a *app, args []string) (int, error) {
			if err := checkFormat(format); err != nil {
				return 0, err
			}
			c, err := a.runtime().Load(args[0])
			if err != nil {
				return 0, err
			}
			pids, err := c.Pids()
			if err != nil {
				return 0, err
			}
			text, err := psText(pids, format, args[1:])
			if err != nil {
				return 0, err
			}
			return 0, a.print(text)
		},
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
	out, err := cmd.Output()
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
