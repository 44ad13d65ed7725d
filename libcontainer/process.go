package libcontainer

import "golang.org/x/sys/unix"

// Wait waits until the process has ended and reaps it.
func (p *Process) Wait() (unix.WaitStatus, error) {
	defer p.launched.Close()
	return p.launched.Wait()
}

// Kill ends the process with SIGKILL and reaps it.
func (p *Process) Kill() error { return p.launched.Kill() }
