package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/console"
)

// statsFlags are the flags of stats.
type statsFlags struct {
	format   string
	once     bool
	interval time.Duration
}

// statsCommand shows what containers use, to people.
func statsCommand(a *app) *cli.Command {
	s := statsFlags{interval: time.Second}
	return &cli.Command{
		Name: "stats", ArgsUsage: "[ID...]",
		Usage: "show what containers use, again and again",
		Description: `Shows what the containers use, or all that run: CPU time in percent of one CPU since
the line before, memory without the cache that the kernel drops first, processes and
threads, what was read and written so far, and for how much of the last ten seconds
something had to wait for a CPU, for memory or for I/O, where the kernel counts that.

On a terminal the table is renewed in place; Ctrl-C ends it. JSON is a line at each
interval, an array with an object for each container. For programs that expect runc's
statistics there is "events".`,
		Flags: []cli.Flag{
			text(&s.format, "format,f", "`FORMAT` is table or json (default: table)"),
			boolean(&s.once, "no-stream", "show them once, after one interval"),
			each(s.setInterval, "interval", "`TIME` between two looks (default: 1s)"),
		},
		Action: a.action(0, anyNumber, func(c *cli.Context) error {
			if err := checkFormat(s.format); err != nil {
				return err
			}
			a.quit()
			ctx, stop := signal.NotifyContext(context.Background(), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
			defer stop()
			return s.show(ctx, a, c.Args().Slice())
		}),
	}
}

func (s *statsFlags) setInterval(text string) (err error) {
	if s.interval, err = time.ParseDuration(text); err != nil || s.interval <= 0 {
		return errors.New("not a duration as in 500ms or 10s")
	}
	return nil
}

// show prints a table at each interval, until a signal comes, nobody reads it any more, or all the
// containers that were named have ended.
func (s *statsFlags) show(ctx context.Context, a *app, ids []string) error {
	m := meter{a: a, ids: ids, before: map[string]look{}}
	if _, err := m.measure(time.Now()); err != nil {
		return err
	}
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		uses, err := m.measure(time.Now())
		switch {
		case errors.Is(err, libcontainer.ErrNotExist), errors.Is(err, libcontainer.ErrNotRunning):
			if !first {
				return nil // the last of them has ended
			}
			return err
		case err != nil:
			return err
		}
		if err := s.print(a, uses, first); err != nil {
			return err
		}
		if s.once {
			return nil
		}
	}
}

func (s *statsFlags) print(a *app, uses []use, first bool) error {
	if s.format == "json" {
		data, err := json.Marshal(uses)
		if err != nil {
			return err
		}
		return a.print(string(data) + "\n")
	}
	table := useTable(uses)
	switch {
	case !s.once && console.IsTerminal(int(os.Stdout.Fd())):
		table = inPlace(table)
	case !first:
		table = "\n" + table
	}
	return a.print(table)
}

// inPlace writes a table over the one before, without the flicker of a terminal that is emptied
// first.
func inPlace(table string) string {
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	out := home
	for _, line := range splitLines(table) {
		out += line + clearLine + "\r\n"
	}
	return out + clearBelow
}

// meter looks at containers again and again.
type meter struct {
	a      *app
	ids    []string // none: all that run
	before map[string]look
}

// look is what CPU time a container had used at a time.
type look struct {
	at  time.Time
	cpu uint64 // ns
}

// measure is what each container uses. One of several that has ended is left out; if it was the
// last that was asked for, that is the error.
func (m *meter) measure(now time.Time) ([]use, error) {
	containers, err := m.containers()
	if err != nil {
		return nil, err
	}
	uses := []use{}
	var gone error
	for _, c := range containers {
		e, err := c.Stats()
		switch {
		case errors.Is(err, libcontainer.ErrNotRunning), errors.Is(err, libcontainer.ErrNoCgroup) && len(m.ids) == 0:
			gone = err
			continue
		case err != nil:
			return nil, fmt.Errorf("container %s: %w", c.ID(), err)
		}
		then, known := m.before[c.ID()]
		m.before[c.ID()] = look{now, e.Data.CPU.Usage.Total}
		u := usedBy(e)
		if known && now.After(then.at) && e.Data.CPU.Usage.Total >= then.cpu {
			u.CPU = 100 * float64(e.Data.CPU.Usage.Total-then.cpu) / float64(now.Sub(then.at))
		}
		uses = append(uses, u)
	}
	if len(m.ids) > 0 && len(uses) == 0 {
		return nil, gone
	}
	return uses, nil
}

func (m *meter) containers() (list []*libcontainer.Container, err error) {
	if len(m.ids) == 0 {
		return m.a.listed()
	}
	var gone error
	for _, id := range m.ids {
		c, err := m.a.runtime().Load(id)
		switch _, seen := m.before[id]; {
		case err == nil:
			list = append(list, c)
		case seen && errors.Is(err, libcontainer.ErrNotExist):
			gone = err
		default:
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, gone
	}
	return list, nil
}
