package specconv

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ProcessChanges are how a further process in a container differs from the container's own: what
// `exec` has flags for. A zero value changes nothing, but for Args and Terminal, which are never
// taken over.
type ProcessChanges struct {
	Args     []string // the program and its arguments
	Terminal bool
	Cwd      string   // absolute
	Env      []string // NAME=VALUE, added: the last of a name counts
	UID, GID *uint32
	// AdditionalGIDs are added.
	AdditionalGIDs []uint32
	// Capabilities are added, by their full names as in CAP_KILL.
	Capabilities                  []string
	NoNewPrivileges               *bool
	SelinuxLabel, ApparmorProfile string
}

// Process makes a process out of the container's own, which stays as it is. A container may have
// none (nil). The result is not checked yet (check.Process).
func (c *ProcessChanges) Process(own *specs.Process) *specs.Process {
	p := specs.Process{Cwd: "/"}
	if own != nil {
		p = *own
	}
	p.Args, p.Terminal = c.Args, c.Terminal
	p.Env = slices.Concat(p.Env, c.Env)
	p.User.AdditionalGids = slices.Concat(p.User.AdditionalGids, c.AdditionalGIDs)
	for _, s := range []struct {
		to   *string
		from string
	}{{&p.Cwd, c.Cwd}, {&p.SelinuxLabel, c.SelinuxLabel}, {&p.ApparmorProfile, c.ApparmorProfile}} {
		if s.from != "" {
			*s.to = s.from
		}
	}
	if c.UID != nil {
		p.User.UID = *c.UID
	}
	if c.GID != nil {
		p.User.GID = *c.GID
	}
	if c.NoNewPrivileges != nil {
		p.NoNewPrivileges = *c.NoNewPrivileges
	}
	p.Capabilities = addCapabilities(p.Capabilities, c.Capabilities)
	return &p
}

// addCapabilities adds to what a process may have. They become ambient only where it may inherit
// them: the kernel asks for that (capabilities(7)).
func addCapabilities(own *specs.LinuxCapabilities, more []string) *specs.LinuxCapabilities {
	if len(more) == 0 {
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
	for _, name := range more {
		c.Bounding, c.Effective, c.Permitted = add(c.Bounding, name), add(c.Effective, name), add(c.Permitted, name)
		if slices.Contains(c.Inheritable, name) {
			c.Ambient = add(c.Ambient, name)
		}
	}
	return &c
}
