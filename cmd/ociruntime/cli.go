package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is one word of the command line: what it takes, what it says about itself, what it does.
type command struct {
	name string
	// args is the positional part of the usage line; min and max count them, and max < 0 means any number.
	args     string
	min, max int
	summary  string // one line for the list of commands
	about    string // paragraphs for its own help
	// verbatim ends the flags at the first positional argument: what follows belongs to the container's program.
	verbatim bool
	// failed is put before every error of run; failCode is its exit code, 1 when 0.
	failed   string
	failCode int
	// flags defines the command's flags. It may be nil.
	flags func(*flags)
	// run carries the command out. The exit code counts only without an error.
	run func(a *app, args []string) (int, error)
}

// commands lists every command, in the order of the help.
func commands() []*command {
	return []*command{
		createCommand(), runCommand(), startCommand(), stateCommand(), listCommand(), psCommand(), execCommand(), killCommand(),
		pauseCommand(), resumeCommand(), updateCommand(), eventsCommand(), deleteCommand(), specCommand(), explainCommand(), featuresCommand(),
		helpCommand(),
	}
}

// lookup finds a command by name, or gives nil.
func lookup(name string) *command {
	all := commands()
	i := slices.IndexFunc(all, func(c *command) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

// checkCount says whether a command has got the right number of positional arguments.
func (c *command) checkCount(n int) error {
	var wants string
	switch {
	case c.min == c.max && n != c.min:
		wants = fmt.Sprintf("exactly %d", c.min)
	case n < c.min:
		wants = fmt.Sprintf("a minimum of %d", c.min)
	case c.max >= 0 && n > c.max:
		wants = fmt.Sprintf("a maximum of %d", c.max)
	default:
		return nil
	}
	return fmt.Errorf("%s: %q requires %s argument(s)", name, c.name, wants)
}

// flags are the flags of one command, or the global ones. The standard flag package holds the values; the reading of the
// arguments is ours, because flags may follow arguments and engines give long names with one dash and with two.
type flags struct {
	set  *flag.FlagSet
	docs []flagDoc
	help bool
}

// flagDoc is a flag as its help shows it. Flags without usage are accepted and not shown.
type flagDoc struct{ long, short, arg, usage string }

func newFlags(define func(*flags)) *flags {
	f := &flags{set: flag.NewFlagSet("", flag.ContinueOnError)}
	f.set.SetOutput(io.Discard)
	if define != nil {
		define(f)
	}
	f.bool(&f.help, "help,h", "show this help")
	return f
}

// text defines a flag with a string for a value. Names are "long" or "long,short".
func (f *flags) text(p *string, names, arg, usage string) {
	f.define(names, arg, usage, func(n string) { f.set.StringVar(p, n, *p, "") })
}

func (f *flags) bool(p *bool, names, usage string) {
	f.define(names, "", usage, func(n string) { f.set.BoolVar(p, n, *p, "") })
}

func (f *flags) int(p *int, names, arg, usage string) {
	f.define(names, arg, usage, func(n string) { f.set.IntVar(p, n, *p, "") })
}

// each defines a flag that may be given more than once.
func (f *flags) each(add func(string) error, names, arg, usage string) {
	f.define(names, arg, usage, func(n string) { f.set.Func(n, "", add) })
}

func (f *flags) define(names, arg, usage string, set func(name string)) {
	long, short, _ := strings.Cut(names, ",")
	set(long)
	if short != "" {
		set(short)
	}
	f.docs = append(f.docs, flagDoc{long, short, arg, usage})
}

// parse sets the flags that stand in args and gives the positional arguments. Flags may stand among these, unless they are
// to stay verbatim; "--" ends the flags either way. An error does not end the reading: --log may still follow, and the
// error has to get there. The error is the first one.
func (f *flags) parse(args []string, verbatim bool) (rest []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		isFlag := len(arg) > 1 && arg[0] == '-'
		if !isFlag && verbatim {
			break
		}
		args = args[1:]
		if !isFlag {
			rest = append(rest, arg)
			continue
		}
		if arg == "--" {
			break
		}
		var e error
		if args, e = f.one(arg, args); e != nil && err == nil {
			err = e
		}
	}
	return append(rest, args...), err
}

// one sets a single flag and gives the arguments that are left after its value.
func (f *flags) one(arg string, args []string) ([]string, error) {
	long := strings.TrimPrefix(arg[1:], "-")
	long, value, hasValue := strings.Cut(long, "=")
	def := f.set.Lookup(long)
	if def == nil {
		return args, fmt.Errorf("flag provided but not defined: %s", strings.TrimSuffix(arg, "="+value))
	}
	isBool, ok := def.Value.(interface{ IsBoolFlag() bool })
	switch {
	case hasValue:
	case ok && isBool.IsBoolFlag():
		value = "true"
	case len(args) == 0:
		return args, fmt.Errorf("flag needs an argument: %s", arg)
	default:
		value, args = args[0], args[1:]
	}
	if err := def.Value.Set(value); err != nil {
		// The standard package's own word for what strconv refuses.
		if err.Error() == "parse error" {
			err = errors.New("not a valid value")
		}
		return args, fmt.Errorf("invalid value %q for flag --%s: %w", value, long, err)
	}
	return args, nil
}
