package harness

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Socket is a listening unix socket on which a runtime hands a descriptor
// over: --console-socket, --pidfd-socket. (Package net would link the test
// binary, and with it the probes, against the C library.)
type Socket struct {
	t    T
	Path string
	fd   int
}

// NewSocket listens on a path short enough for a socket address.
func NewSocket(t T) *Socket {
	t.Helper()
	path := filepath.Join(TempDir(t), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 8); err != nil {
		t.Fatal(err)
	}
	return &Socket{t: t, Path: path, fd: fd}
}

// Receive accepts one connection and gives its message's text and descriptor.
// Its buffer for control data holds exactly one descriptor, as engines' does.
func (s *Socket) Receive() (string, *os.File) {
	s.t.Helper()
	text, file, err := s.receive()
	if err != nil {
		s.t.Fatal("socket: ", err)
	}
	s.t.Cleanup(func() { _ = file.Close() })
	return text, file
}

// Waiting reports whether somebody else has connected.
func (s *Socket) Waiting() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, 0)
	return n == 1 && err == nil
}

func (s *Socket) receive() (string, *os.File, error) {
	ready, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, 10000)
	if err != nil || ready == 0 {
		return "", nil, fmt.Errorf("nobody connected: %w", err)
	}
	conn, _, err := unix.Accept4(s.fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return "", nil, err
	}
	defer unix.Close(conn)
	data, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, cn, flags, _, err := unix.Recvmsg(conn, data, control, unix.MSG_CMSG_CLOEXEC)
	switch {
	case err != nil:
		return "", nil, err
	case n == 0:
		return "", nil, fmt.Errorf("an empty message")
	case flags&unix.MSG_CTRUNC != 0:
		return "", nil, fmt.Errorf("more than one descriptor")
	}
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil || len(messages) != 1 {
		return "", nil, fmt.Errorf("%d control messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return "", nil, fmt.Errorf("%d descriptors: %w", len(fds), err)
	}
	return string(data[:n]), os.NewFile(uintptr(fds[0]), "received"), nil
}
