package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// option is a flag. The library's own kinds find their names by a regular expression whenever they
// are asked for them, and the library asks each flag for each flag: a tenth of the time of `exec`.
type option struct {
	names  []string
	usage  string // what stands in backquotes is what the value is called
	value  flag.Value
	hidden bool // accepted, and not shown
	// then is called with all flags read, so that --log is among them, if this one was given.
	then func() error
}

var _ interface {
	cli.ActionableFlag
	cli.DocGenerationFlag
	cli.VisibleFlag
} = (*option)(nil)

// The kinds of flags. Names are "long" or "long,short".

func text(p *string, names, usage string) *option {
	return newOption(names, usage, (*textValue)(p))
}

func boolean(p *bool, names, usage string) *option {
	return newOption(names, usage, (*boolValue)(p))
}

// each is a flag that may be given more than once, or one that is not just text: take gets every
// value.
func each(take func(string) error, names, usage string) *option {
	v := &eachValue{take: take}
	o := newOption(names, usage, v)
	v.name = o.names[0]
	o.then = func() error { return v.err }
	return o
}

func newOption(names, usage string, v flag.Value) *option {
	return &option{names: strings.Split(names, ","), usage: usage, value: v}
}

func hidden(o *option) *option {
	o.hidden = true
	return o
}

func (o *option) Apply(set *flag.FlagSet) error {
	for _, n := range o.names {
		set.Var(o.value, n, o.usage)
	}
	return nil
}

func (o *option) RunAction(*cli.Context) error {
	if o.then == nil {
		return nil
	}
	return o.then()
}

func (o *option) TakesValue() bool {
	_, switches := o.value.(*boolValue)
	return !switches
}

func (o *option) Names() []string        { return o.names }
func (o *option) IsSet() bool            { return false } // but by the command line
func (o *option) IsVisible() bool        { return !o.hidden }
func (o *option) String() string         { return cli.FlagStringer(o) }
func (o *option) GetUsage() string       { return o.usage }
func (o *option) GetValue() string       { return "" }
func (o *option) GetDefaultText() string { return "" }
func (o *option) GetEnvVars() []string   { return nil }

type textValue string

func (v *textValue) String() string { return string(*v) }

func (v *textValue) Set(text string) error {
	*v = textValue(text)
	return nil
}

type boolValue bool

func (v *boolValue) String() string   { return strconv.FormatBool(bool(*v)) }
func (v *boolValue) IsBoolFlag() bool { return true }

func (v *boolValue) Set(text string) error {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("neither true nor false")
	}
	*v = boolValue(on)
	return nil
}

type eachValue struct {
	name string
	take func(string) error
	err  error // the first
}

// again is what the library sets the other names of a flag to when one of them was given. No
// argument can hold a zero byte.
const again = "\x00"

func (v *eachValue) Serialize() string { return again }
func (v *eachValue) String() string    { return "" }

func (v *eachValue) Set(text string) error {
	if text == again {
		return nil
	}
	if err := v.take(text); err != nil && v.err == nil {
		v.err = fmt.Errorf("--%s %q: %w", v.name, text, err)
	}
	return nil
}
