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
