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
	awake, wake, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("watch for OOM kills: %w", err)
	}
	watch, err := n.WatchOOM()
	if err != nil {
		awake.Close()
		wake.Close()
		return nil, fmt.Errorf("watch for OOM kills: %w", err)
	}
	notices := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { wake.Close() })
	go func() {
		defer close(notices)
		defer awake.Close()
		defer wake.Close()
		defer watch.Close()
		defer stop()
		forwardOOM(ctx, watch, int32(awake.Fd()), notices)
	}()
	return notices, nil
}

// forwardOOM sends the notices of a watch until it has no more, or ctx is done, which awake tells.
func forwardOOM(ctx context.Context, watch backend.OOMWatch, awake int32, notices chan<- struct{}) {
	poll := append(watch.Poll(), unix.PollFd{Fd: awake, Events: unix.POLLIN})
	for {
		unix.Poll(poll, -1)
		if ctx.Err() != nil {
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
