package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// receiver is our program that receives a terminal at a console socket.
const receiver = name + "-recvtty"

// unserved is what is wrong with a terminal without a console socket, and a way out.
const unserved = " that is left behind needs somebody to serve it: give a --console-socket (" + receiver + " makes one)"

// streams are the flags for what a new process is connected to; create, run and exec have them.
type streams struct {
	consoleSocket, pidfdSocket, pidFile, trace string
	preserveFDs                                int
}

func (s *streams) flags() []cli.Flag {
	return []cli.Flag{
		text(&s.consoleSocket, "console-socket", "send the terminal's master to the unix socket `SOCKET`"),
		text(&s.pidfdSocket, "pidfd-socket", "send a pidfd of the process to the unix socket `SOCKET`"),
		text(&s.pidFile, "pid-file", "write the process's pid to `FILE`"),
		each(s.setPreserveFDs, "preserve-fds", "pass on `N` more descriptors, from 3 on or after $LISTEN_FDS"),
		text(&s.trace, "trace", "write to `FILE` when each step was carried out"),
	}
}

func (s *streams) setPreserveFDs(text string) (err error) {
	if s.preserveFDs, err = strconv.Atoi(text); err != nil || s.preserveFDs < 0 {
		return errors.New("not a number of descriptors")
	}
	return nil
}

// connections are streams made ready for the library. Paths are absolute.
type connections struct {
	stdio                                      [3]*os.File
	preserve                                   []*os.File
	listenFDs                                  int
	consoleSocket, pidfdSocket, pidFile, trace string
	env                                        []string // for the new process
}

func (c *connections) options() libcontainer.ProcessOptions {
	return libcontainer.ProcessOptions{
		Stdio: c.stdio, Preserve: c.preserve, ListenFDs: c.listenFDs,
		ConsoleSocket: c.consoleSocket, PidfdSocket: c.pidfdSocket, PidFile: c.pidFile, Trace: c.trace,
	}
}

// open checks the flags against each other and finds the descriptors to be preserved. In the
// foreground the command stays and serves the terminal; otherwise only a console socket can.
func (s *streams) open(terminal, foreground bool, inherited int) (*connections, error) {
	switch {
	case terminal && !foreground && s.consoleSocket == "":
		return nil, errors.New("process.terminal: a terminal" + unserved + ", or set process.terminal to false")
	case s.consoleSocket != "" && (foreground || !terminal):
		return nil, errors.New("--console-socket: only a process with a terminal that is left behind has use for it")
	}
	c := &connections{stdio: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}}
	for _, p := range []struct {
		flag, given string
		to          *string
	}{
		{"console-socket", s.consoleSocket, &c.consoleSocket},
		{"pidfd-socket", s.pidfdSocket, &c.pidfdSocket},
		{"pid-file", s.pidFile, &c.pidFile},
		{"trace", s.trace, &c.trace},
	} {
		if p.given == "" {
			continue
		}
		path, err := filepath.Abs(p.given)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", p.flag, err)
		}
		*p.to = path
	}
	c.listenFDs = listenFDs(os.Getenv, os.Getpid())
	if names := os.Getenv("LISTEN_FDNAMES"); names != "" && c.listenFDs > 0 {
		c.env = []string{"LISTEN_FDNAMES=" + names}
	}
	var err error
	c.preserve, err = preserved(c.listenFDs, s.preserveFDs, inherited)
	return c, err
}

// firstFD is the first descriptor after the standard streams: where socket activation begins
// (sd_listen_fds(3)).
const firstFD = 3

// inheritedFDs counts the descriptors that the caller has left to us and makes them close on exec:
// engines leak some of their own, and neither a hook nor a helper program may get them. It has to
// be called first. Go's runtime has opened files by then (of its own cgroup, to learn how many CPUs
// to use), but those are close-on-exec, which no inherited one can be.
func inheritedFDs() int {
	n := 0
	for {
		flags, err := unix.FcntlInt(uintptr(firstFD+n), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			break
		}
		n++
	}
	if err := unix.CloseRange(firstFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		closeEachOnExec()
	}
	return n
}

// closeEachOnExec is for where a sandbox refuses close_range. The init can't do without, but delete
// can, and its hooks are not to get more than elsewhere.
func closeEachOnExec() {
	entries, _ := os.ReadDir("/proc/self/fd") // without /proc no command comes far
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= firstFD {
			unix.CloseOnExec(fd)
		}
	}
}

// listenFDs is the number of descriptors that a service manager has passed to this process, and to
// no other. go-systemd's activation.Files believes any number, and whether they are there is for us
// to check.
func listenFDs(getenv func(string) string, pid int) int {
	if p, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || p != pid {
		return 0
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > math.MaxInt16 {
		return 0
	}
	return n
}

// preserved are the descriptors that the new process gets besides the standard streams.
func preserved(listen, more, inherited int) ([]*os.File, error) {
	// Compared without a sum, which may be greater than an int.
	if missing := firstFD + inherited; listen > inherited {
		return nil, fmt.Errorf("$LISTEN_FDS: descriptor %d: %w", missing, unix.EBADF)
	} else if more > inherited-listen {
		return nil, fmt.Errorf("--preserve-fds: descriptor %d: %w", missing, unix.EBADF)
	}
	var files []*os.File
	for i := range listen + more {
		fd := firstFD + i
		files = append(files, os.NewFile(uintptr(fd), "preserved "+strconv.Itoa(fd)))
	}
	return files, nil
}
