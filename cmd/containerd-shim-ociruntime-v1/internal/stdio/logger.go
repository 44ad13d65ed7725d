package stdio

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// readyTime is how long a log program may take to say that it is ready.
	readyTime = 12 * time.Second
	// stopTime is how long it may take to end.
	stopTime = 12 * time.Second
)

// logger is a program that gets the output of a container: stdout as descriptor 3, stderr as 4. It
// closes descriptor 5 when it is ready.
type logger struct {
	cmd      *exec.Cmd
	warn     func(string)
	ours     [2]*os.File // for the process
	finished chan struct{}

	mu      sync.Mutex
	held    [2]*os.File // so that the process outlives the program
	ignored bool        // how the program ends is of no interest any more
}

func startLogger(c *Config) (*logger, error) {
	u, err := url.Parse(c.Stdout)
	if err != nil {
		return nil, err
	}
	l := &logger{warn: c.Warn, finished: make(chan struct{})}
	for i := range l.ours {
		if l.held[i], l.ours[i], err = os.Pipe(); err != nil {
			return nil, errors.Join(err, l.closePipes())
		}
	}
	ready, isReady, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, l.closePipes())
	}
	defer ready.Close()
	l.cmd = exec.Command(u.Path, arguments(u.Query())...)
	l.cmd.Env = []string{"CONTAINER_ID=" + c.ID, "CONTAINER_NAMESPACE=" + c.Namespace}
	l.cmd.ExtraFiles = []*os.File{l.held[0], l.held[1], isReady}
	err = l.cmd.Start()
	isReady.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the log program: %w", err), l.closePipes())
	}
	go l.watch()
	_ = ready.SetReadDeadline(time.Now().Add(readyTime))
	if _, err := ready.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errors.Join(fmt.Errorf("log program %s is not ready after %s", u.Path, readyTime), l.stop(0))
	}
	return l, nil
}

// arguments are the query of the address, a name and a value in turn.
func arguments(query url.Values) (args []string) {
	for name := range query {
		args = append(args, name)
	}
	slices.Sort(args)
	var all []string
	for _, name := range args {
		for _, value := range query[name] {
			all = append(all, name)
			if value != "" {
				all = append(all, value)
			}
		}
	}
	return all
}

// take gives the pipes' ends for the process away.
func (l *logger) take() (stdout, stderr *os.File) {
	stdout, stderr = l.ours[0], l.ours[1]
	l.ours = [2]*os.File{}
	return stdout, stderr
}

// LogProgram is the pid of the log program, or 0.
func (s *Streams) LogProgram() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logger == nil {
		return 0
	}
	return s.logger.cmd.Process.Pid
}

// watch waits for the end of the program. If the process has not ended by then it goes on, and what
// it writes is lost: it would wait for ever for somebody who reads.
func (l *logger) watch() {
	_ = l.cmd.Wait() // what there is to know is in ProcessState
	close(l.finished)
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := false
	for i, f := range l.held {
		if l.ignored || f == nil || hungUp(f) {
			continue
		}
		polled, err := polled(f)
		if err != nil {
			l.warn(fmt.Sprintf("log program %s: %v", l.cmd.Path, err))
			continue
		}
		lost, l.held[i] = true, polled
		go func() { _, _ = io.Copy(io.Discard, polled) }() // until the end, or until it is closed
	}
	if lost {
		l.warn(fmt.Sprintf("log program %s has ended, and what its container writes is lost: %s", l.cmd.Path, l.cmd.ProcessState))
	}
}

// hungUp reports whether nobody is left to write into a pipe.
func hungUp(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd())}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}

// polled gives a pipe in place of f that takes no thread to read. Whoever else reads it will not
// wait either, for the flag is the pipe's.
func polled(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), f.Close()
}

func (l *logger) closePipes() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ignored = true
	var err error
	for _, f := range append(l.ours[:], l.held[:]...) {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	l.ours, l.held = [2]*os.File{}, [2]*os.File{}
	return err
}

// stop ends the program, which by then has read the end of the output if it is alive. It is killed
// when its time is over.
func (l *logger) stop(patience time.Duration) error {
	err := l.closePipes()
	if patience > 0 {
		_ = l.cmd.Process.Signal(unix.SIGTERM)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-l.finished:
	case <-late.C:
		_ = l.cmd.Process.Kill()
		<-l.finished
	}
	return err
}
