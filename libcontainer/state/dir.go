package state

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
)

// The texts are part of the contract with engines, which look for them in a command's output.
var (
	ErrNotExist  = errors.New("container does not exist")
	ErrExist     = errors.New("container with given ID already exists")
	ErrInvalidID = errors.New("invalid container ID format")
	// ErrBusy says that another command held the container for too long.
	ErrBusy = errors.New("another command holds the container")
)

// Dir is a container's directory, <root>/<id>. It holds no descriptor but that of its lock.
type Dir struct {
	root, id string
	locked   *int                   // the lock's descriptor, while it is held through this Dir
	boot     func() (string, error) // bootID, asked once by all that List finds together
	loaded   *Record                // what was read last, nil if that has been changed here
	text     []byte                 // of it
}

func newDir(root, id string) *Dir { return &Dir{root: root, id: id, boot: sync.OnceValues(bootID)} }

// CheckID refuses an id that could not be the name of a directory of its own, or that scripts would
// have to quote.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidID)
	case id == ".", id == "..":
		return fmt.Errorf("%w: %q is not the name of a directory of its own", ErrInvalidID, id)
	case len(id) > unix.NAME_MAX:
		return fmt.Errorf("%w: %d bytes are more than the %d of a file's name", ErrInvalidID, len(id), unix.NAME_MAX)
	}
	for _, c := range id {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '+', c == '-', c == '.':
		default:
			return fmt.Errorf("%w: %q holds %q: allowed are _ + - . digits and letters from a to z", ErrInvalidID, id, c)
		}
	}
	return nil
}

// notExist is [ErrNotExist] with the container's name, and where it was looked for: root and other
// users have different places.
func (d *Dir) notExist() error {
	return fmt.Errorf("%w: there is no %s in %s", ErrNotExist, d.id, d.root)
}

// Create makes the directory, and its root when that is missing. Of several callers with the same
// id one succeeds, the others get [ErrExist].
func Create(root, id string) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	d := newDir(root, id)
	err := unix.Mkdir(d.Path(), 0o711)
	if errors.Is(err, unix.ENOENT) {
		if err := makeRoot(root); err != nil {
			return nil, fmt.Errorf("make the root directory %s: %w%s", root, err, wayOut(root, err))
		}
		err = unix.Mkdir(d.Path(), 0o711)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("%w: %s", ErrExist, id)
	}
	if err == nil {
		// Engines call us with any umask.
		if err = unix.Chmod(d.Path(), 0o711); err != nil {
			_ = unix.Rmdir(d.Path())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make the container's directory %s: %w%s", d.Path(), err, wayOut(root, err))
	}
	return d, nil
}

// wayOut is that of a root which is no directory, or to which a user may not write, such as
// /run/ociruntime.
func wayOut(root string, err error) string {
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Sprintf(" (--root: %s has to be a directory, and so has what it lies in)", root)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.EROFS):
		return " (a user's containers can be kept in $XDG_RUNTIME_DIR, when it is set, or in a directory of yours: --root DIR)"
	}
	return ""
}

// makeRoot makes the directory of all containers. In a user's runtime directory it gets the sticky
// bit, which keeps periodic clean-up away from it (XDG base directory specification).
func makeRoot(root string) error {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	if xdg := os.Getenv("XDG_RUNTIME_DIR"); xdg != "" && strings.HasPrefix(root, filepath.Clean(xdg)+"/") {
		return unix.Chmod(root, 0o700|unix.S_ISVTX)
	}
	return nil
}

// Open finds the directory of an existing container.
func Open(root, id string) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	d := newDir(root, id)
	var st unix.Stat_t
	err := unix.Lstat(d.Path(), &st)
	switch {
	case errors.Is(err, unix.ENOENT) || err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return nil, d.notExist()
	case err != nil:
		return nil, fmt.Errorf("open the container's directory %s: %w", d.Path(), err)
	}
	return d, nil
}

// List finds the directories in root, sorted. A missing root is an error that is [os.ErrNotExist].
func List(root string) ([]*Dir, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w%s", err, wayOut(root, err))
	}
	var dirs []*Dir
	boot := sync.OnceValues(bootID)
	for _, e := range entries {
		if e.IsDir() && CheckID(e.Name()) == nil {
			dirs = append(dirs, &Dir{root: root, id: e.Name(), boot: boot})
		}
	}
	return dirs, nil
}

// ID is the container's id.
func (d *Dir) ID() string { return d.id }

// Path is the directory's path.
func (d *Dir) Path() string { return d.file("") }

func (d *Dir) file(name string) string { return filepath.Join(d.root, d.id, name) }

// forever is more than any command takes.
const forever = math.MaxInt64

