package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// settleTime is how long a process has to run before the command makes itself at home beside it.
const settleTime = 20 * time.Millisecond

// foreground is a command that stays in front of a process: it passes signals on, serves the
// terminal and takes the exit status.
type foreground struct {
	signals chan os.Signal
	ending  []os.Signal      // see endingSignals
	early   []os.Signal      // came before the process ran
	session *console.Session // nil without a terminal
}

func newForeground() *foreground {
	return &foreground{signals: make(chan os.Signal, 64), ending: endingSignals()}
}

// catch catches the signals that end a process, from before anything is made. The rest waits until
// the process has run for a moment: os/signal takes about 60 µs for each.
func (f *foreground) catch() {
	signal.Notify(f.signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
}

// begin makes the process. A signal that asks for the end cancels that; whatever else comes is kept
// for the process.
func (f *foreground) begin(launch func(ctx context.Context) error) error {
	ctx, stop := cancelOn(f.ending, f.signals)
	err := launch(ctx)
	f.early = stop()
	return err
}

// end does what is left when the process has ended. A signal that asks for the end cancels that;
// what came before was for the process.
func (f *foreground) end(finish func(ctx context.Context) error) error {
	for len(f.signals) > 0 {
		<-f.signals
	}
	ctx, stop := cancelOn(f.ending, f.signals)
	defer stop()
	return finish(ctx)
}

// settle does what only long-lived commands need. The signals of job control stay the kernel's: a
// handler in the place of the default action makes a read or an ioctl of a background process start
// over for ever.
func (f *foreground) settle() {
	signal.Notify(f.signals)
	signal.Reset(unix.SIGTTIN, unix.SIGTTOU)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(100)
	}
}

// attach takes the master of the process's terminal.
func (f *foreground) attach(master *os.File) error {
	session, err := console.Attach(master, os.Stdin, os.Stdout)
	if err != nil {
		return fmt.Errorf("attach the terminal: %w", err)
	}
	f.session = session
	// Before the size is asked for once more, so that no change is missed.
	signal.Notify(f.signals, unix.SIGWINCH)
	return session.Resize()
}

// close gives our terminal back. It may be called more than once.
func (f *foreground) close() {
	if f.session != nil {
		_ = f.session.Close()
		f.session = nil
	}
}

// wait serves the process until it ends and gives its exit code. With reap, children that others
// left to us are reaped, too.
func (f *foreground) wait(p *libcontainer.Process, reap bool) (int, error) {
	pidfd, err := unix.PidfdOpen(p.Pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return 0, fmt.Errorf("watch the container's process: %w", refusal.Explain("pidfd_open", err))
	}
	for _, s := range f.early {
		_, _ = f.handle(s.(unix.Signal), pidfd, 0, false)
	}
	if f.brief(pidfd) {
		unix.Close(pidfd)
		status, err := p.Wait()
		return exitCode(status), err
	}
	file := os.NewFile(uintptr(pidfd), "pidfd")
	defer file.Close()
	ended := make(chan error, 1)
	go func() { ended <- waitEnd(file) }()
	f.settle()
	// Those that ended before anybody listened.
	if status, found := f.handle(unix.SIGCHLD, pidfd, p.Pid, reap); found {
		return exitCode(status), nil
	}
	for {
		select {
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("wait for the process: %w", err)
			}
			status, err := p.Wait()
			return exitCode(status), err
		case s := <-f.signals:
			if status, found := f.handle(s.(unix.Signal), pidfd, p.Pid, reap); found {
				return exitCode(status), nil
			}
		}
	}
}

// brief waits for a process that ends within settleTime, in this thread: Go's poller, a timer and a
// goroutine would start threads, which cost more than a short program. A signal meanwhile is passed
// on a moment later.
func (f *foreground) brief(pidfd int) (ended bool) {
	const turn = settleTime / 4
	for deadline := time.Now().Add(settleTime); time.Now().Before(deadline); {
		if pollEnd(pidfd, turn) {
			return true
		}
		select {
		case s := <-f.signals:
			_, _ = f.handle(s.(unix.Signal), pidfd, 0, false)
		default:
		}
	}
	return false
}

// handle passes a signal on, less those that are meant for this command. When reaping meets the
// process itself it gives its status.
func (f *foreground) handle(s unix.Signal, pidfd, pid int, reap bool) (status unix.WaitStatus, found bool) {
	switch s {
	case unix.SIGCHLD:
		if reap {
			return reapOthers(pidfd, pid)
		}
	case unix.SIGWINCH:
		if f.session != nil {
			_ = f.session.Resize()
		}
	case unix.SIGURG: // the Go runtime sends it to itself
	default:
		_ = unix.PidfdSendSignal(pidfd, s, nil, 0) // the process may have ended just now
	}
	return 0, false
}

// reapOthers reaps every child that has ended, but for the process itself. One may end between the
// look and the wait: then this is its status.
func reapOthers(pidfd, pid int) (status unix.WaitStatus, found bool) {
	for !hasEnded(pidfd) {
		switch reaped, err := unix.Wait4(-1, &status, unix.WNOHANG, nil); {
		case errors.Is(err, unix.EINTR):
		case err != nil || reaped == 0:
			return 0, false
		case reaped == pid:
			return status, true
		}
	}
	return 0, false
}

// waitEnd waits in Go's poller, which takes no thread, until the process of a pidfd has ended.
func waitEnd(pidfd *os.File) error {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return hasEnded(int(fd)) })
}

// hasEnded reports whether the process of a pidfd has ended; it need not be reaped yet.
func hasEnded(pidfd int) bool { return pollEnd(pidfd, 0) }

// pollEnd waits that long for the end of a process, or until a signal comes.
func pollEnd(pidfd int, limit time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(limit.Milliseconds()))
	return err == nil && n == 1
}

// exitCode is the status as a shell gives it.
func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
