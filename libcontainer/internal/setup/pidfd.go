package setup

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/unixsock"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// SendPidfd sends a pidfd of the process over the socket of --pidfd-socket.
func SendPidfd(socket string, pid int, kind string) error {
	if socket == "" {
		return nil
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("--pidfd-socket: open process %d: %w", pid, refusal.Explain("pidfd_open", err))
	}
	defer unix.Close(pidfd)
	conn, err := unixsock.Dial(socket)
	if err != nil {
		return fmt.Errorf("--pidfd-socket: %w", err)
	}
	defer conn.Close()
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Sendmsg(int(conn.Fd()), []byte(kind), unix.UnixRights(pidfd), nil, unix.MSG_NOSIGNAL)
	}
	if err != nil {
		return fmt.Errorf("--pidfd-socket: send the pidfd: %w", err)
	}
	return nil
}
