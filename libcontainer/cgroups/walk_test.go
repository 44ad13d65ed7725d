package cgroups

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// nest makes cgroups inside of each other and returns a descriptor of the last one.
func nest(t *testing.T, dir, name string, levels int) int {
	t.Helper()
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for range levels {
		if err == nil {
			err = unix.Mkdirat(at, name, 0o755)
		}
		if err != nil && !errors.Is(err, unix.EEXIST) {
			t.Fatal(err)
		}
		var next int
		next, err = unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		at = next
	}
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A container that manages its own cgroup can make paths longer than PATH_MAX and more levels than
// a process has descriptors; its processes there are found and killed, and all of it is removed.
func TestDeepCgroups(t *testing.T) {
	for _, tc := range []struct {
		what, name string
		levels     int
	}{{"long names", strings.Repeat("n", 200), 30}, {"many levels", "d", 300}} {
		t.Run(tc.what, func(t *testing.T) {
			onEach(t, func(t *testing.T, host *Layout) {
				cg := create(t, host, nil)
				cmd := exec.Command("sleep", "1000")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
				for i := range cg.nodes {
					deep := nest(t, cg.nodes[i].Dir().Path, tc.name, tc.levels)
					err := backend.WriteAt(deep, "cgroup.procs", strconv.Itoa(cmd.Process.Pid))
					unix.Close(deep)
					if err != nil && !errors.Is(err, unix.ENOSPC) { // a new v1 cpuset has no CPUs
						t.Fatal(err)
					}
				}
				unix.Close(nest(t, cg.nodes[0].Dir().Path, "beside", 1))
				lowerDescriptors(t)
				if pids, err := cg.Pids(); err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
					t.Errorf("Pids = %v, %v; want %d", pids, err, cmd.Process.Pid)
				}
				if err := cg.KillAll(); err != nil {
					t.Error(err)
				}
				_ = cmd.Wait()
				if err := cg.Remove(5 * time.Second); err != nil {
					t.Error(err)
				}
				if cg.Exists() {
					t.Error("the cgroup is still there")
				}
			})
		})
	}
}

// lowerDescriptors leaves this process a few descriptors more than it has.
func lowerDescriptors(t *testing.T) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = uint64(len(open) + 100)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
}
