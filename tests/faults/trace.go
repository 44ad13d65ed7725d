package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A fault is what happens at one system call of a command.
type fault struct {
	call  string // its name
	nth   int    // of the command's calls of this name, over all threads, from 1 on
	errno unix.Errno
	kill  bool // SIGKILL before the call is made
}

func (f fault) String() string {
	if f.kill {
		return fmt.Sprintf("%s#%d=KILL", f.call, f.nth)
	}
	return fmt.Sprintf("%s#%d=%s", f.call, f.nth, unix.ErrnoName(f.errno))
}

// A tracer follows the threads of one command, and nothing that it forks.
type tracer struct {
	pid    int
	fault  fault
	counts map[string]int
	seen   []string // the names of all calls, in order
	// by thread: 0 outside a call, 1 inside, 2 inside the one that is to fail
	inside map[int]int
	before map[int][2]string // by thread: the calls before this one
}

// trace runs a command with a fault and gives its exit status and the calls that it made.
func trace(cmd *exec.Cmd, f fault) (unix.WaitStatus, []string, error) {
	runtime.LockOSThread() // ptrace is a matter between threads
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	t := &tracer{pid: cmd.Process.Pid, fault: f, counts: map[string]int{}, inside: map[int]int{}, before: map[int][2]string{}}
	var status unix.WaitStatus
	if _, err := unix.Wait4(t.pid, &status, 0, nil); err != nil {
		return 0, nil, err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(t.pid, options); err != nil {
		return 0, nil, err
	}
	if err := unix.PtraceSyscall(t.pid, 0); err != nil {
		return 0, nil, err
	}
	for {
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, nil, err
		case tid == t.pid && (status.Exited() || status.Signaled()):
			return status, t.seen, nil
		case status.Stopped():
			// A thread may be gone between its stop and what is done to it.
			if err := t.stopped(tid, status); err != nil && !errors.Is(err, unix.ESRCH) {
				return 0, nil, err
			}
		}
	}
}

func (t *tracer) stopped(tid int, status unix.WaitStatus) error {
	switch signal := status.StopSignal(); {
	case signal == unix.SIGTRAP|0x80:
		return t.atCall(tid)
	case signal == unix.SIGTRAP, signal == unix.SIGSTOP:
		// What shares memory without being a thread is a child.
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", t.pid, tid)); err != nil {
			return unix.PtraceDetach(tid)
		}
		return unix.PtraceSyscall(tid, 0)
	default:
		return unix.PtraceSyscall(tid, int(signal))
	}
}

// atCall is at the beginning and at the end of each system call.
func (t *tracer) atCall(tid int) error {
	state := t.inside[tid]
	t.inside[tid] = 0
	if state == 2 {
		if err := answer(tid, t.fault.errno); err != nil {
			return err
		}
	}
	if state == 0 {
		t.inside[tid] = 1
		hit, err := t.entered(tid)
		switch {
		case err != nil:
			return err
		case hit && t.fault.kill:
			return unix.Kill(t.pid, unix.SIGKILL)
		case hit:
			t.inside[tid] = 2
			if err := skipCall(tid); err != nil {
				return err
			}
		}
	}
	return unix.PtraceSyscall(tid, 0)
}

func (t *tracer) entered(tid int) (hit bool, err error) {
	nr, arg, err := entered(tid)
	name := callNames[nr]
	if err != nil || name == "" || name == "clone" && arg&unix.CLONE_THREAD != 0 {
		return false, err
	}
	before := t.before[tid]
	t.before[tid] = [2]string{before[1], name}
	// With this read syscall.forkExec waits for the child's execve. It takes an error for the
	// child's, and waits for the end of a child that lives.
	if name == "read" && strings.HasPrefix(before[0], "clone") && before[1] == "close" {
		return false, nil
	}
	t.seen = append(t.seen, name)
	t.counts[name]++
	return name == t.fault.call && t.counts[name] == t.fault.nth, nil
}

// inject is the probe that the test runs: inject FILE FAULT COMMAND... writes the names of the
// calls to the file and ends as the command did.
func inject(args []string) error {
	var f fault
	if args[1] != "none" {
		f = parseFault(args[1])
	}
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	status, seen, err := trace(cmd, f)
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[0], []byte(strings.Join(seen, "\n")), 0o644); err != nil {
		return err
	}
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
	return nil
}

func parseFault(text string) fault {
	call, rest, _ := strings.Cut(text, "#")
	f := fault{call: call}
	var what string
	if _, err := fmt.Sscanf(strings.Replace(rest, "=", " ", 1), "%d %s", &f.nth, &what); err != nil {
		panic(err)
	}
	for _, errno := range errnos {
		if unix.ErrnoName(errno) == what {
			f.errno = errno
		}
	}
	f.kill = what == "KILL"
	return f
}

var errnos = []unix.Errno{unix.ENOMEM, unix.EIO}
