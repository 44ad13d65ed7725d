package cgroups

import (
	"os"
	"strconv"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Entrance is what a process needs to get into the cgroup by itself, without the wait for an RCU
// grace period that writing somebody else's pid to cgroup.procs costs.
type Entrance struct {
	Tasks []*os.File // v1: a process with one thread writes "0" into each
	Names []string   // the controllers of each, joined by commas
	Dir   *os.File   // the v2 directory for SysProcAttr.CgroupFD (CLONE_INTO_CGROUP), or nil
}

// Enter opens the cgroup's entrance; the caller closes it.
func (c *Cgroup) Enter() (*Entrance, error) {
	if c.lost != nil {
		return nil, c.lost
	}
	e := &Entrance{Tasks: make([]*os.File, 0, len(c.nodes))}
	for _, n := range c.nodes {
		f, err := n.Entrance()
		if err != nil {
			return nil, backend.Also(err, e.Close())
		}
		if isV2(n) {
			e.Dir = f
			continue
		}
		e.Names = append(e.Names, strings.Join(n.Names(), ","))
		e.Tasks = append(e.Tasks, f)
	}
	return e, nil
}

// Close closes the entrance's files.
func (e *Entrance) Close() error {
	var failure error
	for _, f := range e.Tasks {
		failure = backend.Also(failure, f.Close())
	}
	if e.Dir != nil {
		failure = backend.Also(failure, e.Dir.Close())
	}
	e.Tasks, e.Names, e.Dir = nil, nil, nil
	return failure
}

// Join moves a process into the cgroup by its pid, in the kernel's slow way. It is for a process
// that is there already.
func (c *Cgroup) Join(pid int) error {
	for _, n := range c.nodes {
		if err := n.Dir().Write("cgroup.procs", strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}
