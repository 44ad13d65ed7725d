package cgroups

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
	"github.com/ociruntime/ociruntime/libcontainer/kernel"
	"golang.org/x/sys/unix"
)

// applier puts settings in force in a cgroup.
type applier struct {
	c         *Cgroup
	fresh     bool  // the cgroup was made just now, so that nothing is in it
	rootless  bool  // forgive what a user without privileges can't do about devices
	enableErr error // explains a missing v2 file
	file      openFile
	undo      *[]Write // collects writes that bring the old values back, nil when nobody wants them
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
	if len(s.Devices) == 0 {
		return nil
	}
	err := a.c.filterDevices(s.Devices, a.fresh)
	if a.rootless && refused(err) {
		return nil
	}
	return err
}

// Apply puts settings in force in a cgroup that somebody else has made. Create does it by itself.
func (c *Cgroup) Apply(s *Settings) error {
	a := applier{c: c}
	return a.apply(s)
}

// Finish is for when the init is in the cgroup: it makes the writes that had to wait for that (nearly
// always there are none) and closes what Create has opened, which other creations wait for.
func (c *Cgroup) Finish() error {
	defer c.Close()
	a := applier{c: c}
	late := c.late
	c.late = nil
	return a.writeAll(late)
}

// writeAll makes the writes in order. Some limits hold each other in check (memory and memory+swap, quota and period): what the
// kernel calls invalid or busy is tried again after the others, for as long as that gets anywhere.
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

// writeOnce goes through the list once and returns the writes that may work later, with the first of their errors.
func (a *applier) writeOnce(list []Write) (again []Write, failure, err error) {
	for _, w := range list {
		err := a.write(w)
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBUSY):
			again = append(again, w)
			if failure == nil {
				failure = err
			}
		case a.rootless && w.Controller == "devices" && refused(err):
		case err != nil:
			return nil, nil, err
		}
	}
	return again, failure, nil
}

// openFile is the file written last: rules for devices go to the same one a dozen times.
type openFile struct {
	node *node
	name string
	fd   int
}

func (f *openFile) close() {
	if f.node != nil {
		unix.Close(f.fd)
		f.node = nil
	}
}

func (f *openFile) open(n *node, name string) (int, error) {
	if f.node == n && f.name == name {
		return f.fd, nil
	}
	f.close()
	dir, err := n.open()
	if err != nil {
		return -1, err
	}
	fd, err := openAt(dir, name, unix.O_WRONLY)
	if err == nil {
		*f = openFile{n, name, fd}
	}
	return fd, err
}

func (c *Cgroup) node(w Write) *node {
	if w.V2 {
		return c.v2()
	}
	return c.v1(w.Controller)
}

func (a *applier) write(w Write) error {
	n := a.c.node(w)
	if n == nil {
		return fmt.Errorf("%s: cannot be set without a cgroup: %s", w.From, a.c.why(w.Controller))
	}
	fd, err := a.file.open(n, w.File)
	if errors.Is(err, unix.ENOENT) {
		switch {
		case w.Else != nil:
			return a.write(*w.Else)
		case w.Optional:
			return nil
		}
		return &FileError{From: w.From, Verb: "open", Path: n.file(w.File), Hint: a.missing(w), Err: err}
	}
	if err != nil {
		return &FileError{From: w.From, Verb: "open", Path: n.file(w.File), Err: err}
	}
	if w.Check {
		if err := tooLow(n, w, nil); err != nil {
			return err
		}
	}
	old := ""
	if a.undo != nil {
		old = n.oldValue(w)
	}
	if err := writeFD(fd, w.Value); err != nil {
		if w.Usage != "" && errors.Is(err, unix.EBUSY) {
			return tooLow(n, w, err)
		}
		return &FileError{From: w.From, Verb: "write " + w.Value + " to", Path: n.file(w.File), Err: err}
	}
	if old != "" {
		w.Value, w.Check, w.Else = old, false, nil
		*a.undo = append(*a.undo, w)
	}
	return nil
}

// tooLow is the error for a limit that is below what is in use; nil when it is not, and the kernel has not said so in cause.
func tooLow(n *node, w Write, cause error) error {
	usage, _ := n.read(w.Usage)
	peak, _ := n.read(w.Peak)
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
	return &FileError{
		From: w.From, Verb: "write " + w.Value + " to", Path: n.file(w.File), Err: cause,
		Hint: fmt.Sprintf("unable to set memory limit to %s (current usage: %s, peak usage: %s)", w.Value, usage, peak),
	}
}

func (a *applier) missing(w Write) string {
	switch {
	case w.V2 && a.enableErr != nil:
		return fmt.Sprintf("the controller is not enabled here (%v)", a.enableErr)
	case w.Hint != "":
		return "not offered by this kernel: " + w.Hint
	}
	return "not offered by this kernel"
}

// filterDevices loads the device program and attaches it. On a cgroup that was there before, it takes the place of the
// program that is attached already.
func (c *Cgroup) filterDevices(rules []devices.Rule, fresh bool) error {
	n := c.v2()
	if n == nil {
		return nil
	}
	const place = linuxResources + ".devices"
	dir, err := n.open()
	if err != nil {
		return err
	}
	prog, err := kernel.BPFLoadDevice(devices.Encode(devices.Program(rules)))
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	defer unix.Close(prog)
	var old []uint32
	if !fresh {
		old, err = kernel.BPFDevicePrograms(dir)
	}
	switch {
	case err != nil:
	case len(old) == 0:
		err = kernel.BPFAttachDevice(dir, prog, -1)
	default:
		err = replaceFilter(dir, prog, old)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	return nil
}

// replaceFilter leaves prog as the only device program, at no moment without any.
func replaceFilter(dir, prog int, ids []uint32) error {
	for i, id := range ids {
		old, err := kernel.BPFProgram(id)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		if i == 0 {
			err = kernel.BPFAttachDevice(dir, prog, old)
		} else {
			err = kernel.BPFDetachDevice(dir, old)
		}
		unix.Close(old)
		if err != nil {
			return err
		}
	}
	return nil
}
