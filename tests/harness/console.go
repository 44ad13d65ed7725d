package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is a listening unix socket on which a runtime hands a descriptor
// over: --console-socket, --pidfd-socket.
type Socket struct {
	t        T
	Path     string
	listener *net.UnixListener
}

// NewSocket listens on a path short enough for a socket address.
func NewSocket(t T) *Socket {
	t.Helper()
	dir, err := os.MkdirTemp(Work(), "s")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(); _ = os.RemoveAll(dir) })
	return &Socket{t: t, Path: path, listener: l}
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

func (s *Socket) receive() (string, *os.File, error) {
	if err := s.listener.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", nil, err
	}
	conn, err := s.listener.AcceptUnix()
	if err != nil {
		return "", nil, err
	}
	defer conn.Close()
	data, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, cn, flags, _, err := conn.ReadMsgUnix(data, control)
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
