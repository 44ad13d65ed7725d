package state

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// The files of this package are small and local, and written whole, without an os.File for the reasons that package rawfile gives.

// writeFile writes a file that only this user may read; flags say whether it may exist.
func writeFile(name string, flags int, data []byte) error {
	fd, err := open(name, unix.O_WRONLY|unix.O_NOFOLLOW|flags, 0o600)
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

func open(name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
