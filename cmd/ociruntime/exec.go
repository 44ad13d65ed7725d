package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
)

// execFlags are the flags of exec.
type execFlags struct {
	streams
	processFile, cwd, user, label, apparmor string
	env, caps, cgroup                       []string
	gids                                    []uint32
	detach, ignorePaused                    bool
	tty, noNewPrivs                         option
}

// option is a boolean flag that may also be left out.
type option struct{ set, value bool }

func (o *option) define(f *flags, names, usage string) {
	f.define(names, "", usage, func(n string) {
		f.set.BoolFunc(n, "", func(text string) (err error) {
			o.set = true
			o.value, err = strconv.ParseBool(text)
			return err
		})
	})
}

// execCommand runs a further process in a container.
func execCommand() *command {
	var x execFlags
	return &command{
		name: "exec", args: "ID COMMAND [ARGUMENT...]", min: 1, max: -1, verbatim: true,
		failed: "exec failed", failCode: exitExecFailure,
		summary: "run a further program in a container",
		about: `Runs a program in a container that was created or runs, waits for it to end and
returns its exit code (128 plus the signal if one ended it); 255 means that it could
not be run.

The process is like the one in the container's config.json, but for what flags
change. With --process it is taken from a file instead, as "process" stands in
config.json, and no COMMAND is given.`,
		flags: x.define,
		run: func(a *app, args []string) (int, error) {
			container, err := a.runtime().Load(args[0])
			if err != nil {
				return 0, err
			}
			return x.exec(a, container, args[1:])
		},
	}
}

func (x *execFlags) define(f *flags) {
	f.text(&x.processFile, "process,p", "FILE", "take the whole process from this JSON file")
	f.text(&x.cwd, "cwd", "DIR", "working directory in the container")
	f.each(appendTo(&x.env), "env,e", "NAME=VALUE", "set an environment variable; may be repeated")
	x.tty.define(f, "tty,t", "give it a terminal")
	f.text(&x.user, "user,u", "UID[:GID]", "user and group")
	f.each(x.addGID, "additional-gids,g", "GID", "further group; may be repeated")
	f.each(appendTo(&x.caps), "cap,c", "CAP", "add a capability; may be repeated")
	x.noNewPrivs.define(f, "no-new-privs", "never gain privileges by execve")
	f.text(&x.label, "process-label", "LABEL", "SELinux label")
	f.text(&x.apparmor, "apparmor", "PROFILE", "AppArmor profile")
	f.bool(&x.detach, "detach,d", "leave it running and return")
	x.streams.define(f)
	f.each(appendTo(&x.cgroup), "cgroup", "[CONTROLLER,...:]PATH", "existing cgroup below the container's; may be repeated")
	f.bool(&x.ignorePaused, "ignore-paused", "wait in a paused container until it goes on")
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}

func (x *execFlags) addGID(text string) error {
	gid, err := parseID(text)
	x.gids = append(x.gids, gid)
	return err
}

func (x *execFlags) exec(a *app, container *libcontainer.Container, args []string) (int, error) {
	spec, err := container.Config()
	if err != nil {
		return 0, err
	}
	process, err := x.process(a, spec, args)
	if err != nil {
		return 0, err
	}
	given, err := x.open(process.Terminal, !x.detach, a.inherited)
	if err != nil {
		return 0, err
	}
	process.Env = append(process.Env, given.env...)
	opts := &libcontainer.ExecOptions{
		ProcessOptions: given.options(), Process: process, Cgroup: x.cgroup, IgnorePaused: x.ignorePaused,
	}
	if x.detach {
		_, err = container.Exec(opts)
		return 0, err
	}
	front := newForeground()
	defer front.close()
	if process.Terminal {
		opts.Console = front.attach
	}
	started, err := container.Exec(opts)
	if err != nil {
		return 0, err
	}
	a.log.flush()
	return front.wait(started, false)
}

// process is the one to be run, checked.
func (x *execFlags) process(a *app, spec *specs.Spec, args []string) (*specs.Process, error) {
	process := spec.Process
	var err error
	if x.processFile == "" {
		process, err = x.merge(process, args)
	} else {
		var warnings specconv.Warnings
		process, warnings, err = specconv.LoadProcess(x.processFile)
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
	warnings, err := specconv.CheckProcess(process, spec, a.checkOptions())
	a.warn(warnings)
	return process, err
}

// merge changes a container's own process as the flags say. A container may have none.
func (x *execFlags) merge(own *specs.Process, args []string) (*specs.Process, error) {
	if len(args) == 0 {
		return nil, errors.New("a COMMAND or --process is needed")
	}
	p := specs.Process{Cwd: "/"}
	if own != nil {
		p = *own
	}
	p.Args = args
	if x.cwd != "" {
		p.Cwd = x.cwd
	}
	p.Env = slices.Concat(p.Env, x.env)
	p.Terminal = x.tty.value
	if x.noNewPrivs.set {
		p.NoNewPrivileges = x.noNewPrivs.value
	}
	if x.label != "" {
		p.SelinuxLabel = x.label
	}
	if x.apparmor != "" {
		p.ApparmorProfile = x.apparmor
	}
	p.User.AdditionalGids = slices.Concat(p.User.AdditionalGids, x.gids)
	p.Capabilities = x.addCaps(p.Capabilities)
	return &p, x.setUser(&p.User)
}

// setUser changes the user; the group stays if there is none with it.
func (x *execFlags) setUser(u *specs.User) error {
	if x.user == "" {
		return nil
	}
	uid, gid, hasGID := strings.Cut(x.user, ":")
	var err error
	if u.UID, err = parseID(uid); err == nil && hasGID {
		u.GID, err = parseID(gid)
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

// addCaps adds the capabilities of --cap. They become ambient only where the process may inherit them: the kernel asks for
// that (capabilities(7)).
func (x *execFlags) addCaps(own *specs.LinuxCapabilities) *specs.LinuxCapabilities {
	if len(x.caps) == 0 {
		return own
	}
	c := specs.LinuxCapabilities{}
	if own != nil {
		c = *own
	}
	add := func(set []string, name string) []string {
		if slices.Contains(set, name) {
			return set
		}
		return append(slices.Clip(set), name)
	}
	for _, name := range x.caps {
		name = "CAP_" + strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		c.Bounding, c.Effective, c.Permitted = add(c.Bounding, name), add(c.Effective, name), add(c.Permitted, name)
		if slices.Contains(c.Inheritable, name) {
			c.Ambient = add(c.Ambient, name)
		}
	}
	return &c
}
