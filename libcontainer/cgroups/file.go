package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/rawfile"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// openDir opens a cgroup's directory for *at calls and checks that it is one: a path from a state file, or below a mount
// that someone has replaced, must not lead to writes elsewhere.
func openDir(path string) (int, error) {
	fd, err := openOwnDir(path)
	if err != nil {
		return -1, err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		unix.Close(fd)
		return -1, &FileError{Path: path, Verb: "statfs", Err: err}
	}
	if int64(st.Type) != unix.CGROUP_SUPER_MAGIC && int64(st.Type) != unix.CGROUP2_SUPER_MAGIC {
		unix.Close(fd)
		return -1, fmt.Errorf("open %s: not a cgroup", path)
	}
	return fd, nil
}

// openOwnDir is openDir for a directory that was just made below a checked mount.
func openOwnDir(path string) (int, error) {
	fd, err := retryOpen(func() (int, error) {
		return unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, &FileError{Path: path, Verb: "open", Err: err}
	}
	return fd, nil
}

// openAt opens a file of the cgroup dir, and nothing outside of it whatever name holds.
func openAt(dir int, name string, flags uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	}
	fd, err := retryOpen(func() (int, error) { return unix.Openat2(dir, name, &how) })
	return fd, refusal.Explain("openat2", err)
}

// retryOpen repeats an open that a signal has interrupted: opening a cgroup file can wait for the cgroup lock, and Go's
// preemption is a signal. openat2 may also say EAGAIN when something is renamed or mounted meanwhile.
func retryOpen(open func() (int, error)) (fd int, err error) {
	for range 100 {
		fd, err = open()
		if err != unix.EINTR && err != unix.EAGAIN {
			break
		}
	}
	return fd, err
}

// writeFD makes one write(2): the kernel takes each as a whole command, so that a file may be written to again and again.
// Memory limits are reclaimed for and interrupted by any signal.
func writeFD(fd int, value string) error {
	if value == "" {
		value = "\n"
	}
	for {
		if _, err := unix.Write(fd, []byte(value)); err != unix.EINTR {
			return err
		}
	}
}

func writeAt(dir int, name, value string) error {
	fd, err := openAt(dir, name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return writeFD(fd, value)
}

func readAt(dir int, name string) (string, error) {
	fd, err := openAt(dir, name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return readFD(fd)
}

// readFile reads a file outside of cgroups.
func readFile(path string) (string, error) {
	text, err := rawfile.Read(path)
	return string(text), err
}

// readFD reads all of a file from its beginning.
func readFD(fd int) (string, error) {
	var text []byte
	var buf [4096]byte
	for {
		n, err := unix.Pread(fd, buf[:], int64(len(text)))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return "", err
		case n == 0:
			return string(text), nil
		default:
			text = append(text, buf[:n]...)
		}
	}
}

// FileError is a failed operation on a cgroup file or directory.
type FileError struct {
	From string // place in config.json, or ""
	Verb string // "write 100 to"
	Path string
	Hint string
	Err  error
}

func (e *FileError) Error() string {
	s := e.Verb + " " + e.Path + ": "
	if e.From != "" {
		s = e.From + ": " + s
	}
	if e.Hint != "" {
		return s + e.Hint
	}
	// Engines take the kernel's own words for a missing file to mean that the container's command is missing.
	if errors.Is(e.Err, syscall.ENOENT) {
		return s + "does not exist in this cgroup"
	}
	return s + e.Err.Error()
}

func (e *FileError) Unwrap() error { return e.Err }

// gone says that a cgroup has been removed: its path fails with ENOENT, its open files with ENODEV.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// refused says that this process may not change cgroups here, the normal case of rootless containers.
func refused(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS)
}

// also adds what went wrong while cleaning up after err. One line, unlike errors.Join.
func also(err, next error) error {
	switch {
	case next == nil:
		return err
	case err == nil:
		return next
	}
	return fmt.Errorf("%w; and then: %w", err, next)
}
