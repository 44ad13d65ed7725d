package state

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// Process is what /proc/PID/stat says of a process (proc_pid_stat(5)).
type Process struct {
	Pid     int
	Parent  int
	Command string
	State   byte // R running, S sleeping, D uninterruptible, Z zombie, X dead, …
	Threads int
	Start   uint64 // clock ticks since boot
}

// ReadProcess asks for a process, which gives ESRCH when it does not exist.
func ReadProcess(pid int) (*Process, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/stat"
	data, err := fs.ReadFile(name)
	if errors.Is(err, unix.ENOENT) {
		err = unix.ESRCH
	}
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	p, ok := parseStat(string(data))
	if !ok {
		return nil, fmt.Errorf("%s: unknown format", name)
	}
	return p, nil
}

// parseStat reads "PID (COMMAND) S PPID …". The command may hold anything, spaces and parentheses
// too, so the last one counts.
func parseStat(stat string) (*Process, bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return nil, false
	}
	f := strings.Fields(stat[end+1:])
	if len(f) < 20 {
		return nil, false
	}
	// f[0] is field 3.
	p := &Process{Command: stat[open+1 : end], State: f[0][0]}
	var errs [4]error
	p.Pid, errs[0] = strconv.Atoi(strings.TrimSpace(stat[:open]))
	p.Parent, errs[3] = strconv.Atoi(f[4-3])
	p.Threads, errs[1] = strconv.Atoi(f[20-3])
	p.Start, errs[2] = strconv.ParseUint(f[22-3], 10, 64)
	return p, errors.Join(errs[:]...) == nil
}

// Dead reports whether the process is over, though perhaps not waited for. The first thread of a
// process may end before the others: it is a zombie then, but the process lives.
func (p *Process) Dead() bool { return (p.State == 'Z' || p.State == 'X') && p.Threads <= 1 }

// Init is the container's init if it lives, else nil.
func (r *Record) Init() (*Process, error) {
	if r.InitPid <= 0 {
		return nil, nil
	}
	p, err := ReadProcess(r.InitPid)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if p.Dead() || p.Start != r.InitStart {
		return nil, nil
	}
	if r.BootID != "" {
		if boot, err := bootID(); err != nil || boot != r.BootID {
			return nil, err
		}
	}
	return p, nil
}

// OpenInit returns a pidfd of the living init: what is signalled through it can't be another
// process that got the same pid. It gives ESRCH when the init is dead.
func (r *Record) OpenInit() (*os.File, error) {
	if r.InitPid <= 0 {
		return nil, unix.ESRCH
	}
	fd, err := unix.PidfdOpen(r.InitPid, 0)
	if errors.Is(err, unix.EINVAL) {
		// So Linux 6.12 says that the process is gone, and that its number still names the process
		// group of others; 6.18 says ESRCH.
		err = unix.ESRCH
	}
	if err != nil {
		return nil, refusal.Explain("pidfd_open", err)
	}
	// If the pid is the init's now, it was the init's when we opened it: the init is older than
	// this call.
	p, err := r.Init()
	if err == nil && p == nil {
		err = unix.ESRCH
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

func bootID() (string, error) {
	id, err := fs.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("ask for this boot's id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// SetWorker notes a criu, which leads a process group; 0 is for when it has ended.
func (r *Record) SetWorker(pid int) error {
	r.WorkerPid, r.WorkerStart = 0, 0
	if pid == 0 {
		return nil
	}
	p, err := ReadProcess(pid)
	if err != nil {
		return err
	}
	r.WorkerPid, r.WorkerStart = pid, p.Start
	return nil
}

// KillWorker ends a criu that has outlived its command, and what it has left behind: a helper of
// one that was killed may wait for ever, with our lock. The pid is not given to another process as
// long as it is the name of a group.
func (r *Record) KillWorker() {
	if r.WorkerPid <= 0 {
		return
	}
	switch p, err := ReadProcess(r.WorkerPid); {
	case err == nil && p.Start == r.WorkerStart, errors.Is(err, unix.ESRCH):
		_ = unix.Kill(-r.WorkerPid, unix.SIGKILL) // it may be gone
	}
}
