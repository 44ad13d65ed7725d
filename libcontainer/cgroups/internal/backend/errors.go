package backend

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

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
	// Engines take the kernel's own words for a missing file to mean that the container's command
	// is missing.
	if errors.Is(e.Err, syscall.ENOENT) {
		return s + "does not exist in this cgroup"
	}
	return s + e.Err.Error()
}

func (e *FileError) Unwrap() error { return e.Err }

// Gone says that a cgroup has been removed: its path fails with ENOENT, its open files with ENODEV.
func Gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// Refused says that this process may not change cgroups here, the normal case of rootless
// containers.
func Refused(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS)
}

// Also adds what went wrong while cleaning up after err. One line, unlike errors.Join.
func Also(err, next error) error {
	switch {
	case next == nil:
		return err
	case err == nil:
		return next
	}
	return fmt.Errorf("%w; and then: %w", err, next)
}

func ignoreGone(err error) error {
	if Gone(err) {
		return nil
	}
	return err
}
