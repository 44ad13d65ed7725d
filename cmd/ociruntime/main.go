// Command ociruntime is the command line of the runtime: flags in, a call of libcontainer or
// specconv, output out. There is one file for each command; nothing else belongs here, and nothing
// imports it.
//
// Engines start this program several times for each container, so its start is counted in
// microseconds. No package with costly initialisation is imported: no net/http (GODEBUG=inittrace=1
// shows what each costs; urfave/cli/v2 takes 0.1 ms of 2). Nor does Go's runtime follow the limits
// of our own cgroup, to choose how many threads may run: it is one (see main). What can be had
// before that runtime begins is in libcontainer/kernel/entry.
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

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/foreground"
	"github.com/ociruntime/ociruntime/libcontainer/kernel"
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

// memoryLimit is where the garbage collector wakes up although it is switched off: commands are
// short, and what they allocate goes with them.
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
	// As the library's own, but with names at hand (see option).
	cli.HelpFlag = boolean(new(bool), "help,h", "show help")
	os.Exit(run(os.Args[1:], inheritedFDs()))
}

// app is what a command works with.
type app struct {
	globals globals
	log     logger
	// inherited is the number of descriptors that the caller left to us from 3 on, without a gap.
	inherited int
	// subreaper says that processes which lose their parent become our children.
	subreaper bool
	// quit lets Go catch SIGQUIT, which ends this program as it ends any other until then.
	quit func()
	// unknown is the error of a command line whose command nobody knows.
	unknown error
}

// run carries out a command line and gives the exit code.
func run(args []string, inherited int) int {
	a := &app{log: logger{now: time.Now}, inherited: inherited, quit: kernel.DefaultAction(unix.SIGQUIT)}
	err := a.guarded(args)
	code := exitFailure
	var exit cli.ExitCoder
	var interrupted foreground.Interruption
	switch {
	case err == nil:
		code = 0
	case errors.As(err, &interrupted):
		code = interrupted.ExitCode()
	case errors.As(err, &exit):
		code = exit.ExitCode()
	}
	if err == nil || err.Error() == "" {
		a.log.flush()
		a.log.debugf("exit code %d", code)
		return code
	}
	// A wrong global flag has ended the command before.
	_ = a.log.open()
	a.log.fail(err)
	return code
}

// guarded makes an error of a panic: engines look for one in the log, and exit code 2 tells them
// nothing.
func (a *app) guarded(args []string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			a.log.debugf("%s", debug.Stack())
			err = fmt.Errorf("internal error: %v (--debug shows where)", r)
		}
	}()
	app, args := newApp(a, args)
	err = app.Run(append([]string{name}, args...))
	if err == nil {
		err = a.unknown
	}
	return err
}

// print writes to standard output.
func (a *app) print(text string) error {
	_, err := os.Stdout.WriteString(text)
	return err
}
