// Package unixsock connects to unix sockets by name.
package unixsock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxPath is what fits into sockaddr_un, with its zero byte (unix(7)).
const maxPath = 107

// Dial connects to the stream socket at a path, as --console-socket and --pidfd-socket name it.
func Dial(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	conn := os.NewFile(uintptr(fd), path)
	if err := Connect(fd, path); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect to %s: %w%s", path, err, refusedBy(path, err))
	}
	return conn, nil
}

// refusedBy says whose refusal a connection's is: the kernel has one word for all of them.
func refusedBy(path string, err error) string {
	if !errors.Is(err, unix.ECONNREFUSED) {
		return ""
	}
	if st, err := os.Stat(path); err == nil && st.Mode().Type() != os.ModeSocket {
		return " (it is no socket)"
	}
	return " (nobody listens there)"
}

// Connect connects a socket, again when a signal interrupts it. The address is a path, which may be
// longer than a socket's address, or an abstract name behind "@".
func Connect(fd int, address string) error {
	if len(address) > maxPath && address[0] != '@' {
		// A descriptor of the socket's own place in the file system leads to it by a short name.
		at, err := unix.Open(address, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(at)
		address = fmt.Sprintf("/proc/self/fd/%d", at)
	}
	for {
		// x/sys turns the "@" into the kernel's NUL.
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: address}); err != unix.EINTR {
			return err
		}
	}
}
