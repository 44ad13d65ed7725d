// Package sdnotify passes on to a service manager that the program in a container is ready
// (sd_notify(3)). The manager takes such words from the service's own processes alone, which those
// of a container need not be; so the runtime listens to the container, and speaks for it.
//
// The container may be hostile: nothing of its datagrams is passed on but READY=1.
//
// go-systemd's daemon.SdNotify is no help: a manager that does not read holds it for ever, and it
// can't send the descriptor of a barrier.
package sdnotify

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/unixsock"
)

// Valid reports whether an address, the value of NOTIFY_SOCKET, is a unix socket's: a path, or an
// abstract name behind "@".
func Valid(address string) bool {
	return len(address) > 1 && (address[0] == '/' || address[0] == '@')
}

// Forward waits until a datagram at sock says READY=1 and tells the service manager at address,
// together with the pid that it is to take for the service's main process. It returns when the
// manager has taken notice, or when the process of the pidfd has ended before; nil is one that has
// ended already.
func Forward(sock *os.File, address string, mainPid int, pidfd *os.File) error {
	ready, err := awaitReady(sock, pidfd)
	if !ready || err != nil {
		return err
	}
	return tell(address, mainPid, patience)
}

// patience is how long a manager may take to read what it is told.
const patience = 30 * time.Second

func tell(address string, mainPid int, patience time.Duration) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	defer unix.Close(fd)
	if err := unixsock.Connect(fd, address); err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: connect to %s: %w", address, err)
	}
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	for _, message := range []string{"READY=1\n", "MAINPID=" + strconv.Itoa(mainPid) + "\n"} {
		if err := send(fd, message, nil); err != nil {
			return err
		}
	}
	return barrier(fd, patience)
}

func send(fd int, message string, rights []byte) error {
	for {
		err := unix.Sendmsg(fd, []byte(message), rights, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("NOTIFY_SOCKET: send %q: the service manager does not read: %w", message, err)
		case err != nil:
			return fmt.Errorf("NOTIFY_SOCKET: send %q: %w", message, err)
		default:
			return nil
		}
	}
}

// barrier waits until the manager has read everything before: it closes the descriptor that it is
// sent (sd_notify_barrier(3)). Until then it may want to see that we exist. A manager that does not
// know this keeps the descriptor no longer than the message, or lets us wait.
func barrier(fd int, patience time.Duration) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	defer unix.Close(p[0])
	err := send(fd, "BARRIER=1", unix.UnixRights(p[1]))
	unix.Close(p[1])
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return nil
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p[0])}}, int(left.Milliseconds())+1)
		switch {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("NOTIFY_SOCKET: wait for the service manager: %w", err)
		}
	}
}

// awaitReady reads datagrams until one says that the program is ready. It looks at them before it
// believes that the process has ended.
func awaitReady(sock, pidfd *os.File) (bool, error) {
	buf := make([]byte, 4096)
	for ended := pidfd == nil; ; {
		if !ended {
			fds := []unix.PollFd{{Fd: int32(sock.Fd()), Events: unix.POLLIN}, {Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return false, fmt.Errorf("wait for the container to be ready: %w", err)
			}
			ended = fds[1].Revents != 0
		}
		// Descriptors that came along are dropped: there is no buffer for them.
		n, _, err := unix.Recvfrom(int(sock.Fd()), buf, unix.MSG_DONTWAIT)
		switch {
		case err == nil:
			if saysReady(buf[:n]) {
				return true, nil
			}
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EAGAIN):
			return false, fmt.Errorf("read the container's notify socket: %w", err)
		case ended:
			return false, nil
		}
	}
}

func saysReady(datagram []byte) bool {
	for line := range bytes.SplitSeq(datagram, []byte{'\n'}) {
		if string(line) == "READY=1" {
			return true
		}
	}
	return false
}
