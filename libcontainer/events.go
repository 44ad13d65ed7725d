package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// Event is one line of `events`, as readers of runc's expect it.
type Event struct {
	Type string       `json:"type"` // "stats" or "oom"
	ID   string       `json:"id"`
	Data *stats.Stats `json:"data,omitempty"`
}

const uncounted = "what it uses is not counted"

// Stats is what the container has used so far.
func (c *Container) Stats() (*Event, error) {
	init, err := c.rec.Init()
	if err != nil {
		return nil, err
	}
	if init == nil {
		return nil, c.notRunning()
	}
	if err := c.needsCgroup(uncounted); err != nil {
		return nil, err
	}
	cg, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	return c.statsEvent(cg)
}

func (c *Container) notRunning() error {
	return &statusError{fmt.Sprintf("container with id %s is not running", c.ID()), ErrNotRunning}
}

func (c *Container) statsEvent(cg *cgroups.Cgroup) (*Event, error) {
	s, err := cg.Stats()
	if err != nil {
		return nil, err
	}
	s.IntelRDT = struct{}{}
	if g := c.resctrl(); g != nil {
		s.IntelRDT = g.Stats()
	}
	if s.NetworkInterfaces, err = c.networkInterfaces(); err != nil {
		return nil, err
	}
	return &Event{"stats", c.ID(), s}, nil
}

// Events gives the container's statistics at each interval, and tells each time that it has run out
// of memory, until its first process has ended, tell returns an error or ctx is done.
func (c *Container) Events(ctx context.Context, interval time.Duration, tell func(*Event) error) error {
	init, err := c.rec.OpenInit()
	if errors.Is(err, unix.ESRCH) {
		return c.notRunning()
	}
	if err != nil {
		return err
	}
	defer init.Close()
	if err := c.needsCgroup(uncounted); err != nil {
		return err
	}
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	w := &watch{c: c, cg: cg, tell: tell}
	if w.kills, err = cg.OOMKills(); err != nil {
		c.rt.warn(err.Error())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ooms, err := cg.WatchOOM(ctx)
	if err != nil {
		c.rt.warn(err.Error())
	}
	over, err := ended(ctx, init)
	if err != nil {
		return err
	}
	return w.run(ctx, over, ooms, interval)
}

// WatchOOM sends a notice whenever the container has run out of memory. The channel is closed when
// its cgroup is gone (on v2 also when its last process is) or when ctx is done. However many
// containers are watched, none has a thread of its own.
func (c *Container) WatchOOM(ctx context.Context) (<-chan struct{}, error) {
	if err := c.needsCgroup("a lack of memory is not noticed"); err != nil {
		return nil, err
	}
	cg, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	return cg.WatchOOM(ctx)
}

// ended gives a channel that is closed when the process behind a pidfd has ended, or ctx is done.
func ended(ctx context.Context, pidfd *os.File) (<-chan struct{}, error) {
	// Go's poller takes non-blocking descriptors only, and only those can be waited for and closed
	// at the same time.
	fd, err := unix.FcntlInt(pidfd.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("wait for the container's init: %w", err)
	}
	over, err := endedFD(ctx, fd)
	if err != nil {
		return nil, fmt.Errorf("wait for the container's init: %w", err)
	}
	return over, nil
}

// endedFD is ended with a pidfd of its own.
func endedFD(ctx context.Context, fd int) (<-chan struct{}, error) {
	err := unix.SetNonblock(fd, true)
	f := os.NewFile(uintptr(fd), "pidfd")
	var conn syscall.RawConn
	if err == nil {
		conn, err = f.SyscallConn()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { f.Close() })
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer f.Close()
		defer stop()
		_ = conn.Read(func(fd uintptr) bool {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n > 0
		})
	}()
	return over, nil
}

// watch is one call of Events.
type watch struct {
	c     *Container
	cg    *cgroups.Cgroup
	tell  func(*Event) error
	kills uint64 // OOM kills before the watch began
	ooms  int    // events about lack of memory
}

func (w *watch) run(ctx context.Context, over, ooms <-chan struct{}, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return w.last()
		case _, ok := <-ooms:
			if ok {
				err = w.oom()
			} else {
				ooms = nil // nobody is left in the cgroup: the init's end is near
			}
		case <-tick.C:
			err = w.stats()
		}
		if err != nil {
			return err
		}
	}
}

func (w *watch) oom() error {
	w.ooms++
	return w.tell(&Event{Type: "oom", ID: w.c.ID()})
}

func (w *watch) stats() error {
	e, err := w.c.statsEvent(w.cg)
	switch {
	case err == nil:
		return w.tell(e)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ESRCH):
		return nil // the container is being deleted
	}
	w.c.rt.warn(err.Error())
	return nil
}

// last makes up for the notice that came together with the end of the init, which the lack of
// memory has killed.
func (w *watch) last() error {
	kills, err := w.cg.OOMKills()
	if err != nil || w.ooms > 0 || kills <= w.kills && !w.c.oomScope(w.cg) {
		return nil
	}
	return w.oom()
}

// networkInterfaces are the devices of the container's network namespace but the loopback device;
// none if it has the runtime's.
func (c *Container) networkInterfaces() ([]stats.NetworkInterface, error) {
	var ours, theirs unix.Stat_t
	dir := "/proc/" + strconv.Itoa(c.rec.InitPid)
	if unix.Stat("/proc/self/ns/net", &ours) != nil || unix.Stat(dir+"/ns/net", &theirs) != nil || ours.Ino == theirs.Ino {
		return nil, nil
	}
	text, err := os.ReadFile(dir + "/net/dev")
	if err != nil {
		return nil, err
	}
	return parseNetDev(string(text))
}

// parseNetDev reads proc_pid_net_dev(5): a name, then eight numbers for what was received and eight
// for what was sent.
func parseNetDev(text string) ([]stats.NetworkInterface, error) {
	var list []stats.NetworkInterface
	for line := range strings.Lines(text) {
		name, counts, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || name == "lo" {
			continue // two lines of heading have no colon
		}
		var n [12]uint64
		fields := strings.Fields(counts)
		if len(fields) < len(n) {
			return nil, fmt.Errorf("/proc/PID/net/dev: %q has too few numbers", line)
		}
		for i := range n {
			var err error
			if n[i], err = strconv.ParseUint(fields[i], 10, 64); err != nil {
				return nil, fmt.Errorf("/proc/PID/net/dev: %q: %w", line, err)
			}
		}
		list = append(list, stats.NetworkInterface{
			Name: name, RxBytes: n[0], RxPackets: n[1], RxErrors: n[2], RxDropped: n[3],
			TxBytes: n[8], TxPackets: n[9], TxErrors: n[10], TxDropped: n[11],
		})
	}
	return list, nil
}
