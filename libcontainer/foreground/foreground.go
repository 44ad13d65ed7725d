// Package foreground is the program in front of a container's process: what `run` and `exec` are
// while theirs runs. It passes signals on, serves the terminal, reaps what the container leaves,
// and takes the exit status.
//
//	l := foreground.New()
//	defer l.Close()
//	l.Catch()
//	err := l.Begin(func(ctx context.Context) (err error) {
//		_, process, err = runtime.Create(ctx, id, options) // Console: l.Attach for a terminal
//		return err
//	})
//	code, err := l.Wait(process, true)
//
// Signals are a program's own, so there is one Loop in a program at a time.
package foreground

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// settleTime is how long a process has to run before the command makes itself at home beside it.
const settleTime = 20 * time.Millisecond

// Loop stays in front of a process. Its methods are called from one goroutine.
type Loop struct {
	// Settle, if not nil, is called when the process has run for a moment, for what is worth while
	// beside long ones alone.
	Settle  func()
	signals chan os.Signal
	ending  []os.Signal      // see endingSignals
	early   []os.Signal      // came before the process ran
	session *console.Session // nil without a terminal
}

// New gives a loop that has caught nothing yet.
func New() *Loop {
	return &Loop{signals: make(chan os.Signal, 64), ending: endingSignals()}
}

// Catch catches the signals that end a process. It is called before anything is made. The rest
// waits until the process has run for a moment: os/signal takes about 60 µs for each.
func (l *Loop) Catch() {
	signal.Notify(l.signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
}

// Begin makes the process. A signal that asks for the end cancels that, with an [Interruption] for
// the cause; whatever else comes is kept for the process.
func (l *Loop) Begin(launch func(ctx context.Context) error) error {
	ctx, stop := cancelOn(l.ending, l.signals)
	err := launch(ctx)
	l.early = stop()
	return err
}

// End does what is left when the process has ended. A signal that asks for the end cancels that;
// what came before was for the process.
func (l *Loop) End(finish func(ctx context.Context) error) error {
	for len(l.signals) > 0 {
		<-l.signals
	}
	ctx, stop := cancelOn(l.ending, l.signals)
	defer stop()
	return finish(ctx)
}

// settle does what only long-lived commands need. The signals of job control stay the kernel's: a
// handler in the place of the default action makes a read or an ioctl of a background process start
// over for ever.
func (l *Loop) settle() {
	signal.Notify(l.signals)
	signal.Reset(unix.SIGTTIN, unix.SIGTTOU)
	if l.Settle != nil {
		l.Settle()
	}
}

// Attach takes the master of the process's terminal, and connects it with ours: standard input and
// output. It is made for libcontainer.ProcessOptions.Console.
func (l *Loop) Attach(master *os.File) error {
	session, err := console.Attach(master, os.Stdin, os.Stdout)
	if err != nil {
		return fmt.Errorf("attach the terminal: %w", err)
	}
	l.session = session
	// Before the size is asked for once more, so that no change is missed.
	signal.Notify(l.signals, unix.SIGWINCH)
	return session.Resize()
}

// Close gives our terminal back. It may be called more than once.
func (l *Loop) Close() {
	if l.session != nil {
		_ = l.session.Close()
		l.session = nil
	}
}

// Wait serves the process until it ends and gives its exit code (see [ExitCode]). With reap,
// children that others left to us are reaped, too: every one that ends, so it is nothing for a
// program with children of its own. A program becomes their parent by PR_SET_CHILD_SUBREAPER
// (prctl(2)).
func (l *Loop) Wait(p *libcontainer.Process, reap bool) (int, error) {
	pidfd, err := unix.PidfdOpen(p.Pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return 0, fmt.Errorf("watch the container's process: %w", refusal.Explain("pidfd_open", err))
	}
	for _, s := range l.early {
		_, _ = l.handle(s.(unix.Signal), pidfd, 0, false)
	}
	if l.brief(pidfd) {
		unix.Close(pidfd)
		status, err := p.Wait()
		return ExitCode(status), err
	}
	file := os.NewFile(uintptr(pidfd), "pidfd")
	defer file.Close()
	ended := make(chan error, 1)
	go func() { ended <- waitEnd(file) }()
	l.settle()
	// Those that ended before anybody listened.
	if status, found := l.handle(unix.SIGCHLD, pidfd, p.Pid, reap); found {
		return ExitCode(status), nil
	}
	for {
		select {
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("wait for the process: %w", err)
			}
			status, err := p.Wait()
			return ExitCode(status), err
		case s := <-l.signals:
			if status, found := l.handle(s.(unix.Signal), pidfd, p.Pid, reap); found {
				return ExitCode(status), nil
			}
		}
	}
}

// brief waits for a process that ends within settleTime, in this thread: Go's poller, a timer and a
// goroutine would start threads, which cost more than a short program. A signal meanwhile is passed
// on a moment later.
func (l *Loop) brief(pidfd int) (ended bool) {
	const turn = settleTime / 4
	for deadline := time.Now().Add(settleTime); time.Now().Before(deadline); {
		if pollEnd(pidfd, turn) {
			return true
		}
		select {
		case s := <-l.signals:
			_, _ = l.handle(s.(unix.Signal), pidfd, 0, false)
		default:
		}
	}
	return false
}

// handle passes a signal on, less those that are meant for this command. When reaping meets the
// process itself it gives its status.
func (l *Loop) handle(s unix.Signal, pidfd, pid int, reap bool) (status unix.WaitStatus, found bool) {
	switch s {
	case unix.SIGCHLD:
		if reap {
			return reapOthers(pidfd, pid)
		}
	case unix.SIGWINCH:
		if l.session != nil {
			_ = l.session.Resize()
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

// ExitCode is a status as a shell gives it: 128 and the number of the signal that ended the
// process.
func ExitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
