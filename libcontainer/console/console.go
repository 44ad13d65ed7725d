// Package console is the runtime's side of a container's terminal. It copies between that and our
// own terminal for `run` and `exec` in the foreground, and receives the message with the master of
// the container's terminal. The modes of terminals are set by containerd/console.
//
// The container's side (opening /dev/ptmx in the container, making the terminal the controlling
// one, sending the master) belongs to the init and is not here.
package console

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// IsTerminal reports whether fd is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// Receive waits for the one message on a unix socket that brings a terminal's master: any text and
// a single descriptor. The text is the master's name for people, and becomes the file's.
func Receive(conn *os.File) (*os.File, error) {
	text, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	var n, controlLen, flags int
	var recvErr error
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool {
			for {
				n, controlLen, flags, _, recvErr = unix.Recvmsg(int(fd), text, control, unix.MSG_CMSG_CLOEXEC)
				if recvErr != unix.EINTR {
					return recvErr != unix.EAGAIN
				}
			}
		})
	}
	if err = errors.Join(err, recvErr); err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	if n == 0 && controlLen == 0 {
		return nil, errors.New("receive the terminal: the other side closed the socket")
	}
	fds, err := descriptors(control[:controlLen])
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	if len(fds) != 1 || flags&unix.MSG_CTRUNC != 0 {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		return nil, errors.New("receive the terminal: the message does not bring exactly one descriptor")
	}
	return os.NewFile(uintptr(fds[0]), string(text[:n])), nil
}

// Send sends a terminal's master as Receive takes it.
func Send(conn, master *os.File) error {
	for {
		err := unix.Sendmsg(int(conn.Fd()), []byte("/dev/ptmx"), unix.UnixRights(int(master.Fd())), nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func descriptors(control []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		all = append(all, fds...)
	}
	return all, nil
}
