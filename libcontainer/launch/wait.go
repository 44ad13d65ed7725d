package launch

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// wait is wait4(2) for one of our children, past interruptions.
func wait(pid int, options int) (unix.WaitStatus, error) {
	for {
		var s unix.WaitStatus
		_, err := unix.Wait4(pid, &s, options, nil)
		if !errors.Is(err, unix.EINTR) {
			return s, err
		}
	}
}

// reapImage collects the image that spawned the init: it left as soon as its child existed.
func (p *Process) reapImage() error {
	if p.reaped || p.image == 0 {
		return nil
	}
	p.reaped = true
	if _, err := wait(p.image, 0); err != nil {
		return fmt.Errorf("wait for the first process of the init: %w", err)
	}
	return nil
}

// Kill ends and reaps every process of the launch. They are our unreaped children, so that their pids can't be anyone else's.
func (p *Process) Kill() {
	if p.image > 0 && !p.reaped {
		_ = unix.Kill(p.image, unix.SIGKILL)
		_ = p.reapImage()
	}
	// Only now is the spawned child's pid final: the kernel has written it, or never will.
	if pid := p.Pid(); pid != p.image {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = wait(pid, 0)
	}
}

// Wait waits for the user's program, once Serve has returned.
func (p *Process) Wait() (unix.WaitStatus, error) {
	if p.Pid() == p.image {
		p.reaped = true
	}
	return wait(p.Pid(), 0)
}

// Close releases the host's side; the init goes on.
func (p *Process) Close() error {
	if p.page != nil {
		_ = unix.Munmap(p.page)
		p.page = nil
	}
	return p.sock.Close()
}
