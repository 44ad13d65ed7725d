package cgroups

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// applier puts settings in force in a cgroup.
type applier struct {
	c        *Cgroup
	fresh    bool // the cgroup was made just now, so that nothing is in it
	rootless bool // forgive what a user without privileges can't do about devices
	file     openFile
	undo     *[]Write // collects writes that bring the old values back, nil when nobody wants them
}

// apply makes the writes, keeping the late ones for Finish, and installs the device program.
func (a *applier) apply(s *Settings) error {
	first := make([]Write, 0, len(s.Writes))
	for _, w := range s.Writes {
		switch {
		case w.Late:
			a.c.late = append(a.c.late, w)
		case a.rootless && w.Controller == "devices" && a.c.v1("devices") == nil:
			// Without privileges, nobody can make or open more devices than the user could anyway.
		default:
			first = append(first, w)
		}
	}
	if err := a.writeAll(first); err != nil {
		return err
	}
	n := a.c.v2()
	if len(s.Devices) == 0 || n == nil {
		return nil
	}
	err := n.FilterDevices(s.Devices, a.fresh)
	switch {
	case err == nil, a.rootless && backend.Refused(err):
		return nil
	}
	return fmt.Errorf("%s.devices: %w", linuxResources, err)
}

// Finish is for when the init is in the cgroup: it makes the writes that had to wait for that
// (nearly always there are none) and closes what Create has opened, which other creations wait for.
func (c *Cgroup) Finish() error {
	defer c.Close()
	a := applier{c: c}
	late := c.late
	c.late = nil
	return a.writeAll(late)
}

// writeAll makes the writes in order. Some limits hold each other in check (memory and memory+swap,
// quota and period): what the kernel calls invalid or busy is tried again after the others, for as
// long as that gets anywhere.
func (a *applier) writeAll(list []Write) error {
	defer a.file.close()
	for len(list) > 0 {
		again, failure, err := a.writeOnce(list)
		if err != nil {
			return err
		}
		if len(again) == len(list) {
			return failure
		}
		list = again
	}
	return nil
}

// writeOnce goes through the list once and returns the writes that may work later, with the first
// of their errors.
func (a *applier) writeOnce(list []Write) (again []Write, failure, err error) {
	for _, w := range list {
		err := a.write(w)
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBUSY):
			again = append(again, w)
			if failure == nil {
				failure = err
			}
		case a.rootless && w.Controller == "devices" && backend.Refused(err):
		case err != nil:
			return nil, nil, err
		}
	}
	return again, failure, nil
}

// openFile is the file written last: rules for devices go to the same one a dozen times.
type openFile struct {
	dir  *backend.Dir
	name string
	fd   int
}

func (f *openFile) close() {
	if f.dir != nil {
		unix.Close(f.fd)
		f.dir = nil
	}
}

func (f *openFile) open(d *backend.Dir, name string) (int, error) {
	if f.dir == d && f.name == name {
		return f.fd, nil
	}
	f.close()
	dir, err := d.Open()
	if err != nil {
		return -1, err
	}
	fd, err := backend.OpenAt(dir, name, unix.O_WRONLY)
	if err == nil {
		*f = openFile{d, name, fd}
	}
	return fd, err
}

// node is where the write goes, nil when the container has no such cgroup.
func (c *Cgroup) node(w Write) backend.Cgroup {
	if !w.V2 {
		return c.v1(w.Controller)
	}
	if n := c.v2(); n != nil {
		return n
	}
	return nil // and not a nil *v2.Cgroup
}

func (a *applier) write(w Write) error {
	n := a.c.node(w)
	if n == nil {
		return fmt.Errorf("%s: cannot be set without a cgroup: %s", w.From, a.c.missing(w.Controller))
	}
	dir := n.Dir()
	fd, err := a.file.open(dir, w.File)
	if errors.Is(err, unix.ENOENT) {
		switch {
		case w.Else != nil:
			return a.write(*w.Else)
		case w.Optional:
			return nil
		}
		return &backend.FileError{From: w.From, Verb: "open", Path: dir.File(w.File), Hint: missingFile(n, w), Err: err}
	}
	if err != nil {
		return &backend.FileError{From: w.From, Verb: "open", Path: dir.File(w.File), Err: err}
	}
	if w.Check {
		if err := tooLow(dir, w, nil); err != nil {
			return err
		}
	}
	old := ""
	if a.undo != nil {
		old = oldValue(dir, w)
	}
	if err := backend.WriteFD(fd, w.Value); err != nil {
		if w.Usage != "" && errors.Is(err, unix.EBUSY) {
			return tooLow(dir, w, err)
		}
		return &backend.FileError{From: w.From, Verb: "write " + w.Value + " to", Path: dir.File(w.File), Err: err}
	}
	if old != "" {
		w.Value, w.Check, w.Else = old, false, nil
		*a.undo = append(*a.undo, w)
	}
	return nil
}

// tooLow is the error for a limit that is below what is in use; nil when it is not, and the kernel
// has not said so in cause.
func tooLow(dir *backend.Dir, w Write, cause error) error {
	usage, _ := dir.Read(w.Usage)
	peak, _ := dir.Read(w.Peak)
	usage, peak = strings.TrimSpace(usage), strings.TrimSpace(peak)
	if peak == "" {
		peak = "unknown" // memory.peak came with Linux 5.19
	}
	if cause == nil {
		used, err := strconv.ParseInt(usage, 10, 64)
		limit, err2 := strconv.ParseInt(w.Value, 10, 64)
		if err != nil || err2 != nil || used <= limit {
			return nil
		}
		cause = unix.EBUSY
	}
	return &backend.FileError{
		From: w.From, Verb: "write " + w.Value + " to", Path: dir.File(w.File), Err: cause,
		Hint: fmt.Sprintf("unable to set memory limit to %s (current usage: %s, peak usage: %s)", w.Value, usage, peak),
	}
}

// missingFile says why the write's file is not there.
func missingFile(n backend.Cgroup, w Write) string {
	why := n.MissingFile()
	if w.Hint != "" && why == backend.NotOffered {
		why += ": " + w.Hint
	}
	return why
}
