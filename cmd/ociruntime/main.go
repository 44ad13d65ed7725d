// Command ociruntime is the command line of the runtime: flags in, a call of libcontainer or specconv, output out. There is one
// file for each command; nothing else belongs here, and nothing imports it.
//
// Engines start this program several times for each container, so its start is counted in microseconds. Two things follow. The
// command line is a small reader of our own on top of the standard flag package: with urfave/cli/v2 the bare program took 1.5 times as
// long to start (about 1 ms more) and was twice as big (4.1 MB for 1.9 MB), and that version no longer takes flags after
// arguments, which engines give. And no package with costly initialisation is imported: no net/http, text/template,
// regexp (GODEBUG=inittrace=1 shows what each costs). Nor does Go's runtime follow the limits of our own cgroup, to choose how many threads
// may run: it is one (see main). What can be had before that runtime begins is in libcontainer/kernel/entry.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
)

// name is the program's name in paths, messages and help.
const name = "ociruntime"

// Exit codes other than those of the container's own process.
const (
	exitFailure        = 1
	exitUnknownCommand = 3
	exitExecFailure    = 255
)

// memoryLimit is where the garbage collector wakes up although it is switched off: commands are short, and what they allocate
// goes with them.
const memoryLimit = 64 << 20

func main() {
	// A command does one thing after the other. With a second thread that may run Go code, the
	// runtime keeps waking one to look for work, and polls while we wait in a system call: 0.4 ms
	// of 9. Package entry has seen to it, unless our caller's environment says otherwise, in a way
	// that the programs we start must not see.
	runtime.GOMAXPROCS(1)
	if os.Getenv(entry.Variable) == entry.Procs {
		os.Unsetenv(entry.Variable)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(memoryLimit)
	}
	os.Exit(run(os.Args[1:], inheritedFDs()))
}

// app is what a command works with.
type app struct {
	globals globals
	log     logger
	// inherited is the number of descriptors that the caller left to us from 3 on, without a gap.
	inherited int
}

// commandError is an error of a command that was understood and went wrong.
type commandError struct {
	prefix string
	code   int
	error
}

func (e commandError) Error() string { return e.prefix + e.error.Error() }
func (e commandError) Unwrap() error { return e.error }

// usage is an error in the command line itself; it is shown together with the help.
type usage struct {
	error
	help string
}

func (u usage) Unwrap() error { return u.error }

// run carries out a command line and gives the exit code.
func run(args []string, inherited int) int {
	a := &app{log: logger{now: time.Now}, inherited: inherited}
	code, err := a.guarded(args)
	if err == nil {
		a.log.flush()
		a.log.debugf("exit code %d", code)
		return code
	}
	var u usage
	if errors.As(err, &u) {
		_ = a.print("Incorrect Usage: " + u.Error() + "\n\n" + u.help)
	}
	a.log.fail(err)
	var unknown unknownCommand
	var failed commandError
	switch {
	case errors.As(err, &unknown):
		return exitUnknownCommand
	case errors.As(err, &failed):
		return failed.code
	}
	return exitFailure
}

// guarded makes an error of a panic: engines look for one in the log, and exit code 2 tells them nothing.
func (a *app) guarded(args []string) (code int, err error) {
	defer func() {
		if r := recover(); r != nil {
			a.log.debugf("%s", debug.Stack())
			err = fmt.Errorf("internal error: %v (--debug shows where)", r)
		}
	}()
	return a.dispatch(args)
}

func (a *app) dispatch(args []string) (int, error) {
	global := newFlags(a.globals.define)
	rest, parseErr := global.parse(args, true)
	for parseErr != nil && len(rest) > 0 && lookup(rest[0]) == nil {
		// This may be the value of a flag that nobody knows, and --log may stand behind it.
		rest, _ = global.parse(rest[1:], true)
	}
	a.log.debug = a.globals.debug
	if err := a.log.open(a.globals.log, a.globals.logFormat); err != nil {
		return 0, err
	}
	switch {
	case parseErr != nil:
		return 0, usage{parseErr, globalHelp()}
	case a.globals.version:
		return 0, a.print(versionText())
	case global.help || len(rest) == 0:
		return 0, a.print(globalHelp())
	}
	if rest[0] == "h" {
		rest[0] = "help"
	}
	c := lookup(rest[0])
	if c == nil {
		return 0, unknownCommand(rest[0])
	}
	return a.runCommand(c, rest[1:])
}

func (a *app) runCommand(c *command, args []string) (int, error) {
	own := newFlags(c.flags)
	args, err := own.parse(args, c.verbatim)
	switch {
	case err != nil:
		return 0, usage{err, commandHelp(c)}
	case own.help:
		return 0, a.print(commandHelp(c))
	}
	if err := c.checkCount(len(args)); err != nil {
		return 0, usage{err, commandHelp(c)}
	}
	if err := a.globals.settle(); err != nil {
		return 0, err
	}
	a.log.debugf("%s %q, containers in %s", c.name, args, a.globals.root)
	code, err := c.run(a, args)
	if err == nil {
		return code, nil
	}
	failed := commandError{code: max(c.failCode, exitFailure), error: err}
	if c.failed != "" {
		failed.prefix = c.failed + ": "
	}
	return 0, failed
}

// print writes to standard output.
func (a *app) print(text string) error {
	_, err := os.Stdout.WriteString(text)
	return err
}
