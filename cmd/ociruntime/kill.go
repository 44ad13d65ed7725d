package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/specconv/similar"
)

// killCommand sends a signal.
func killCommand(a *app) *cli.Command {
	var all bool
	return &cli.Command{
		Name: "kill", ArgsUsage: "ID [SIGNAL]",
		Usage: "send a signal to a container's process",
		Description: `Sends a signal to the container's first process, SIGTERM if none is given. A signal
is a number or a name, with or without SIG, in upper or lower case; real-time
signals are RTMIN+N and RTMAX-N. 0 only asks whether the container could be
signalled.

SIGKILL ends every process of a container that shares its pid namespace with others.`,
		Flags: []cli.Flag{
			boolean(&all, "all,a", "signal every process of the container; fine if there is none any more"),
		},
		Action: a.action(1, 2, func(c *cli.Context) error {
			container, err := a.runtime().Load(c.Args().First())
			if err != nil {
				return err
			}
			signal := unix.SIGTERM
			if c.NArg() > 1 {
				if signal, err = parseSignal(c.Args().Get(1)); err != nil {
					return err
				}
			}
			return container.Kill(signal, all)
		}),
	}
}

// The real-time signals as C libraries number them (signal(7)): the first two are theirs.
const (
	rtMin = 34
	rtMax = 64
)

// parseSignal understands numbers and names.
func parseSignal(word string) (unix.Signal, error) {
	if n, err := strconv.Atoi(word); err == nil {
		if n < 0 || n > rtMax {
			return 0, fmt.Errorf("unknown signal %q: their numbers are 1 to %d", word, rtMax)
		}
		return unix.Signal(n), nil
	}
	unknown := fmt.Errorf("unknown signal %q", word)
	upper := strings.TrimPrefix(strings.ToUpper(word), "SIG")
	for _, rt := range []struct {
		name, sign  string
		base, times int
	}{{"RTMIN", "+", rtMin, 1}, {"RTMAX", "-", rtMax, -1}} {
		offset, ok := strings.CutPrefix(upper, rt.name)
		if !ok {
			continue
		}
		n := 0
		if offset != "" {
			digits, signed := strings.CutPrefix(offset, rt.sign)
			u, err := strconv.ParseUint(digits, 10, 8)
			if !signed || err != nil || u > rtMax-rtMin {
				return 0, unknown
			}
			n = int(u)
		}
		return unix.Signal(rt.base + rt.times*n), nil
	}
	if n := unix.SignalNum("SIG" + upper); n != 0 {
		return n, nil
	}
	var known []string
	for n := range unix.Signal(rtMin) {
		known = append(known, strings.TrimPrefix(unix.SignalName(n), "SIG"))
	}
	return 0, fmt.Errorf("%w%s", unknown, similar.Hint(upper, known))
}
