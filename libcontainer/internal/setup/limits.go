package setup

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// SetRlimits sets the limits of a process in a user namespace, which may not raise them itself.
func SetRlimits(pid int, list []specs.POSIXRlimit) error {
	for i, l := range list {
		n, ok := names.RlimitNumber(l.Type)
		if !ok {
			return fmt.Errorf("process.rlimits[%d].type: %s is not a resource limit", i, l.Type)
		}
		if l, ok = compile.FirstRlimit(l); !ok {
			continue
		}
		if err := unix.Prlimit(pid, n, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
			return fmt.Errorf("process.rlimits[%d]: set %s to %d (hard %d): %w", i, l.Type, l.Soft, l.Hard, refusal.Explain("prlimit64", err))
		}
	}
	return nil
}

// SetScheduler sets the policy of a process that could not inherit it.
func SetScheduler(pid int, s *specs.Scheduler) error {
	if err := unix.SchedSetAttr(pid, compile.SchedAttr(s), 0); err != nil {
		return fmt.Errorf("process.scheduler: set the scheduling policy %s: %w", s.Policy, refusal.Explain("sched_setattr", err))
	}
	return nil
}

// SetIOPriority sets the I/O priority of a process, which its children inherit; nil leaves it.
func SetIOPriority(pid int, p *specs.LinuxIOPriority) error {
	if p == nil {
		return nil
	}
	const whoProcess = 1
	class, _ := names.IOPriorityClass(p.Class)
	if _, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(pid), uintptr(class<<13|p.Priority)); errno != 0 {
		return fmt.Errorf("process.ioPriority: set the I/O priority %s %d: %w", p.Class, p.Priority, refusal.Explain("ioprio_set", errno))
	}
	return nil
}
