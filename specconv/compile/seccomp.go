package compile

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// SeccompFilter compiles linux.seccomp. It returns nil where there is no filter: engines write an
// empty object for none.
func SeccompFilter(spec *specs.Spec) (*seccomp.Program, error) {
	if !filtered(spec) {
		return nil, nil
	}
	_, strict := spec.Annotations[names.SeccompFailUnknownSyscall]
	return seccomp.Compile(spec.Linux.Seccomp, seccomp.Options{FailUnknown: strict})
}

func (c *compiler) filter() (*seccomp.Program, error) {
	if c.in.Filter != nil {
		return c.in.Filter, nil
	}
	return SeccompFilter(c.spec)
}

func filtered(spec *specs.Spec) bool {
	if spec.Linux == nil || spec.Linux.Seccomp == nil {
		return false
	}
	s := spec.Linux.Seccomp
	return s.DefaultAction != "" || len(s.Syscalls) > 0
}

// adminForSeccomp reports whether the process has to hold CAP_SYS_ADMIN until its filter is loaded
// (seccomp(2)).
func (c *compiler) adminForSeccomp(p *specs.Process) bool {
	return filtered(c.spec) && !p.NoNewPrivileges
}

// loadFilter loads the filter as late as possible: it has to allow what follows, and that is execve
// alone. CAP_SYS_ADMIN, where it was kept for this call, needs no capset, which the filter might
// refuse: execve computes the permitted and effective sets anew out of the bounding, inheritable
// and ambient ones (capabilities(7)).
func (c *compiler) loadFilter(f *seccomp.Program) plan.Reg {
	const setModeFilter = 1
	op := plan.Sys(plan.SysSeccomp, plan.Int(setModeFilter, "SET_MODE_FILTER"), plan.Int(int64(f.Flags), fmt.Sprintf("%#x", f.Flags)),
		c.SockFprog("filter", f.Encode()))
	if f.Flags&seccomp.FlagWaitKillableRecv != 0 {
		op = op.Says("linux.seccomp.flags: load the filter with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, which Linux has since 5.19: seccomp")
	}
	with, fd := "", plan.NoReg
	if f.Listener {
		fd = c.Reg()
		with, op = " with a listener", op.Into(fd)
	}
	c.Step("linux.seccomp", fmt.Sprintf("load the seccomp filter (%d instructions)%s", len(f.Code), with), op)
	return fd
}

// seccompListener loads a filter with SCMP_ACT_NOTIFY while the host is there to hand the listener
// on. Between the two the init makes two calls, which can't wait for an agent that has not got its
// descriptor yet. Everything else it does before `create` has returned comes first: the agent may
// well be the caller of `create`.
func (c *compiler) seccompListener(f *seccomp.Program) (plan.Reg, error) {
	for _, name := range []string{"sendmsg", "recvfrom"} {
		var passes bool
		for _, v := range f.Verdicts(name) {
			switch v & unix.SECCOMP_RET_ACTION_FULL {
			case unix.SECCOMP_RET_USER_NOTIF:
				return plan.NoReg, fmt.Errorf("linux.seccomp.syscalls: SCMP_ACT_NOTIFY can't be used for %s: the listener is handed over with it", name)
			case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG:
				passes = true
			}
		}
		if !passes {
			return plan.NoReg, fmt.Errorf("linux.seccomp.syscalls: a profile with SCMP_ACT_NOTIFY must allow %s: the listener is handed over with it", name)
		}
	}
	fd := c.loadFilter(f)
	c.HostWith(DoSeccomp, "linux.seccomp.listenerPath", "hand the listener to "+c.lin.Seccomp.ListenerPath, plan.Val(fd))
	return fd, nil
}
