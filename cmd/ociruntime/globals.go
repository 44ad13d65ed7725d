package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
)

const versionFlag = "version"

// globals are the flags in front of the command.
type globals struct {
	root                    string
	rootless, cgroupManager string
	systemdCgroup           bool
	rootGiven               bool
	usersRoot               bool  // root is in the user's runtime directory
	rootlessSet             *bool // nil: decide by what the process may do
}

func (g *globals) flags(a *app) []cli.Flag {
	g.root, g.usersRoot = defaultRoot(hostEnvironment())
	var asked bool
	version := boolean(&asked, versionFlag+",v", "print the version")
	version.then = func() error {
		if !asked {
			return nil
		}
		return errors.Join(a.print(versionText()), cli.Exit("", 0))
	}
	return []cli.Flag{
		each(g.setRoot, "root", "keep containers in `DIR` (default: "+g.root+")"),
		text(&a.log.path, "log", "append errors and warnings to `FILE`"),
		text(&a.log.format, "log-format", "`FORMAT` of the log: text or json (default: text)"),
		boolean(&a.log.debug, "debug", "log what is being done"),
		boolean(&g.systemdCgroup, "systemd-cgroup", "let systemd make the cgroups"),
		text(&g.cgroupManager, "cgroup-manager", "`NAME` of who makes cgroups: cgroupfs (default), systemd, or disabled"),
		text(&g.rootless, "rootless", "`WHEN` having no cgroup permissions is fine: true, false or auto"),
		hidden(text(new(string), "criu", "")), // had an effect in old runtimes
		version,
	}
}

func (g *globals) setRoot(dir string) (err error) {
	g.rootGiven, g.usersRoot = true, false
	g.root, err = givenRoot(dir)
	return err
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
	case "", "cgroupfs":
	case "disabled":
		g.systemdCgroup = false
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
		NoCgroup:      a.globals.cgroupManager == "disabled",
		Rootless:      a.globals.rootlessSet,
		Subreaper:     a.subreaper,
		Warn:          a.log.warn,
	}
}

func hostEnvironment() environment {
	return environment{
		euid:       os.Geteuid(),
		runtimeDir: os.Getenv("XDG_RUNTIME_DIR"),
		user:       os.Getenv("USER"),
		inUserNS:   probe.InUserNS,
	}
}
