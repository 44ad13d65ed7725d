// Package console is the runtime's side of a container's terminal: a terminal into raw mode, a container's terminal joined to
// ours for `run` and `exec` in the foreground, and the sockets on which the master of a container's terminal travels.
//
// The container's side (opening /dev/ptmx in the container, making the terminal the controlling one, sending the master) belongs
// to the init and is not here. What may come in: termios, window sizes, the copying between two terminals.
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

// raw puts a terminal into raw mode (cfmakeraw in termios(3)): every byte goes to the reader as it
// was typed and, with output, every byte written to the terminal as it is. restore puts it back as
// it was.
func raw(fd int, output bool) (restore func() error, err error) {
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read the terminal's modes: %w", err)
	}
	modes := *before
	modes.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	if output {
		modes.Oflag &^= unix.OPOST
	}
	modes.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	modes.Cflag = modes.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	modes.Cc[unix.VMIN], modes.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &modes); err != nil {
		return nil, fmt.Errorf("put the terminal into raw mode: %w", err)
	}
	return func() error {
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, before); err != nil {
			return fmt.Errorf("restore the terminal's modes: %w", err)
		}
		return nil
	}, nil
}

// clearONLCR stops the terminal of a master from writing "\r\n" for "\n", as a new one does.
func clearONLCR(master int) error {
	modes, err := unix.IoctlGetTermios(master, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("read the modes of the container's terminal: %w", err)
	}
	modes.Oflag &^= unix.ONLCR
	if err := unix.IoctlSetTermios(master, unix.TCSETS, modes); err != nil {
		return fmt.Errorf("set the modes of the container's terminal: %w", err)
	}
	return nil
}

// CopySize gives one terminal the size of another, if that knows its size.
func CopySize(to, from int) error {
	size, err := unix.IoctlGetWinsize(from, unix.TIOCGWINSZ)
	if err != nil {
		return fmt.Errorf("read the terminal's size: %w", err)
	}
	if size.Row == 0 && size.Col == 0 {
		return nil
	}
	if err := unix.IoctlSetWinsize(to, unix.TIOCSWINSZ, size); err != nil {
		return fmt.Errorf("set the terminal's size: %w", err)
	}
	return nil
}

// Receive waits for the one message on a unix socket that brings a terminal's master: any text and a single descriptor. The text is
// the master's name for people, and becomes the file's.
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
