// Package rootfs is what the host does in a container's root file system, whose owner is not
// trusted: copying what a tmpfs covers (tmpcopyup), making device nodes, and taking mounts away
// that a container without a mount namespace has left on the host. Names in it are resolved once,
// to descriptors.
package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"golang.org/x/sys/unix"
)

// CopyUp copies what a tmpfs is about to cover into it (the mount option tmpcopyup). Both
// directories are descriptors that the init brought, and every step goes from a directory to one
// name in it without following links: the image can't lead us out.
//
// The names, owners and the like are made here; the contents, which may be large, are left to data.
func CopyUp(covered, tmpfs *os.File, data *DataCopier) error {
	from, err := reopenDirectory(covered)
	if err != nil {
		return fmt.Errorf("%s: tmpcopyup: open the covered directory: %w", data.From, err)
	}
	defer from.Close()
	to, err := reopenDirectory(tmpfs)
	if err != nil {
		return fmt.Errorf("%s: tmpcopyup: open the tmpfs: %w", data.From, err)
	}
	defer to.Close()
	data.tmpfs = tmpfs
	defer data.close()
	c := copier{data: data}
	if err := asOwnerOf(int(to.Fd()), func() error {
		// Owner and mode of the tmpfs itself are what its options say.
		if err := c.entries(from, int(to.Fd())); err != nil {
			return err
		}
		return data.finish()
	}); err != nil {
		return fmt.Errorf("%s: tmpcopyup: %w", data.From, err)
	}
	return nil
}

// reopenDirectory opens for reading what an O_PATH descriptor stands for.
func reopenDirectory(dir *os.File) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), dir.Name()), nil
}

// copier makes the copies of one tree.
type copier struct {
	data  *DataCopier
	count int // of files and directories so far
	depth int // of directories that are open
}

// What is covered may be served by somebody who wants the runtime to be busy for ever (FUSE): a
// directory may go on without end, or hold itself. A real one has less than this.
const (
	copyCount = 1 << 20
	copyDepth = unix.PathMax / 2 // no path leads deeper
	copyBatch = 512              // names read at a time
)

type endlessError struct{}

func (endlessError) Error() string {
	return fmt.Sprintf("more than %d files, or directories %d deep: %v", copyCount, copyDepth, unix.EUCLEAN)
}

func (endlessError) Unwrap() error { return unix.EUCLEAN }

// asOwnerOf calls f with the owner of an open directory for the user of file systems, and all our
// capabilities. In the tmpfs of a user namespace nobody can make anything whose own id has no place
// there (EOVERFLOW), as root of the host has none.
func asOwnerOf(dir int, f func() error) error {
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	if int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return f()
	}
	done := make(chan error)
	go func() {
		// For ever: the thread ends together with the goroutine.
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		err := unix.Capget(&header, &caps[0])
		if err == nil {
			err = errors.Join(unix.Setfsgid(int(st.Gid)), unix.Setfsuid(int(st.Uid)))
		}
		if err == nil {
			// The change has cleared those for files.
			err = unix.Capset(&header, &caps[0])
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// directory copies the entries and the attributes of one open directory to another, and closes
// both.
func (c *copier) directory(from, to int) error {
	src, dst := os.NewFile(uintptr(from), "covered"), os.NewFile(uintptr(to), "tmpfs")
	defer src.Close()
	defer dst.Close()
	if err := c.entries(src, to); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	return copyAttributes(from, to, &st)
}

// entries copies what one open directory holds to another.
func (c *copier) entries(src *os.File, to int) error {
	if c.depth++; c.depth > copyDepth {
		return endlessError{}
	}
	defer func() { c.depth-- }()
	for {
		names, err := src.Readdirnames(copyBatch)
		if c.count += len(names); c.count > copyCount {
			return endlessError{}
		}
		for _, name := range names {
			switch err := c.entry(int(src.Fd()), to, name); {
			case errors.Is(err, endlessError{}):
				return err // without the names of thousands of directories
			case err != nil:
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (c *copier) entry(from, to int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := unix.Mkdirat(to, name, 0o700); err != nil {
			return err
		}
		return openBoth(from, to, name, unix.O_RDONLY|unix.O_DIRECTORY, unix.O_RDONLY|unix.O_DIRECTORY, 0, c.directory)
	case unix.S_IFREG:
		return openBoth(from, to, name, unix.O_RDONLY, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600, func(src, dst int) error {
			return c.data.add(src, dst)
		})
	case unix.S_IFLNK:
		return copyLink(from, to, name, &st)
	}
	// Devices, pipes, sockets.
	if err := unix.Mknodat(to, name, st.Mode, int(st.Rdev)); err != nil {
		return err
	}
	if err := unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return nil
}

func openBoth(from, to int, name string, read, write int, mode uint32, use func(src, dst int) error) error {
	src, err := OpenSource(from, name, read)
	if err != nil {
		return err
	}
	dst, err := unix.Openat(to, name, write|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		unix.Close(src)
		return err
	}
	return use(src, dst)
}

// OpenSource opens a directory or a regular file, whatever somebody who shares the root file system
// has put in its place since we looked.
func OpenSource(dir int, name string, flags int) (int, error) {
	if flags&unix.O_DIRECTORY != 0 {
		return unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	found, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(found)
	return fs.OpenRegular(found)
}

func copyLink(from, to int, name string, st *unix.Stat_t) error {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(from, name, target)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(string(target[:n]), to, name); err != nil {
		return err
	}
	return unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
}

// copyAttributes copies owner, mode, extended attributes and times, in this order: a change of
// owner clears set-id bits, and writing changes times.
func copyAttributes(src, dst int, st *unix.Stat_t) error {
	if err := unix.Fchown(dst, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Fchmod(dst, st.Mode&0o7777); err != nil {
		return err
	}
	if err := copyXattrs(src, dst); err != nil {
		return err
	}
	times := []unix.Timeval{unix.NsecToTimeval(st.Atim.Nano()), unix.NsecToTimeval(st.Mtim.Nano())}
	return unix.Futimes(dst, times)
}

func copyXattrs(src, dst int) error {
	size, err := unix.Flistxattr(src, nil)
	if errors.Is(err, unix.EOPNOTSUPP) || size <= 0 {
		return nil
	}
	// The kernel gives 64 KiB at most, of names and of a value (xattr(7)).
	names := make([]byte, size)
	if size, err = unix.Flistxattr(src, names); err != nil {
		return err
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:size]), "\x00"), "\x00") {
		n, err := unix.Fgetxattr(src, name, value)
		if err != nil {
			return err
		}
		// tmpfs has no user attributes before Linux 6.6: what it can't hold is left out.
		if err := unix.Fsetxattr(dst, name, value[:n], 0); err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return nil
}
