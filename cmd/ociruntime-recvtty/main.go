// Command ociruntime-recvtty serves the terminal of a container that was made with
// --console-socket: what an engine does for "create" and for what is left behind by --detach. It
// joins the terminal to its own.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
)

const name = "ociruntime-recvtty"

const usage = "usage: " + name + ` SOCKET

Makes the unix socket SOCKET, waits for a container that was created with
--console-socket SOCKET, and joins its terminal to this one until every process has
left it.
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Fprint(stdout, usage)
		return 0
	case len(args) != 1 || strings.HasPrefix(args[0], "-"):
		fmt.Fprint(stderr, usage)
		return 2
	}
	if err := serve(args[0]); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// serve receives one terminal and stays until its end, or a signal's.
func serve(path string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGWINCH)
	socket, err := listen(path)
	if err != nil {
		return err
	}
	received := make(chan terminal, 1)
	go func() { received <- receive(socket) }()
	var t terminal
	for t == (terminal{}) {
		select {
		case t = <-received:
		case s := <-signals:
			if s != unix.SIGWINCH {
				return errors.Join(fmt.Errorf("ended by %s", unix.SignalName(s.(unix.Signal))), os.Remove(path))
			}
		}
	}
	// The socket is for one terminal.
	if err := errors.Join(t.err, unix.Close(socket), os.Remove(path)); err != nil {
		return err
	}
	session, err := console.Attach(t.master, os.Stdin, os.Stdout)
	if err != nil {
		return fmt.Errorf("attach the terminal: %w", err)
	}
	for {
		select {
		case <-session.Hangup():
			return session.Close()
		case s := <-signals:
			if s != unix.SIGWINCH {
				return session.Close()
			}
			_ = session.Resize()
		}
	}
}

// listen makes the socket. It is nobody else's: who connects first would be shown as the container.
func listen(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	old := unix.Umask(0o177)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	unix.Umask(old)
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("listen at %s: %w", path, err)
	}
	return fd, nil
}

type terminal struct {
	master *os.File
	err    error
}

func receive(socket int) terminal {
	fd, _, err := unix.Accept4(socket, unix.SOCK_CLOEXEC)
	if err != nil {
		return terminal{err: fmt.Errorf("wait for a container: %w", err)}
	}
	conn := os.NewFile(uintptr(fd), "connection")
	defer conn.Close()
	master, err := console.Receive(conn)
	return terminal{master, err}
}
