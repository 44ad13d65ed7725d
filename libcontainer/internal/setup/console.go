package setup

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/internal/unixsock"
)

// ConsoleEnd is where the init sends the master of the container's terminal.
type ConsoleEnd struct {
	Init *os.File // the init's end
	ours *os.File // where we receive it, if it is for ourselves
	take func(master *os.File) error
}

// NewConsoleEnd makes the end of a terminal that goes to the socket at a path, or else to take. It
// is an error to give neither.
func NewConsoleEnd(socket string, take func(*os.File) error) (*ConsoleEnd, error) {
	switch {
	case socket != "":
		f, err := unixsock.Dial(socket)
		if err != nil {
			return nil, fmt.Errorf("--console-socket: %w", err)
		}
		return &ConsoleEnd{Init: f}, nil
	case take == nil:
		return nil, fmt.Errorf("process.terminal: cannot allocate tty if runtime will detach without setting console socket")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("process.terminal: make a socket for the terminal: %w", err)
	}
	return &ConsoleEnd{Init: os.NewFile(uintptr(pair[0]), "console"), ours: os.NewFile(uintptr(pair[1]), "console"), take: take}, nil
}

// Deliver takes the master that the init has sent by now. A nil end, that of a process without a
// terminal, has nothing to deliver.
func (e *ConsoleEnd) Deliver() error {
	if e == nil {
		return nil
	}
	defer e.Close()
	if e.take == nil {
		return nil
	}
	master, err := console.Receive(e.ours)
	if err != nil {
		return err
	}
	return e.take(master)
}

// Close may be called again, and on nil.
func (e *ConsoleEnd) Close() error {
	if e == nil {
		return nil
	}
	e.Init.Close()
	if e.ours != nil {
		e.ours.Close()
	}
	return nil
}