// Lock waits until no other command changes the container, or ctx ends. A container that was
// deleted meanwhile gives [ErrNotExist].
func (d *Dir) Lock(ctx context.Context, exclusive bool) (unlock func(), err error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	return d.lockWithin(ctx, how, forever)
}

// LockWithin is an exclusive Lock that gives up with [ErrBusy] and the name of the command that
// holds the container.
func (d *Dir) LockWithin(ctx context.Context, limit time.Duration) (unlock func(), err error) {
	return d.lockWithin(ctx, unix.LOCK_EX, limit)
}

func (d *Dir) lockWithin(ctx context.Context, how int, limit time.Duration) (unlock func(), err error) {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		unlock, err := d.lock(how | unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return unlock, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, d.busy()
		}
		// flock has no time-out, and a signal to end it would have to hit this very thread. The
		// wait is rare and short.
		select {
		case <-time.After(min(pause, left)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Held reports whether a command is changing the container now.
func (d *Dir) Held() bool {
	unlock, err := d.lock(unix.LOCK_SH | unix.LOCK_NB)
	if err == nil {
		unlock()
	}
	return errors.Is(err, unix.EWOULDBLOCK)
}

// lock takes the flock with a file description of its own: one that is shared with an earlier lock
// of this process would convert that one silently, and drop it on unlock.
func (d *Dir) lock(how int) (unlock func(), err error) {
	for {
		fd, err := fs.Open(d.Path(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, os.ErrNotExist) {
			return nil, d.notExist()
		}
		if err == nil {
			if err = flock(fd, how); err != nil {
				unix.Close(fd)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("lock the container's directory %s: %w", d.Path(), err)
		}
		// While we waited, the holder may have deleted the container, and somebody may have made a
		// new one of that name.
		if d.is(fd) {
			d.locked = &fd
			return func() {
				d.locked = nil
				// A child between fork and execve has a copy of the descriptor: closing ours alone
				// might not unlock yet.
				_ = unix.Flock(fd, unix.LOCK_UN)
				unix.Close(fd)
			}, nil
		}
		unix.Close(fd)
	}
}

// LockFile is the lock that is held through d, for another process to hold it, too, for as long as
// it lives: should we be killed, nobody else comes in its way. nil means that there is none.
func (d *Dir) LockFile() (*os.File, error) {
	if d.locked == nil {
		return nil, nil
	}
	fd, err := unix.FcntlInt(uintptr(*d.locked), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("hand on the lock of %s: %w", d.Path(), err)
	}
	return os.NewFile(uintptr(fd), d.Path()), nil
}

func flock(fd, how int) error {
	for {
		err := unix.Flock(fd, how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// is reports whether the open directory is the one that has the container's name.
func (d *Dir) is(fd int) bool {
	var named, open unix.Stat_t
	return unix.Lstat(d.Path(), &named) == nil && unix.Fstat(fd, &open) == nil && named.Dev == open.Dev && named.Ino == open.Ino
}

// busy names the holder of the lock as far as /proc/locks knows it.
func (d *Dir) busy() error {
	var st unix.Stat_t
	locks, err := os.ReadFile("/proc/locks")
	if err != nil || unix.Stat(d.Path(), &st) != nil {
		return ErrBusy
	}
	pid := lockHolder(string(locks), fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino))
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ErrBusy
	}
	return fmt.Errorf("%w: process %d (%s)", ErrBusy, pid, strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " ")))
}

// lockHolder finds the process that holds the flock on a file in lines like "1: FLOCK  ADVISORY
// WRITE 708 00:1a:13 0 EOF"; those who wait have an arrow behind the number (proc_locks(5)).
func lockHolder(locks, file string) (pid int) {
	for line := range strings.Lines(locks) {
		f := strings.Fields(line)
		if len(f) == 8 && f[1] == "FLOCK" && f[5] == file {
			_, _ = fmt.Sscan(f[4], &pid)
		}
	}
	return pid
}

// Remove deletes the directory with all that is in it and makes the id free. Symbolic links are not
// followed.
func (d *Dir) Remove() error {
	if d.removeOwn() {
		return nil
	}
	root, err := os.OpenRoot(d.root)
	if err == nil {
		err = root.RemoveAll(d.id)
		root.Close()
	}
	if err != nil {
		return fmt.Errorf("remove the container's directory %s: %w", d.Path(), err)
	}
	return nil
}

// removeOwn removes a directory in which nothing lies but what this package makes. The record goes
// first: without it a directory is nothing but a directory, should we be killed meanwhile.
func (d *Dir) removeOwn() (gone bool) {
	fd, err := fs.Open(d.Path(), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	for _, name := range [...]string{recordFile, configFile, progressFile, startSocket} {
		if err := unix.Unlinkat(fd, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return false
		}
	}
	return unix.Rmdir(d.Path()) == nil
}
