package cgroups

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Entrance is what a process needs to get into the cgroup by itself, without the wait for an RCU grace period that
// writing somebody else's pid to cgroup.procs costs.
type Entrance struct {
	Tasks []*os.File // v1: a process with one thread writes "0" into each
	Names []string   // the controllers of each, joined by commas
	Dir   *os.File   // the v2 directory for SysProcAttr.CgroupFD (CLONE_INTO_CGROUP), or nil
}

// Enter opens the cgroup's entrance; the caller closes it.
func (c *Cgroup) Enter() (*Entrance, error) {
	e := &Entrance{Tasks: make([]*os.File, 0, len(c.nodes))}
	for i := range c.nodes {
		n := &c.nodes[i]
		if n.v2 {
			dir, err := n.open()
			if err != nil {
				return nil, also(err, e.Close())
			}
			fd, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				return nil, also(fmt.Errorf("duplicate %s: %w", n.path, err), e.Close())
			}
			e.Dir = os.NewFile(uintptr(fd), n.path)
			continue
		}
		fd, err := n.openTasks()
		if err != nil {
			return nil, also(err, e.Close())
		}
		e.Names = append(e.Names, strings.Join(n.controllers, ","))
		e.Tasks = append(e.Tasks, os.NewFile(uintptr(fd), n.file("tasks")))
	}
	return e, nil
}

// openTasks opens the file tasks, in a directory that we made by its path: opening the directory for nothing else costs as much again.
func (n *node) openTasks() (fd int, err error) {
	if n.ours && n.fd < 0 {
		fd, err = retryOpen(func() (int, error) {
			return unix.Open(n.file("tasks"), unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		})
	} else {
		var dir int
		if dir, err = n.open(); err != nil {
			return -1, err
		}
		fd, err = openAt(dir, "tasks", unix.O_WRONLY)
	}
	if err != nil {
		return -1, &FileError{Verb: "open", Path: n.file("tasks"), Err: err}
	}
	return fd, nil
}

// Close closes the entrance's files.
func (e *Entrance) Close() error {
	var failure error
	for _, f := range e.Tasks {
		failure = also(failure, f.Close())
	}
	if e.Dir != nil {
		failure = also(failure, e.Dir.Close())
	}
	e.Tasks, e.Names, e.Dir = nil, nil, nil
	return failure
}

// Join moves a process into the cgroup by its pid, in the kernel's slow way. It is for a process that is there already.
func (c *Cgroup) Join(pid int) error {
	for i := range c.nodes {
		if err := c.nodes[i].write("cgroup.procs", itoa(int64(pid))); err != nil {
			return err
		}
	}
	return nil
}
