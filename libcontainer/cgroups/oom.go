package cgroups

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// OOMKills is how often the kernel has killed a process of the cgroup for its memory limit.
func (c *Cgroup) OOMKills() (uint64, error) {
	n := c.v1Or2("memory")
	if n == nil {
		return 0, nil
	}
	return n.OOMKills()
}

// WatchOOM sends a notice whenever the cgroup has run out of memory. The channel is closed when the
// cgroup is gone (on v2 also when its last process is) or when ctx is done.
func (c *Cgroup) WatchOOM(ctx context.Context) (<-chan struct{}, error) {
	n := c.v1Or2("memory")
	if n == nil {
		return nil, errors.New("watch for OOM kills: the container has no memory cgroup")
	}
	watch, err := n.WatchOOM()
	if err != nil {
		return nil, fmt.Errorf("watch for OOM kills: %w", err)
	}
	set, err := pollable(watch.Poll())
	if err != nil {
		watch.Close()
		return nil, fmt.Errorf("watch for OOM kills: %w", err)
	}
	notices := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { set.Close() })
	go func() {
		defer close(notices)
		defer watch.Close()
		defer set.Close()
		defer stop()
		forwardOOM(ctx, watch, set, notices)
	}()
	return notices, nil
}

// pollable puts descriptors into a set of epoll(7)'s, which Go's poller can wait for: it does not
// know of priority data itself, and poll(2) would take a thread for each watch.
func pollable(fds []unix.PollFd) (*os.File, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	for _, fd := range fds {
		// The bits are those of poll.
		event := &unix.EpollEvent{Events: uint32(fd.Events), Fd: fd.Fd}
		if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, int(fd.Fd), event); err != nil {
			unix.Close(set)
			return nil, err
		}
	}
	if err := unix.SetNonblock(set, true); err != nil {
		unix.Close(set)
		return nil, err
	}
	return os.NewFile(uintptr(set), "epoll"), nil
}

// forwardOOM sends the notices of a watch until it has no more, or ctx is done, with which set is
// closed.
func forwardOOM(ctx context.Context, watch backend.OOMWatch, set *os.File, notices chan<- struct{}) {
	conn, err := set.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, len(watch.Poll()))
	for {
		err := conn.Read(func(fd uintptr) bool {
			n, err := unix.EpollWait(int(fd), events, 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
		if err != nil || ctx.Err() != nil {
			return
		}
		oom, alive := watch.Look()
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
