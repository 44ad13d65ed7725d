package cgroups

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/resources"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/v1"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// linuxResources is the place of what is compiled in config.json.
const linuxResources = "linux.resources"

// Compile checks linux.resources (see package resources) and turns it into writes for the given
// host, including the device rules (the container's own and the default ones), which apply even
// when res is nil. Errors begin with the place in config.json.
//
// A zero limit means "not set" where the kernel has no use for zero, since engines send zeroes for
// what their user left out; pids.limit, memory.swappiness, cpu.idle and cpu.burst have meaningful
// zeroes and are written as they are.
func Compile(res *specs.LinuxResources, host *Layout) (*Settings, error) {
	c := newCompiler(host)
	if err := c.limits(res); err != nil {
		return nil, err
	}
	if err := c.deviceRules(res); err != nil {
		return nil, err
	}
	if err := c.unified(res); err != nil {
		return nil, err
	}
	return &c.Settings, nil
}

// CompileUpdate is Compile without device rules: engines send a deny-all with every update, and
// mean nothing by it.
func CompileUpdate(res *specs.LinuxResources, host *Layout) (*Settings, error) {
	c := newCompiler(host)
	if err := c.limits(res); err != nil {
		return nil, err
	}
	if err := c.unified(res); err != nil {
		return nil, err
	}
	return &c.Settings, nil
}

// compiler collects the settings. One method for each object of linux.resources.
type compiler struct {
	host *Layout
	Settings
}

func newCompiler(host *Layout) *compiler {
	c := &compiler{host: host}
	if host.V2 != nil {
		c.mount = host.V2.Mount
	}
	return c
}

// check gives all problems in one line.
func check(res *specs.LinuxResources) error {
	var problems []string
	resources.Check(linuxResources, res, func(place, format string, args ...any) {
		problems = append(problems, place+": "+fmt.Sprintf(format, args...))
	})
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "; "))
}

func (c *compiler) limits(res *specs.LinuxResources) error {
	if res == nil {
		return nil
	}
	if err := check(res); err != nil {
		return err
	}
	for _, section := range []func(*specs.LinuxResources) error{
		c.pids, c.memory, c.blockIO, c.cpu, c.cpuset, c.hugetlb, c.rdma, c.network,
	} {
		if err := section(res); err != nil {
			return err
		}
	}
	return nil
}

// tree is the cgroup version that carries a controller.
type tree struct {
	backend.Compiler
	v2 bool
}

// tree finds the hierarchy for a controller that a limit at place needs.
func (c *compiler) tree(controller, place string) (tree, error) {
	switch c.host.version(controller) {
	case 1:
		return tree{v1.Compiler{}, false}, nil
	case 2:
		return tree{v2.Compiler{}, true}, nil
	}
	return tree{}, fmt.Errorf("%s: the %s cgroup controller is not available on this host", place, controller)
}

// put takes in writes for the tree.
func (c *compiler) put(t tree, writes ...Write) {
	for _, w := range writes {
		w.V2 = t.v2
		if w.Else != nil {
			w.Else.V2 = t.v2
		}
		c.Writes = append(c.Writes, w)
	}
}

func (c *compiler) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

func (c *compiler) deviceRules(res *specs.LinuxResources) error {
	const place = linuxResources + ".devices"
	var user []devices.Rule
	if res != nil {
		user = devices.FromSpec(res.Devices, place)
	}
	rules := devices.WithDefaults(user)
	if c.host.version("devices") != 1 {
		if c.host.V2 != nil {
			c.Devices = rules
		}
		return nil
	}
	lines, err := devices.V1(rules)
	if err != nil {
		return err
	}
	for _, l := range lines {
		c.Writes = append(c.Writes, Write{Controller: "devices", File: l.File, Value: l.Value, From: l.From})
	}
	return nil
}

func (c *compiler) unified(res *specs.LinuxResources) error {
	if res == nil || len(res.Unified) == 0 {
		return nil
	}
	const place = linuxResources + ".unified"
	if c.host.V2 == nil {
		return fmt.Errorf("%s: cannot use unified on cgroup v1", place)
	}
	keys := make([]string, 0, len(res.Unified))
	for key := range res.Unified {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		from := place + "[" + strconv.Quote(key) + "]"
		controller, _, _ := strings.Cut(key, ".")
		switch {
		case controller == "cgroup":
			controller = ""
		case !slices.Contains(c.host.V2.Controllers, controller):
			return fmt.Errorf("%s: can't be set: controller %q not available on cgroup v2", from, controller)
		}
		// The kernel takes one line a write; an empty value still needs a byte to be a write at
		// all.
		for line := range strings.Lines(strings.TrimSuffix(res.Unified[key], "\n") + "\n") {
			w := Write{Controller: controller, V2: true, File: key, Value: strings.TrimSuffix(line, "\n"), From: from}
			switch controller {
			case "io", "rdma", "misc", "dmem": // files with a line for each device or resource
				w.Key, _, _ = strings.Cut(w.Value, " ")
			}
			c.Writes = append(c.Writes, w)
		}
	}
	return nil
}
