package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// v2Room is a thread in a mount namespace in which /sys/fs/cgroup is the cgroup2 tree and nothing
// else. What it starts is there, too. /proc/PID/cgroup names the other hierarchies even so, and a
// runtime may look for them where a host with cgroup v2 alone gives it no reason to.
type v2Room struct {
	work chan func()
}

// newV2Room makes one; why says that it can't be had here.
func newV2Room(controllers []string) (r *v2Room, why string, err error) {
	if harness.Unified() {
		return nil, "this host has cgroup v2 alone, so that all rows are by it", nil
	}
	r = &v2Room{work: make(chan func())}
	entered := make(chan error)
	go func() {
		lockThread() // and with this goroutine, the thread ends
		entered <- enterV2()
		for f := range r.work {
			f()
		}
	}()
	if err := <-entered; err != nil {
		r.close()
		return nil, "", err
	}
	var missing []string
	_, err = r.do(func() ([]cost, error) {
		text, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
		missing = slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return slices.Contains(strings.Fields(string(text)), c) })
		return nil, err
	})
	if err != nil || len(missing) > 0 {
		r.close()
		return nil, "cgroup v1 has taken the controllers " + strings.Join(missing, ", ") + " on this host", err
	}
	return r, "", nil
}

// enterV2 changes nothing outside of the new namespace: its mounts propagate nowhere. So each step
// comes only behind the one before.
func enterV2() error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"unshare the mounts", func() error { return unix.Unshare(unix.CLONE_NEWNS) }},
		{"make the mounts private", func() error { return unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "") }},
		{"leave the host's cgroups", func() error { return unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH) }},
		{"mount cgroup2", func() error {
			return unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// do has the thread do something.
func (r *v2Room) do(once measured) (costs []cost, err error) {
	done := make(chan struct{})
	r.work <- func() {
		defer close(done)
		costs, err = once()
	}
	<-done
	return costs, err
}

func (r *v2Room) close() { close(r.work) }
