package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
	"github.com/ociruntime/ociruntime/specconv/names"
	"github.com/ociruntime/ociruntime/specconv/problem"
	"github.com/ociruntime/ociruntime/specconv/similar"
)

// execFlags are the flags of exec.
type execFlags struct {
	streams
	processFile, cwd, user, label, apparmor string
	env, caps, cgroup                       []string
	gids                                    []uint32
	detach, ignorePaused, tty               bool
	noNewPrivs                              *bool // nil: as the container's process has it
}

// execCommand runs a further process in a container.
func execCommand(a *app) *cli.Command {
	var x execFlags
	return &cli.Command{
		Name: "exec", ArgsUsage: "ID COMMAND [ARGUMENT...]",
		Usage: "run a further program in a container",
		Description: `Runs a program in a container that was created or runs, waits for it to end and
returns its exit code (128 plus the signal if one ended it); 255 means that it could
not be run. Signals are passed on to the program once it runs; before that, HUP, INT,
QUIT and TERM end this command.

The process is like the one in the container's config.json, but for what flags
change. With --process it is taken from a file instead, as "process" stands in
config.json, and no COMMAND is given.`,
		Flags: x.flags(),
		Action: a.action(1, anyNumber, func(c *cli.Context) error {
			code, err := x.exec(a, c.Args().First(), c.Args().Tail())
			if err != nil {
				return cli.Exit(fmt.Errorf("exec failed: %w", err), exitExecFailure)
			}
			return cli.Exit("", code)
		}),
	}
}

func (x *execFlags) flags() []cli.Flag {
	return slices.Concat(x.processFlags(), []cli.Flag{
		boolean(&x.detach, "detach,d", "leave it running and return"),
	}, x.streams.flags(), []cli.Flag{
		x.cgroupFlag(),
		boolean(&x.ignorePaused, "ignore-paused", "wait in a paused container until it goes on"),
	})
}

// processFlags say what the process is like.
func (x *execFlags) processFlags() []cli.Flag {
	var on bool
	noNewPrivs := boolean(&on, "no-new-privs", "never gain privileges by execve")
	noNewPrivs.then = func() error {
		x.noNewPrivs = &on
		return nil
	}
	return []cli.Flag{
		text(&x.processFile, "process,p", "take the whole process from the JSON file `FILE`"),
		text(&x.cwd, "cwd", "work in the container's directory `DIR`"),
		each(appendTo(&x.env), "env,e", "set the environment variable `NAME=VALUE`; may be repeated"),
		boolean(&x.tty, "tty,t", "give it a terminal"),
		text(&x.user, "user,u", "be the user (and group) `UID[:GID]`"),
		each(x.addGID, "additional-gids,g", "be in the group `GID`, too; may be repeated"),
		each(x.addCap, "cap,c", "have the capability `CAP`, too; may be repeated"),
		noNewPrivs,
		text(&x.label, "process-label", "have the SELinux label `LABEL`"),
		text(&x.apparmor, "apparmor", "have the AppArmor profile `PROFILE`"),
	}
}

func (x *execFlags) cgroupFlag() cli.Flag {
	return each(appendTo(&x.cgroup), "cgroup", "join `[CONTROLLERS:]PATH` below its cgroup; may be repeated")
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}

// addCap refuses what config.json may hold, where the specification wants unknown capabilities left
// out: who types one wants it.
func (x *execFlags) addCap(text string) error {
	name := "CAP_" + strings.TrimPrefix(strings.ToUpper(text), "CAP_")
	if _, unknown := names.CapabilityMask([]string{name}); len(unknown) > 0 {
		return fmt.Errorf("unknown capability%s", similar.Hint(name, names.CapabilityTable[:]))
	}
	x.caps = append(x.caps, name)
	return nil
}

func (x *execFlags) addGID(text string) error {
	gid, err := parseID(text)
	if err != nil {
		return errors.New("not an id")
	}
	x.gids = append(x.gids, gid)
	return nil
}

