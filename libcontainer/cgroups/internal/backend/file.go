package backend

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// openDir opens a cgroup's directory for *at calls and checks that it is one: a path from a state
// file, or below a mount that someone has replaced, must not lead to writes elsewhere.
func openDir(path string) (int, error) {
	fd, err := openOwnDir(path)
	if err != nil {
		return -1, err
	}
	if err := isCgroup(fd, path); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// isCgroup says no to what has been opened below path and does not lie in a tree of cgroups.
func isCgroup(fd int, path string) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return &FileError{Path: path, Verb: "statfs", Err: err}
	}
	if int64(st.Type) != unix.CGROUP_SUPER_MAGIC && int64(st.Type) != unix.CGROUP2_SUPER_MAGIC {
		return fmt.Errorf("open %s: not a cgroup", path)
	}
	return nil
}

// openOwnDir is openDir for a directory that was just made below a checked mount.
func openOwnDir(path string) (int, error) {
	fd, err := fs.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, &FileError{Path: path, Verb: "open", Err: err}
	}
	return fd, nil
}

// OpenAt opens a file of the cgroup dir, and nothing outside of it whatever name holds.
func OpenAt(dir int, name string, flags uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	}
	// Opening a cgroup file can wait for the cgroup lock, and Go's preemption is a signal.
	fd, err := fs.OpenBelow(dir, name, &how)
	return fd, refusal.Explain("openat2", err)
}

// Retry repeats a call that a signal has interrupted.
func Retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// WriteFD makes one write(2): the kernel takes each as a whole command, so that a file may be
// written to again and again. Memory limits are reclaimed for and interrupted by any signal.
func WriteFD(fd int, value string) error {
	if value == "" {
		value = "\n"
	}
	return Retry(func() error {
		_, err := unix.Write(fd, []byte(value))
		return err
	})
}

// WriteAt writes to a file of the cgroup dir.
func WriteAt(dir int, name, value string) error {
	fd, err := OpenAt(dir, name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return WriteFD(fd, value)
}

func readAt(dir int, name string) (string, error) {
	fd, err := OpenAt(dir, name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return ReadFD(fd)
}

// ReadFile reads a file outside of cgroups.
func ReadFile(path string) (string, error) {
	text, err := fs.ReadFile(path)
	return string(text), err
}

// ReadFD reads all of a file from its beginning.
func ReadFD(fd int) (string, error) {
	var text []byte
	var buf [2048]byte // no more, for the stack's sake: see package fs
	for {
		var n int
		err := Retry(func() (err error) {
			n, err = unix.Pread(fd, buf[:], int64(len(text)))
			return err
		})
		if err != nil {
			return "", err
		}
		if n == 0 {
			return string(text), nil
		}
		text = append(text, buf[:n]...)
	}
}
