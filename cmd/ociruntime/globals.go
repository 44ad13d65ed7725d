package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
)

// globals are the flags in front of the command.
type globals struct {
	root, log, logFormat    string
	rootless, cgroupManager string
	debug, systemdCgroup    bool
	version                 bool
	criu                    string // had an effect in old runtimes; accepted
	rootGiven               bool
	usersRoot               bool  // root is in the user's runtime directory
	rootlessSet             *bool // nil: decide by what the process may do
}

func (g *globals) define(f *flags) {
	g.root, g.usersRoot = defaultRoot(hostEnvironment())
	dir := g.root
	f.each(func(dir string) (err error) {
		g.rootGiven, g.usersRoot = true, false
		g.root, err = givenRoot(dir)
		return err
	}, "root", "DIR", "where containers are kept (default: "+dir+")")
	f.text(&g.log, "log", "FILE", "append errors and warnings to this file")
	f.text(&g.logFormat, "log-format", "FORMAT", "text or json (default: text)")
	f.bool(&g.debug, "debug", "log what is being done")
	f.bool(&g.systemdCgroup, "systemd-cgroup", "let systemd make the cgroups")
	f.text(&g.cgroupManager, "cgroup-manager", "NAME", "cgroupfs or systemd (default: cgroupfs)")
	f.text(&g.rootless, "rootless", "WHEN", "accept having no cgroup permissions: true, false or auto")
	f.text(&g.criu, "criu", "", "")
	f.bool(&g.version, "version,v", "show the version")
}

// settle checks the flags that commands depend on: help is given without.
func (g *globals) settle() error {
	if g.rootless != "" && g.rootless != "auto" {
		set, err := strconv.ParseBool(g.rootless)
		if err != nil {
			return fmt.Errorf("--rootless: %q is none of true, false, auto", g.rootless)
		}
		g.rootlessSet = &set
	}
	switch g.cgroupManager {
	case "", "cgroupfs", "disabled":
	case "systemd":
		g.systemdCgroup = true
	default:
		return fmt.Errorf("--cgroup-manager: %q is none of cgroupfs, systemd, disabled", g.cgroupManager)
	}
	return nil
}

// runtime is the library's handle on the containers below --root.
func (a *app) runtime() *libcontainer.Runtime {
	return &libcontainer.Runtime{
		Root:          a.globals.root,
		SystemdCgroup: a.globals.systemdCgroup,
		Rootless:      a.globals.rootlessSet,
		Warn:          a.log.warn,
	}
}

func hostEnvironment() environment {
	return environment{
		euid:       os.Geteuid(),
		runtimeDir: os.Getenv("XDG_RUNTIME_DIR"),
		user:       os.Getenv("USER"),
		inUserNS:   facts.InUserNS,
	}
}
