package backend

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
)

// Dir is the directory of one cgroup. It is opened at its first use and stays open until Close.
type Dir struct {
	Path string
	Made bool // just now, below a mount that was checked
	// Glance reads files by their path, without a look at the directory: for an answer by which
	// nothing is done.
	Glance bool

	fd int // O_PATH, -1 while not open
}

// NewDir touches nothing yet.
func NewDir(path string) *Dir { return &Dir{Path: path, fd: -1} }

// Open gives the directory's descriptor, which stays the Dir's.
func (d *Dir) Open() (int, error) {
	if d.fd >= 0 {
		return d.fd, nil
	}
	open := openDir
	if d.Made {
		open = openOwnDir
	}
	fd, err := open(d.Path)
	if err == nil {
		d.fd = fd
	}
	return fd, err
}

// Close closes the directory. It may be used again afterwards.
func (d *Dir) Close() {
	if d.fd >= 0 {
		unix.Close(d.fd)
		d.fd = -1
	}
}

// File is the path of a file in the directory, for messages.
func (d *Dir) File(name string) string { return d.Path + "/" + name }

// OpenFile opens a file of the directory.
func (d *Dir) OpenFile(name string, flags uint64) (int, error) {
	dir, err := d.Open()
	if err != nil {
		return -1, err
	}
	fd, err := OpenAt(dir, name, flags)
	if err != nil {
		return -1, &FileError{Verb: "open", Path: d.File(name), Err: err}
	}
	return fd, nil
}

// OpenTasks opens the file tasks for writing, by its path unless the directory is open: opening
// that for nothing else costs as much again.
func (d *Dir) OpenTasks() (fd int, err error) {
	if d.fd >= 0 {
		return d.OpenFile("tasks", unix.O_WRONLY)
	}
	fd, err = fs.Open(d.File("tasks"), unix.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, &FileError{Verb: "open", Path: d.File("tasks"), Err: err}
	}
	if !d.Made {
		err = isCgroup(fd, d.Path)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Read reads a file of the directory.
func (d *Dir) Read(name string) (string, error) {
	if d.Glance {
		var buf [256]byte // enough for the files of a freezer
		data, err := fs.ReadStart(d.File(name), buf[:])
		return string(data), err
	}
	dir, err := d.Open()
	if err != nil {
		return "", err
	}
	s, err := readAt(dir, name)
	if err != nil {
		return "", &FileError{Verb: "read", Path: d.File(name), Err: err}
	}
	return s, nil
}

// Write writes to a file of the directory.
func (d *Dir) Write(name, value string) error {
	dir, err := d.Open()
	if err != nil {
		return err
	}
	if err := WriteAt(dir, name, value); err != nil {
		return &FileError{Verb: "write " + value + " to", Path: d.File(name), Err: err}
	}
	return nil
}

// Duplicate is the directory as a descriptor of its own.
func (d *Dir) Duplicate() (int, error) {
	dir, err := d.Open()
	if err != nil {
		return -1, err
	}
	fd, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, fmt.Errorf("duplicate %s: %w", d.Path, err)
	}
	return fd, nil
}

// Exists says whether the directory is there.
func (d *Dir) Exists() bool { return unix.Access(d.Path, unix.F_OK) == nil }
