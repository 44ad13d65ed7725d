package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// The kinds of flags. Names are "long" or "long,short"; what stands in backquotes in a usage is
// what the flag's value is called.

func text(p *string, names, usage string) *cli.StringFlag {
	name, aliases := split(names)
	return &cli.StringFlag{Name: name, Aliases: aliases, Usage: usage, Destination: p}
}

func boolean(p *bool, names, usage string) *cli.BoolFlag {
	name, aliases := split(names)
	return &cli.BoolFlag{Name: name, Aliases: aliases, Usage: usage, Destination: p, DisableDefaultText: true}
}

// each is a flag that may be given more than once, or one that is not just text: take gets every
// value. What it refuses is told once all flags have been read, so that --log is among them.
func each(take func(string) error, names, usage string) *cli.GenericFlag {
	name, aliases := split(names)
	v := &value{name: name, take: take}
	return &cli.GenericFlag{
		Name: name, Aliases: aliases, Usage: usage, Value: v,
		Action: func(*cli.Context, any) error { return v.err },
	}
}

// hidden is a flag that is accepted, and not shown.
func hidden(f *cli.GenericFlag) *cli.GenericFlag {
	f.Hidden = true
	return f
}

func split(names string) (name string, aliases []string) {
	all := strings.Split(names, ",")
	return all[0], all[1:]
}

// value is the flag.Value of each.
type value struct {
	name string
	take func(string) error
	err  error
}

// again is what the library sets the other names of a flag to when one of them was given. No
// argument can hold a zero byte.
const again = "\x00"

func (v *value) Serialize() string { return again }
func (v *value) String() string    { return "" }

func (v *value) Set(text string) error {
	if text == again {
		return nil
	}
	if err := v.take(text); err != nil && v.err == nil {
		v.err = fmt.Errorf("--%s %q: %w", v.name, text, err)
	}
	return nil
}
