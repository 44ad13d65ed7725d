// Package refusal says who is to blame for a refused system call that this runtime can't do
// without: a kernel that is too old, or a sandbox around the runtime, such as the seccomp profile
// of the container or the systemd unit that it was started in.
//
// The kernel's word can't tell. ENOSYS comes from old kernels, and from filters that hide a call
// (Docker's profile hides clone3, systemd's RestrictNamespaces= too); EPERM and EACCES come from
// filters, and just as well from an honest look at the caller's rights. So the call is made once
// more, with arguments that no kernel accepts: a filter refuses it again by its number, a kernel
// that has it complains of the arguments. Nothing is asked unless something has failed.
//
// There are no fallbacks for these calls, so the error has to say why one was refused. What old
// kernels offer instead is weaker: paths for descriptors, pids for pidfds.
package refusal

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/feature"
)

// Error is a call that was refused, with the reason: "openat2: operation not permitted (refused by
// …)".
type Error struct {
	Call string
	Why  string
	err  error
}

func (e *Error) Error() string { return e.Call + ": " + e.err.Error() + " (" + e.Why + ")" }
func (e *Error) Unwrap() error { return e.err }

// Explain adds name and reason to the error of the named call, if the call as such was refused.
// Every other error, nil among them, is returned as it is: what the kernel says of the arguments
// speaks for itself.
func Explain(name string, err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) || errno != unix.ENOSYS && errno != unix.EPERM && errno != unix.EACCES {
		return err
	}
	if why := needs(name, errno); why != "" {
		return &Error{Call: name, Why: why, err: err}
	}
	c, ok := lookup(name)
	if !ok {
		return err
	}
	why := c.sentence(look(c, errno))
	if why == "" {
		return err
	}
	return &Error{Call: name, Why: why, err: err}
}

// needs says what the kernel asks for where its word leaves that open: sched_setattr(2) has one
// errno for all of its conditions.
func needs(name string, errno unix.Errno) string {
	if name == "sched_setattr" && errno == unix.EPERM {
		return "a real-time policy needs CAP_SYS_NICE on the host or RLIMIT_RTPRIO, and on cgroup v1 a " +
			"share in linux.resources.cpu.realtimeRuntime; a lower nice value CAP_SYS_NICE or RLIMIT_NICE; " +
			"SCHED_DEADLINE CAP_SYS_NICE and every CPU of its cpuset"
	}
	return ""
}

// evidence is what can be found out about a refusal.
type evidence struct {
	errno    unix.Errno      // what the call gave
	again    unix.Errno      // what it gives to arguments that are always wrong
	mayMount bool            // another call that is for those who may mount was not refused
	filtered bool            // this process has a seccomp filter
	profile  string          // the AppArmor profile that confines it, or ""
	kernel   feature.Version // zero when unknown
}

// sentence words the evidence, or gives "" where it proves nothing.
func (c call) sentence(e evidence) string {
	who := "a sandbox around this runtime"
	if e.filtered {
		who = "the seccomp filter that this runtime was started under"
	}
	same := e.again == e.errno
	switch {
	case e.errno == unix.ENOSYS && !same:
		// It works from here: a filter that only the container has, out of its own config.json.
		return ""
	case e.errno == unix.ENOSYS && e.kernel == feature.Version{}:
		return fmt.Sprintf("this runtime needs Linux 5.15 or newer, and no sandbox that hides %s", c.name)
	case e.errno == unix.ENOSYS && e.kernel.Before(c.since):
		return fmt.Sprintf("Linux %s does not have it; this runtime needs 5.15 or newer", e.kernel)
	case e.errno == unix.ENOSYS && !e.filtered:
		return fmt.Sprintf("Linux %s has it; %s hides it and must allow %s, or this kernel was built without", e.kernel, who, c.name)
	case e.errno == unix.ENOSYS:
		return fmt.Sprintf("Linux %s has it; %s hides it and must allow %s", e.kernel, who, c.name)
	case same && (!c.mounts || e.errno != unix.EPERM || e.mayMount):
		return fmt.Sprintf("refused by %s, which must allow %s", who, c.name)
	case same && e.filtered:
		// Whoever may not mount gets the same from the kernel.
		return fmt.Sprintf("perhaps refused by %s, which must allow %s", who, c.name)
	case e.profile != "":
		return fmt.Sprintf("perhaps refused by the AppArmor profile %s, which confines this runtime", e.profile)
	}
	return ""
}
