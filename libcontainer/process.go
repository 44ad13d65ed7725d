package libcontainer

import (
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/launch"
)

// Process is a process that Create or Exec started. It is a child of the caller, who has to call
// Wait in the end: until then it keeps a descriptor and a mapping, and then a zombie.
type Process struct {
	Pid int

	launched *launch.Process
}

// Wait waits until the process has ended and reaps it.
func (p *Process) Wait() (unix.WaitStatus, error) {
	defer p.launched.Close()
	return p.launched.Wait()
}

// Kill ends the process with SIGKILL and reaps it.
func (p *Process) Kill() error { return p.launched.Kill() }
