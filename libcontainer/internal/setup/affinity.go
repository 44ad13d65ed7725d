package setup

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// InitialCPUs is process.execCPUAffinity.initial where the plan does not see to it: who is born in
// a v2 cgroup has no time before that.
func InitialCPUs(a *specs.CPUAffinity, in *cgroups.Entrance) string {
	if a == nil || in.Dir == nil {
		return ""
	}
	return a.Initial
}

// OnCPUs runs start, which starts a process, on some CPUs; an empty list means wherever we are. The
// process inherits them from this thread.
func OnCPUs(list string, start func() error) error {
	if list == "" {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	err := unix.SchedGetaffinity(0, &before)
	if err == nil {
		err = unix.SchedSetaffinity(0, compile.CPUs(list))
	}
	if err != nil {
		return fmt.Errorf("process.execCPUAffinity.initial: run on the CPUs %s: %w", list, err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }() // what the kernel has given, it takes
	return start()
}

// AllCPUs lets a process, and the children that it will have, run wherever its cpuset allows: a
// caller's affinity is not the container's.
func AllCPUs(pid int) error {
	var all unix.CPUSet
	all.Fill()
	err := unix.SchedSetaffinity(pid, &all)
	if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) { // as in create
		return fmt.Errorf("let process %d run on every CPU: %w", pid, err)
	}
	return nil
}
