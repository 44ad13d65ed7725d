package stdio

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
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
	ours     [2]*os.File // for the process
	held     [2]*os.File // so that the process outlives the program
	finished chan struct{}
}

func startLogger(c *Config) (*logger, error) {
	u, err := url.Parse(c.Stdout)
	if err != nil {
		return nil, err
	}
	l := &logger{finished: make(chan struct{})}
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
	go func() {
		defer close(l.finished)
		_ = l.cmd.Wait() // nobody can be told how a log program ended
	}()
	_ = ready.SetReadDeadline(time.Now().Add(readyTime))
	if _, err := ready.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errors.Join(fmt.Errorf("log program %s is not ready after %s", u.Path, readyTime), l.stop())
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

func (l *logger) closePipes() error {
	var err error
	for _, f := range append(l.ours[:], l.held[:]...) {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	l.ours, l.held = [2]*os.File{}, [2]*os.File{}
	return err
}

// stop ends the program, which by then has read the end of the output if it is alive.
func (l *logger) stop() error {
	err := l.closePipes()
	_ = l.cmd.Process.Signal(unix.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	select {
	case <-l.finished:
	case <-ctx.Done():
		_ = l.cmd.Process.Kill()
		<-l.finished
	}
	return err
}
