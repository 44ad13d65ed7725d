package launch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// deathTimeout is how long a process may take to die of SIGKILL. One in a frozen cgroup v1, as that
// of an exec in a paused container, or in an uninterruptible wait dies later or never.
const deathTimeout = 2 * time.Second

// child is a process that we have started. Until it is reaped here, its pid can't be anybody
// else's.
type child struct {
	pid    int
	killed bool            // and waited for in vain, or reaped
	reaped bool            // nothing may be done any more by the pid
	status unix.WaitStatus // once reaped
}

// isChild reports whether a process is a child of ours that has not been reaped.
func isChild(pid int) bool {
	if pid <= 0 {
		return false
	}
	switch err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err {
	case nil:
		return true
	case unix.ECHILD:
		return false
	}
	// A filter around us that has no waitid. Here is who the parent is (proc_pid_stat(5)).
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	var state string
	var parent int
	_, err = fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent)
	return err == nil && parent == os.Getpid()
}

// wait reaps the process. With WNOHANG one that still runs stays unreaped.
func (c *child) wait(options int) error {
	for !c.reaped && c.pid > 0 {
		pid, err := unix.Wait4(c.pid, &c.status, options, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			c.reaped = true // by somebody else in this process
			return fmt.Errorf("wait for process %d: %w", c.pid, err)
		case pid == 0:
			return nil
		default:
			c.reaped = true
		}
	}
	return nil
}

// kill ends and reaps the process. The status of one that has ended already stays what it was.
func (c *child) kill() error {
	if c.reaped || c.pid <= 0 {
		return nil
	}
	if err := unix.Kill(c.pid, unix.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d: %w", c.pid, err)
	}
	deadline := time.Now()
	if !c.killed {
		deadline = deadline.Add(deathTimeout)
	}
	c.killed = true
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		if err := c.wait(unix.WNOHANG); err != nil || c.reaped {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d was sent SIGKILL and has not ended (is its cgroup frozen?)", c.pid)
		}
		time.Sleep(pause)
	}
}

// Kill ends and reaps every process of the launch.
func (p *Process) Kill() error {
	// Only when the image is gone is the spawned child's pid final: the kernel has written it by
	// then, or never will.
	err := p.image.kill()
	if c := p.program(); c != &p.image {
		err = errors.Join(err, c.kill())
	}
	return err
}

// Wait waits for the user's program, once Serve has returned.
func (p *Process) Wait() (unix.WaitStatus, error) {
	c := p.program()
	err := c.wait(0)
	return c.status, err
}

// Release lets go of everything but the process itself, once Serve has returned: Wait, Kill and Pid
// are all that may be called from then on.
func (p *Process) Release() error {
	p.program() // the page has its pid
	p.plan = nil
	return p.Close()
}

// Adopt is a process that somebody else has made a child of ours, for Wait, Kill, Pid and Close.
func Adopt(pid int) *Process { return &Process{image: child{pid: pid}} }

// Close releases the host's side; the init goes on.
func (p *Process) Close() error {
	if p.page != nil {
		_ = unix.Munmap(p.page)
		p.page = nil
	}
	if p.sock == nil {
		return nil
	}
	return p.sock.Close()
}
