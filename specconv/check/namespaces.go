package check

import (
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/specconv/names"
	"github.com/ociruntime/ociruntime/specconv/problem"
	"github.com/ociruntime/ociruntime/specconv/similar"
)

func (c *checker) namespaces() {
	const place = "linux.namespaces"
	var seen uint64
	for i, ns := range c.linux.Namespaces {
		kind, ok := namespace.ByName(string(ns.Type))
		switch {
		case !ok:
			c.bad(at(place, i)+".type", "unknown namespace %q%s", ns.Type,
				similar.Hint(string(ns.Type), namespace.Names(^uint64(0))))
		case seen&kind.Flag != 0:
			c.bad(at(place, i)+".type", "%s is given twice", ns.Type)
		}
		seen |= kind.Flag
		if ns.Path != "" && (ns.Path[0] != '/' || nul(ns.Path)) {
			c.absolute(at(place, i)+".path", ns.Path)
		}
	}
	if c.opts.Rootless && c.namespace(specs.UserNamespace) == nil {
		c.bad(place, "must have a user namespace when the runtime is not started by root")
	}
}

func (c *checker) idMappings() {
	l := c.linux
	c.mappings("linux.uidMappings", l.UIDMappings)
	c.mappings("linux.gidMappings", l.GIDMappings)
	user := c.namespace(specs.UserNamespace)
	switch {
	case user == nil && len(l.UIDMappings)+len(l.GIDMappings) > 0:
		place := "linux.uidMappings"
		if len(l.UIDMappings) == 0 {
			place = "linux.gidMappings"
		}
		c.bad(place, "needs a user namespace")
	case c.newUserNamespace():
		if len(l.UIDMappings) == 0 {
			c.bad("linux.uidMappings", "must not be empty for a new user namespace")
		}
		if len(l.GIDMappings) == 0 {
			c.bad("linux.gidMappings", "must not be empty for a new user namespace")
		}
	}
}

// mappings checks the id mappings of a user namespace or mount. The kernel
// takes 340 of them, none empty, none overlapping (user_namespaces(7)). The
// greatest number stands for no id, and can't be mapped.
func (c *checker) mappings(place string, mappings []specs.LinuxIDMapping) {
	const most, none = 340, 1<<32 - 1
	if len(mappings) > most {
		c.bad(place, "must not have more than %d entries: %d", most, len(mappings))
		return
	}
	for i, m := range mappings {
		size := uint64(m.Size)
		switch {
		case size == 0:
			c.bad(at(place, i)+".size", "must not be 0")
		case uint64(m.ContainerID)+size > none:
			c.bad(at(place, i)+".containerID", "goes beyond the ids that there are: %d and %d more", m.ContainerID, size)
		case uint64(m.HostID)+size > none:
			c.bad(at(place, i)+".hostID", "goes beyond the ids that there are: %d and %d more", m.HostID, size)
		}
		for j, other := range mappings[:i] {
			if rangesMeet(m.ContainerID, m.Size, other.ContainerID, other.Size) {
				c.bad(at(place, i)+".containerID", "overlaps entry %d", j)
			}
			if rangesMeet(m.HostID, m.Size, other.HostID, other.Size) {
				c.bad(at(place, i)+".hostID", "overlaps entry %d", j)
			}
		}
	}
}

func rangesMeet(a, aSize, b, bSize uint32) bool {
	return uint64(a) < uint64(b)+uint64(bSize) && uint64(b) < uint64(a)+uint64(aSize)
}

func (c *checker) timeOffsets() {
	const place = "linux.timeOffsets"
	if len(c.linux.TimeOffsets) == 0 {
		return
	}
	switch ns := c.namespace(specs.TimeNamespace); {
	case ns == nil:
		c.bad(place, "needs a time namespace")
	case ns.Path != "":
		c.bad(place, "can't be set in a time namespace that is joined")
	}
	for _, clock := range problem.OrderedKeys(c.linux.TimeOffsets) {
		if clock != "monotonic" && clock != "boottime" {
			c.bad(problem.MemberPath(place, clock), "unknown clock: monotonic and boottime have offsets")
		}
		if ns := c.linux.TimeOffsets[clock].Nanosecs; ns >= 1e9 {
			c.bad(problem.MemberPath(place, clock)+".nanosecs", "must be less than a second: %d", ns)
		}
	}
}

