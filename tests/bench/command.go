package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cost is what one command took.
type cost struct {
	wall time.Duration
	// cpu is user and system time of the command and of the children that it has waited for.
	cpu time.Duration
}

func (c cost) plus(d cost) cost { return cost{c.wall + d.wall, c.cpu + d.cpu} }

// stoppedError says that a signal has ended the benchmark.
type stoppedError struct{ by os.Signal }

func (e *stoppedError) Error() string { return fmt.Sprintf("stopped by %v", e.by) }

// run runs a command of a runtime to its end. Its output goes to a file, which is only looked at
// when it fails.
func (e *env) run(r *runtime, args ...string) (cost, error) {
	return e.command(r.name, r.path, append([]string{"--root", r.root}, args...)...)
}

// command runs a program.
func (e *env) command(name, path string, args ...string) (cost, error) {
	select {
	case s := <-e.stop:
		return cost{}, &stoppedError{s}
	default:
	}
	out, err := os.CreateTemp(e.dir, "out")
	if err != nil {
		return cost{}, err
	}
	defer out.Close()
	defer os.Remove(out.Name())
	attr := &os.ProcAttr{Files: []*os.File{e.null, out, out}, Env: os.Environ()}
	began := time.Now()
	p, err := os.StartProcess(path, append([]string{path}, args...), attr)
	if err != nil {
		return cost{}, err
	}
	state, err := p.Wait()
	c := cost{wall: time.Since(began)}
	if err != nil {
		return c, err
	}
	c.cpu = state.UserTime() + state.SystemTime()
	if !state.Success() {
		text, _ := os.ReadFile(out.Name())
		return c, fmt.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), state, strings.TrimSpace(string(text)))
	}
	return c, nil
}

// waiting is a container that was created, and whose init is looked after as an engine's shim does:
// it is reaped when it ends.
type waiting struct {
	id    string
	pid   int
	ended chan struct{}
}

// create makes a container and begins to wait for its init, which is our child then (or a child of
// a child that we have inherited).
func (e *env) create(r *runtime, bundle string) (cost, *waiting, error) {
	w := &waiting{id: e.newID(r), ended: make(chan struct{})}
	pidFile := filepath.Join(e.dir, w.id+".pid")
	defer os.Remove(pidFile)
	c, err := e.run(r, "create", "--bundle", bundle, "--pid-file", pidFile, w.id)
	if err != nil {
		return c, nil, err
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return c, nil, err
	}
	if w.pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return c, nil, err
	}
	go func() {
		defer close(w.ended)
		for {
			if _, err := unix.Wait4(w.pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return c, w, nil
}

// peak is the largest resident set of a command's own process in KiB. The figure that wait4 gives
// would count our own memory, too: the kernel keeps the greatest of what a process had before
// execve and after.
func (e *env) peak(r *runtime, args ...string) (kib int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		kib, err = e.tracedPeak(r, args) // on a locked thread: the tracer is a thread
	}()
	<-done
	return kib, err
}

func (e *env) tracedPeak(r *runtime, args []string) (int, error) {
	lockThread()
	attr := &os.ProcAttr{Files: []*os.File{e.null, e.null, e.null}, Env: os.Environ(), Sys: &syscall.SysProcAttr{Ptrace: true}}
	p, err := os.StartProcess(r.path, append([]string{r.path, "--root", r.root}, args...), attr)
	if err != nil {
		return 0, err
	}
	kib := 0
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(p.Pid, &status, 0, nil); err != nil {
			return 0, err
		}
		signal := 0
		switch {
		case status.Exited() || status.Signaled():
			return kib, nil
		case status.TrapCause() == unix.PTRACE_EVENT_EXIT:
			kib = statusKiB(p.Pid, "VmHWM")
		case status.StopSignal() == unix.SIGTRAP: // at each execve: crun executes a copy of itself
			if err := unix.PtraceSetOptions(p.Pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_EXITKILL); err != nil {
				return 0, err
			}
		case status.Stopped():
			signal = int(status.StopSignal())
		}
		if err := unix.PtraceCont(p.Pid, signal); err != nil {
			return 0, err
		}
	}
}

// statusKiB is a memory field of /proc/PID/status.
func statusKiB(pid int, field string) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(value)[0])
			return n
		}
	}
	return 0
}

// chargeKiB is what the memory controller has charged to the cgroup of a process.
func chargeKiB(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		name := ""
		switch f[1] {
		case "memory":
			name = filepath.Join("/sys/fs/cgroup/memory", f[2], "memory.usage_in_bytes")
		case "":
			name = filepath.Join("/sys/fs/cgroup", f[2], "memory.current")
		}
		if data, err := os.ReadFile(name); name != "" && err == nil {
			n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
			return n / 1024
		}
	}
	return 0
}
