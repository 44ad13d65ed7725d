package cgroups

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// OOMKills is how often the kernel has killed a process of the cgroup for its memory limit.
func (c *Cgroup) OOMKills() (uint64, error) {
	n, file := c.memory()
	if n == nil {
		return 0, nil
	}
	text, err := n.read(file)
	if err != nil {
		if gone(err) { // also where the memory controller is not enabled
			return 0, nil
		}
		return 0, err
	}
	return eventCount(text, "oom_kill ")
}

// memory is the directory and the file that count OOM kills.
func (c *Cgroup) memory() (n *node, file string) {
	if n := c.v1("memory"); n != nil {
		return n, "memory.oom_control"
	}
	return c.v2(), "memory.events"
}

func eventCount(text, name string) (uint64, error) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name); ok {
			return strconv.ParseUint(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, nil
}

// WatchOOM sends a notice whenever the cgroup has run out of memory. The channel is closed when the cgroup is gone (on v2
// also when its last process is) or when ctx is done.
func (c *Cgroup) WatchOOM(ctx context.Context) (<-chan struct{}, error) {
	n, file := c.memory()
	if n == nil {
		return nil, errors.New("watch for OOM kills: the container has no memory cgroup")
	}
	w := &oomWatch{dir: node{v2: n.v2, path: n.path, fd: -1}, file: file, event: -1, procs: -1}
	if err := w.open(); err != nil {
		w.close()
		return nil, fmt.Errorf("watch for OOM kills: %w", err)
	}
	notices := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { w.wake.Close() })
	go func() {
		defer close(notices)
		defer w.close()
		defer stop()
		w.run(ctx, notices)
	}()
	return notices, nil
}

// oomWatch is a watch with its own descriptors, since it runs beside the Cgroup's other users.
type oomWatch struct {
	dir    node
	file   string
	last   uint64   // v2: sum of the counts at the last look
	event  int      // v1: an eventfd; v2: memory.events
	procs  int      // v2: cgroup.events
	wake   *os.File // closed to end the watch
	wakeup *os.File // the other end
}

func (w *oomWatch) open() (err error) {
	if w.wakeup, w.wake, err = os.Pipe(); err != nil {
		return err
	}
	if _, err = w.dir.open(); err != nil {
		return err
	}
	if !w.dir.v2 {
		return w.openV1()
	}
	if w.event, err = openAt(w.dir.fd, w.file, unix.O_RDONLY); err != nil {
		return &FileError{Verb: "open", Path: w.dir.file(w.file), Err: err}
	}
	if w.procs, err = openAt(w.dir.fd, "cgroup.events", unix.O_RDONLY); err != nil {
		return &FileError{Verb: "open", Path: w.dir.file("cgroup.events"), Err: err}
	}
	w.look()
	return nil
}

// openV1 asks for a notice through an eventfd, which the kernel also signals when the cgroup is removed.
func (w *oomWatch) openV1() (err error) {
	if w.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	control, err := openAt(w.dir.fd, w.file, unix.O_RDONLY)
	if err != nil {
		return &FileError{Verb: "open", Path: w.dir.file(w.file), Err: err}
	}
	defer unix.Close(control)
	return w.dir.write("cgroup.event_control", fmt.Sprintf("%d %d", w.event, control))
}

func (w *oomWatch) close() {
	for _, fd := range []int{w.event, w.procs} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	w.dir.close()
	if w.wake != nil {
		w.wake.Close()
		w.wakeup.Close()
	}
}

func (w *oomWatch) run(ctx context.Context, notices chan<- struct{}) {
	events := int16(unix.POLLIN)
	if w.dir.v2 {
		events = unix.POLLPRI
	}
	for {
		unix.Poll([]unix.PollFd{
			{Fd: int32(w.wakeup.Fd()), Events: unix.POLLIN},
			{Fd: int32(w.event), Events: events},
			{Fd: int32(w.procs), Events: unix.POLLPRI},
		}, -1)
		if ctx.Err() != nil {
			return
		}
		oom, alive := w.look()
		if oom {
			select {
			case notices <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		if !alive {
			return
		}
	}
}

// look finds out why poll has returned; reading also arms the next notice. The v1 kernel gives its notice before it kills, so
// its count of kills says nothing yet.
func (w *oomWatch) look() (oom, alive bool) {
	if !w.dir.v2 {
		n, _ := unix.Read(w.event, make([]byte, 8))
		_, err := w.dir.read(w.file)
		return n == 8 && err == nil, err == nil
	}
	procs, perr := readFD(w.procs)
	text, err := readFD(w.event)
	ooms, _ := eventCount(text, "oom ")
	kills, _ := eventCount(text, "oom_kill ")
	oom = ooms+kills > w.last
	w.last = ooms + kills
	return oom, err == nil && perr == nil && !strings.Contains(procs, "populated 0")
}
