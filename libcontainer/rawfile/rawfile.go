// Package rawfile reads small files with nothing but the system calls that it takes. An os.File costs each of them half a dozen more (Go's poller
// tries to take it, and is set up for that), an object with a finalizer, and a buffer that nobody uses again: 10 µs, of which
// a command has a dozen. Only reading a whole file by its name comes in.
package rawfile

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Read is os.ReadFile.
func Read(name string) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == unix.EINTR {
		fd, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	data, err := all(fd)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// all is what there is from the descriptor's position on.
func all(fd int) ([]byte, error) {
	var data []byte
	var buf [4096]byte // on the stack, whose pages are there already
	for {
		n, err := unix.Read(fd, buf[:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return data, nil
		default:
			data = append(data, buf[:n]...)
		}
	}
}
