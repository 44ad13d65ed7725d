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
	Session int
	Command string
	State   byte // R running, S sleeping, D uninterruptible, Z zombie, X dead, …
	Threads int
	Start   uint64 // clock ticks since boot
}

// ReadProcess asks for a process, which gives ESRCH when it does not exist.
func ReadProcess(pid int) (*Process, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/stat"
	var line [1024]byte
	data, err := fs.ReadStart(name, line[:])
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
	p := &Process{Command: stat[open+1 : end]}
	var err error
	if p.Pid, err = strconv.Atoi(strings.TrimSpace(stat[:open])); err != nil {
		return nil, false
	}
	number := 2
	for field := range strings.FieldsSeq(stat[end+1:]) {
		switch number++; number {
		case 3:
			p.State = field[0]
		case 4:
			p.Parent, err = strconv.Atoi(field)
		case 6:
			p.Session, err = strconv.Atoi(field)
		case 20:
			p.Threads, err = strconv.Atoi(field)
		case 22:
			p.Start, err = strconv.ParseUint(field, 10, 64)
			return p, err == nil
		}
		if err != nil {
			return nil, false
		}
	}
	return nil, false
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
	if same, err := r.SameBoot(); err != nil || !same {
		return nil, err
	}
	return p, nil
}

// SameBoot reports whether what the record has of processes and mounts is from this boot. Of a
// record without a word on that it is assumed.
func (r *Record) SameBoot() (bool, error) {
	if r.BootID == "" {
		return true, nil
	}
	ask := r.boot
	if ask == nil {
		ask = bootID
	}
	now, err := ask()
	return err == nil && now == r.BootID, err
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
	var line [64]byte
	id, err := fs.ReadStart("/proc/sys/kernel/random/boot_id", line[:])
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
