package fs

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Small local files are read and written here with nothing but the system calls that it takes. An
// os.File costs each of them half a dozen more (Go's poller tries to take it, and is set up for
// that), an object with a finalizer, and a buffer that nobody uses again: 10 µs, of which a command
// has a dozen.

// ReadFile is os.ReadFile.
func ReadFile(name string) ([]byte, error) { return read(name, false) }

// ReadRegular is ReadFile for a regular file: such a one is at its end where a read gives less than
// there is room for.
func ReadRegular(name string) ([]byte, error) { return read(name, true) }

func read(name string, regular bool) (data []byte, err error) {
	fd, err := openRead(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if data, err = all(fd, regular); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// ReadStart reads the beginning of a file: what a single read gives, and buf has room for.
func ReadStart(name string, buf []byte) ([]byte, error) {
	fd, err := openRead(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := readOnce(fd, buf)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return buf[:n], nil
}

func openRead(name string) (int, error) {
	fd, err := Open(name, unix.O_RDONLY, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// all is what there is from the descriptor's position on.
func all(fd int, regular bool) ([]byte, error) {
	var data []byte
	// On the stack, whose pages are there already. With a page of its own the stack of `state`
	// would outgrow 8 KiB: 4 % of its time, for a copy of the stack and new pages.
	var buf [2048]byte
	for {
		n, err := readOnce(fd, buf[:])
		if err != nil {
			return nil, err
		}
		data = append(data, buf[:n]...)
		if n == 0 || regular && n < len(buf) {
			return data, nil
		}
	}
}

// readOnce is read(2), again when a signal interrupts it.
func readOnce(fd int, buf []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, buf); err != unix.EINTR {
			return n, err
		}
	}
}

// WriteFile writes a file that only this user may read; flags say whether it may exist. A symbolic
// link is not followed.
func WriteFile(name string, flags int, data []byte) error {
	fd, err := Open(name, unix.O_WRONLY|unix.O_NOFOLLOW|flags, 0o600)
	if err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	for len(data) > 0 && err == nil {
		var n int
		n, err = unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			n, err = 0, nil
		}
		data = data[max(n, 0):]
	}
	if cerr := unix.Close(fd); err == nil && !errors.Is(cerr, unix.EINTR) {
		err = cerr
	}
	if err != nil {
		return &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}

// Open is open(2), close-on-exec and again when a signal interrupts it.
func Open(name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// FindInRoot finds a path of the image as the init will, for O_PATH alone: no link leads out of the
// directory root. flags are for the file at the end, such as O_NOFOLLOW or O_DIRECTORY.
func FindInRoot(root int, path string, flags uint64) (int, error) {
	return OpenBelow(root, strings.TrimLeft(path, "/"), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// OpenBelow is openat2(2), again when it was interrupted, or says that it can't tell where a `..`
// leads: that is so whenever something on the system is renamed or mounted meanwhile.
func OpenBelow(dir int, path string, how *unix.OpenHow) (fd int, err error) {
	const most = 128 // as often as the init tries
	for range most {
		fd, err = unix.Openat2(dir, path, how)
		if err != unix.EAGAIN && err != unix.EINTR && err != unix.EXDEV {
			break
		}
	}
	return fd, err
}