func (x *execFlags) exec(a *app, id string, args []string) (int, error) {
	front := a.foreground()
	defer front.Close()
	var started *libcontainer.Process
	launch := func(ctx context.Context) error {
		container, opts, err := x.options(a, id, args)
		if err != nil {
			return err
		}
		if !x.detach && opts.Process.Terminal {
			opts.Console = front.Attach
		}
		started, err = container.Exec(ctx, opts)
		return err
	}
	begin := a.interruptible
	if x.ignorePaused {
		// On cgroup v2 clone3(2) may not return before the container goes on. It blocks signals,
		// and Go runs nothing else meanwhile: only a default action ends us then.
		begin = uninterruptible
	}
	if x.detach {
		return 0, begin(launch)
	}
	if !x.ignorePaused {
		a.catch(front)
		begin = front.Begin
	}
	if err := begin(launch); err != nil {
		return 0, err
	}
	a.catch(front)
	a.log.flush()
	code, err := front.Wait(started, false)
	if code == 128+int(unix.SIGKILL) {
		x.tellOOM(a, started)
	}
	if err != nil {
		// Nobody would know of it any more.
		err = errors.Join(err, started.Kill())
	}
	return code, err
}

// tellOOM says of a process that was killed whether it was for a lack of memory.
func (x *execFlags) tellOOM(a *app, p *libcontainer.Process) {
	o, err := p.OOM()
	switch {
	case err != nil:
		a.log.warn(err.Error())
	case o != nil:
		a.log.people = x.processFile == "" // standard error may be an engine's otherwise
		a.log.warn(oomText(o, "a process of the container"))
	}
}

// options are the container, and what is to be run in it.
func (x *execFlags) options(a *app, id string, args []string) (*libcontainer.Container, *libcontainer.ExecOptions, error) {
	container, err := a.runtime().Load(id)
	if err != nil {
		return nil, nil, err
	}
	spec, err := container.Config()
	if err != nil {
		return nil, nil, err
	}
	// That one of them can't be had is told on standard error, too: they were asked for by hand.
	a.log.people = a.log.people || len(x.caps) > 0
	process, err := x.process(a, spec, args)
	if err != nil {
		return nil, nil, err
	}
	if x.tty && x.detach && x.consoleSocket == "" {
		return nil, nil, errors.New("--tty: a terminal" + unserved + ", or leave out --detach")
	}
	given, err := x.open(process.Terminal, !x.detach, a.inherited)
	if err != nil {
		return nil, nil, err
	}
	process.Env = append(process.Env, given.env...)
	return container, &libcontainer.ExecOptions{
		ProcessOptions: given.options(), Process: process, Cgroup: x.cgroup, IgnorePaused: x.ignorePaused, CountOOM: !x.detach,
	}, nil
}

// process is the one to be run, checked.
func (x *execFlags) process(a *app, spec *specs.Spec, args []string) (*specs.Process, error) {
	process := spec.Process
	var err error
	if x.processFile == "" {
		process, err = x.merge(process, args)
	} else {
		var warnings problem.Warnings
		process, warnings, err = load.Process(x.processFile)
		a.warn(warnings)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// Not with the kernel's words: engines take these for a missing command.
			err = fmt.Errorf("--process: there is no file %s", x.processFile)
		case err != nil:
			err = fmt.Errorf("--process: %w", err)
		}
	}
	if err != nil {
		return nil, err
	}
	warnings, err := check.Process(process, spec, a.checkOptions())
	a.warn(warnings)
	return process, err
}

// merge changes a container's own process as the flags say. A container may have none.
func (x *execFlags) merge(own *specs.Process, args []string) (*specs.Process, error) {
	if len(args) == 0 {
		return nil, errors.New("a COMMAND or --process is needed")
	}
	for _, variable := range x.env {
		if err := checkVariable(variable); err != nil {
			return nil, fmt.Errorf("--env %q: %w", variable, err)
		}
	}
	changes := specconv.ProcessChanges{
		Args: args, Terminal: x.tty, Cwd: x.cwd, Env: x.env, AdditionalGIDs: x.gids, Capabilities: x.caps,
		NoNewPrivileges: x.noNewPrivs, SelinuxLabel: x.label, ApparmorProfile: x.apparmor,
	}
	if err := x.setUser(&changes); err != nil {
		return nil, err
	}
	return changes.Process(own), nil
}

// setUser changes the user; the group stays if there is none with it.
func (x *execFlags) setUser(c *specconv.ProcessChanges) error {
	if x.user == "" {
		return nil
	}
	first, second, hasGID := strings.Cut(x.user, ":")
	uid, err := parseID(first)
	c.UID = &uid
	if err == nil && hasGID {
		var gid uint32
		gid, err = parseID(second)
		c.GID = &gid
	}
	if err != nil {
		return fmt.Errorf("--user: %q is not UID[:GID]: %w", x.user, err)
	}
	return nil
}

// parseID reads a user or group id. The greatest number stands for none in the kernel's calls.
func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == 1<<32-1 {
		return 0, fmt.Errorf("%q is not an id", text)
	}
	return uint32(id), nil
}