func (c *checker) netDevices() {
	const place = "linux.netDevices"
	if len(c.linux.NetDevices) == 0 {
		return
	}
	if lack := c.lacks(specs.NetworkNamespace); lack != "" {
		c.bad(place, "%s", lack)
	}
	if c.opts.Rootless {
		c.bad(place, "can't be moved when the runtime is not started by root")
	}
	taken := map[string]string{}
	for _, device := range problem.OrderedKeys(c.linux.NetDevices) {
		if !interfaceName(device) {
			c.bad(problem.MemberPath(place, device), "not the name of a network device: %q", device)
		}
		name := c.linux.NetDevices[device].Name
		if name == "" {
			name = device
		} else if !interfaceName(name) {
			c.bad(problem.MemberPath(place, device)+".name", "not the name of a network device: %q", name)
		}
		// The kernel puts numbers in the place of %d.
		if other, ok := taken[name]; ok && !strings.Contains(name, "%d") {
			c.bad(problem.MemberPath(place, device)+".name", "%q is already the name of %q", name, other)
		}
		taken[name] = device
	}
}

// interfaceName is the kernel's dev_valid_name.
func interfaceName(name string) bool {
	const ifnamsiz = 16
	return name != "" && name != "." && name != ".." && len(name) < ifnamsiz && !strings.ContainsAny(name, "/: \t\n\v\f\r\x00")
}

// sysctl lets through what a namespace of the container holds, and so can't
// change the host.
func (c *checker) sysctl() {
	for _, key := range problem.OrderedKeys(c.linux.Sysctl) {
		place := func() string { return problem.MemberPath("linux.sysctl", key) }
		if nul(c.linux.Sysctl[key]) {
			c.bad(place(), hasNUL)
		}
		file := names.SysctlPath(key)
		if nul(key) || path.Clean("/"+file) != "/"+file || file == "" {
			c.bad(place(), "not the name of a sysctl")
			continue
		}
		if file == "kernel/hostname" {
			c.bad(place(), "must be set by hostname")
			continue
		}
		if file == "kernel/domainname" && c.domainname != "" {
			c.bad(place(), "is set by domainname already")
			continue
		}
		ns := sysctlNamespace(file)
		if ns == "" {
			c.bad(place(), "is not in a separate kernel namespace: it would change the host")
		} else if lack := c.lacks(ns); lack != "" {
			c.bad(place(), "%s", lack)
		}
	}
}

// lacks says what a container lacks to which something is set that belongs to a type of namespace,
// "" if it has one of its own.
func (c *checker) lacks(t specs.LinuxNamespaceType) string {
	for i := range c.linux.Namespaces {
		switch ns := &c.linux.Namespaces[i]; {
		case ns.Type != t:
		case c.joined[i].Host:
			return fmt.Sprintf("needs a %s namespace that is not the host's, as %s in %s is: it would change the host",
				t, ns.Path, problem.NamespaceFile(i))
		default:
			return ""
		}
	}
	return fmt.Sprintf("needs a %s namespace: without one it would change the host", t)
}

// CheckJoined is the part of [Spec] that needs to know where the paths of linux.namespaces lead to:
// what is set in a namespace would change the host, if that is the host's own after all.
func CheckJoined(spec *specs.Spec, joined map[int]facts.Namespace) error {
	if len(joined) == 0 {
		return nil
	}
	c := &checker{linux: spec.Linux, joined: joined}
	c.hostnames(spec)
	c.netDevices()
	c.sysctl()
	return c.problems.OrNil()
}

// sysctlNamespace gives the namespace that a sysctl belongs to, "" for those
// that belong to the whole machine.
func sysctlNamespace(file string) specs.LinuxNamespaceType {
	switch file {
	case "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
		"kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced":
		return specs.IPCNamespace
	case "kernel/domainname":
		return specs.UTSNamespace
	}
	switch top, rest, _ := strings.Cut(file, "/"); {
	case top == "net":
		return specs.NetworkNamespace
	case top == "user":
		return specs.UserNamespace
	case top == "fs" && strings.HasPrefix(rest, "mqueue/"):
		return specs.IPCNamespace
	}
	return ""
}
