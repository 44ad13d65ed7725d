package libcontainer

import (
	"context"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// Process is a process that Create or Exec started. It is a child of the caller, who has to wait
// for it in the end: until then a zombie stays. Its methods are safe for concurrent use, as long as
// nobody else in the program reaps children that are not their own (wait4 of -1).
type Process struct {
	Pid int

	mu       sync.Mutex // nobody signals a pid while it is given back
	launched *launch.Process
	over     <-chan struct{} // see watch
	done     bool            // it is reaped, with the following outcome
	status   unix.WaitStatus
	err      error

	oom func() (*OOM, error) // nil if nobody has counted
}

// newProcess keeps nothing of a launch but the process.
func newProcess(launched *launch.Process) (*Process, error) {
	err := launched.Release()
	return &Process{Pid: launched.Pid(), launched: launched}, err
}

// Wait waits until the process has ended and reaps it. It can be called again, and gives the same
// answer.
//
// The thread that it runs on waits in the kernel. That is the cheapest for a program with one
// container; for one with many there is WaitContext.
func (p *Process) Wait() (unix.WaitStatus, error) {
	for !p.reaped() {
		// The zombie is left, so that its pid stays its own until reap has the lock.
		if err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			break
		}
	}
	return p.reap()
}

// WaitContext is Wait for programs with many processes: however many wait, none has a thread of its
// own. When ctx ends first, it gives the cause, and the process is as it was.
func (p *Process) WaitContext(ctx context.Context) (unix.WaitStatus, error) {
	over, err := p.watch()
	if err != nil {
		return 0, err
	}
	select {
	case <-over:
		return p.reap()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// watch gives a channel that is closed when the process has ended. All who wait share it.
func (p *Process) watch() (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil {
		return p.over, nil
	}
	if p.done {
		over := make(chan struct{})
		close(over)
		p.over = over
		return over, nil
	}
	fd, err := unix.PidfdOpen(p.Pid, 0)
	if err != nil {
		return nil, fmt.Errorf("wait for process %d: %w", p.Pid, refusal.Explain("pidfd_open", err))
	}
	if p.over, err = endedFD(context.Background(), fd); err != nil {
		return nil, fmt.Errorf("wait for process %d: %w", p.Pid, err)
	}
	return p.over, nil
}

func (p *Process) reaped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// reap takes the status of a process that has ended.
func (p *Process) reap() (unix.WaitStatus, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.done {
		p.status, p.err = p.launched.Wait()
		p.done = true
	}
	return p.status, p.err
}

// OOM says whether the kernel has killed a process of the container for a lack of memory since this
// one was started, and what is known of that; nil if it has not. It takes [ExecOptions.CountOOM].
func (p *Process) OOM() (*OOM, error) {
	if p.oom == nil {
		return nil, nil
	}
	return p.oom()
}

// Signal sends a signal to the process, and never to another one that has got its pid. One that has
// been waited for is [os.ErrProcessDone].
func (p *Process) Signal(sig unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return os.ErrProcessDone
	}
	if err := unix.Kill(p.Pid, sig); err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), p.Pid, err)
	}
	return nil
}

// Kill ends the process with SIGKILL and reaps it.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return nil
	}
	if err := p.launched.Kill(); err != nil {
		return err
	}
	p.status, p.err = p.launched.Wait()
	p.done = true
	return nil
}
