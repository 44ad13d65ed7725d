// Package check says everything that is wrong with a configuration, before anything is made for it.
// It is pure: one file for each section of config.json.
package check

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/resources"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// Options is what Spec needs to know besides the document.
type Options struct {
	// Rootless: the runtime is started by a user other than root.
	Rootless bool
	// SystemdCgroup: linux.cgroupsPath is slice:prefix:name.
	SystemdCgroup bool
	// Runs: the container goes straight on to its program.
	Runs bool
	// NoPivot: the root file system is moved to /, not pivoted to.
	NoPivot bool
}

// Spec says what is wrong with a configuration, all of it at once: what the
// specification, the kernel or this runtime will refuse whatever the machine
// may be. The error is a Problems. It asks nothing but the document, so that a
// container that can't be is refused before anything was made for it.
//
// What engines are known to leave sloppy passes: zeros and empty objects for
// what is not set, any version 1.x, an absent process (start needs one, create
// doesn't).
func Spec(spec *specs.Spec, opts Options) (problem.Warnings, error) {
	c := &checker{opts: opts, domainname: spec.Domainname}
	if spec.Linux != nil {
		c.linux = spec.Linux
	} else {
		c.linux = &specs.Linux{}
	}
	c.version(spec.Version)
	switch {
	case spec.Process != nil:
		c.process(spec.Process)
	case opts.Runs:
		c.bad("process", "must be set: there is nothing to run")
	}
	c.root(spec.Root)
	c.hostnames(spec)
	c.mounts(spec.Mounts)
	c.hooks(spec.Hooks)
	c.annotations(spec.Annotations)
	c.namespaces()
	c.idMappings()
	c.timeOffsets()
	c.devices()
	c.netDevices()
	c.cgroupsPath()
	if c.linux.Resources != nil {
		resources.Check("linux.resources", c.linux.Resources, c.bad)
	}
	c.intelRdt()
	c.memoryPolicy()
	c.sysctl()
	c.seccomp()
	c.rootfs()
	c.personality()
	return c.warnings, c.problems.OrNil()
}

// Process is Spec for the process of exec alone, in the container that
// was made from the configuration (nil if there is none at hand: then its ids
// are not held against the container's id mappings).
func Process(process *specs.Process, container *specs.Spec, opts Options) (problem.Warnings, error) {
	c := &checker{opts: opts, linux: &specs.Linux{}}
	if container != nil && container.Linux != nil {
		c.linux = container.Linux
	}
	c.process(process)
	return c.warnings, c.problems.OrNil()
}

// Resources is Spec for resources alone, as the update command gets
// them. Places begin with "resources".
func Resources(res *specs.LinuxResources) (problem.Warnings, error) {
	c := &checker{linux: &specs.Linux{}}
	resources.Check("resources", res, c.bad)
	return c.warnings, c.problems.OrNil()
}

// checker collects what is wrong with one document. Places are put into words
// only where something is wrong: a good document costs no memory.
type checker struct {
	opts   Options
	linux  *specs.Linux
	joined map[int]facts.Namespace // see checkJoined
	// domainname is the one beside linux.
	domainname string
	problems   problem.Problems
	warnings   problem.Warnings
}

func (c *checker) bad(path, format string, args ...any) {
	c.problems = append(c.problems, problem.Problem{Path: path, Msg: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(path, format string, args ...any) {
	c.warnings = append(c.warnings, problem.Problem{Path: path, Msg: fmt.Sprintf(format, args...)})
}

// at gives the place of an item: "mounts[3]".
func at(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }

// nul says that a text can't be handed to the kernel, where it would end early.
func nul(s string) bool { return strings.IndexByte(s, 0) >= 0 }

const hasNUL = "must not contain a zero byte"

// absolute checks a path that must be absolute.
func (c *checker) absolute(place, path string) {
	switch {
	case nul(path):
		c.bad(place, hasNUL)
	case path == "":
		c.bad(place, "must not be empty")
	case path[0] != '/':
		c.bad(place, "must be an absolute path, not %q", path)
	}
}

// namespace gives the entry for a namespace type, nil if there is none.
func (c *checker) namespace(t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	for i := range c.linux.Namespaces {
		if c.linux.Namespaces[i].Type == t {
			return &c.linux.Namespaces[i]
		}
	}
	return nil
}

// newUserNamespace says that the container gets a user namespace of its own,
// with the mappings of the document.
func (c *checker) newUserNamespace() bool {
	user := c.namespace(specs.UserNamespace)
	return user != nil && user.Path == ""
}
