package specconv

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// filtered reports whether there is a filter: engines write an empty object for none.
func (c *compiler) filtered() bool {
	s := c.lin.Seccomp
	return s != nil && (s.DefaultAction != "" || len(s.Syscalls) > 0)
}

// adminForSeccomp reports whether the process has to hold CAP_SYS_ADMIN until its filter is loaded (seccomp(2)).
func (c *compiler) adminForSeccomp(p *specs.Process) bool {
	return c.filtered() && !p.NoNewPrivileges
}

func (c *compiler) compileSeccomp() (*seccomp.Program, error) {
	if !c.filtered() {
		return nil, nil
	}
	_, strict := c.spec.Annotations["run.oci.seccomp_fail_unknown_syscall"]
	f, err := seccomp.Compile(c.lin.Seccomp, seccomp.Options{FailUnknown: strict})
	if err != nil {
		return nil, oneLine{err}
	}
	return f, nil
}

// oneLine is several errors in one line: engines read one.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.error }

func (c *compiler) loadFilter(f *seccomp.Program, flags uint32) plan.Op {
	const setModeFilter = 1
	return plan.Sys(plan.SysSeccomp, plan.Int(setModeFilter, "SET_MODE_FILTER"), plan.Int(int64(flags), fmt.Sprintf("%#x", flags)),
		c.SockFprog("filter", f.Encode()))
}

// lastPrivileges loads the filter as late as possible, since it must allow what follows: capset, where CAP_SYS_ADMIN was kept for
// the filter, and execve.
func (c *compiler) lastPrivileges(p *specs.Process, caps capSets, f *seccomp.Program) {
	if !f.Listener {
		c.Step("linux.seccomp", fmt.Sprintf("load the seccomp filter (%d instructions)", len(f.Code)), c.loadFilter(f, f.Flags))
	}
	if c.adminForSeccomp(p) && caps.given {
		c.Step("process.capabilities", "give up CAP_SYS_ADMIN, which the filter needed", capset(caps))
	}
}

// seccompListener loads a filter with SCMP_ACT_NOTIFY while the host is still there to hand the listener on. The two calls that this takes
// can't wait for an agent that has not got its descriptor yet.
func (c *compiler) seccompListener(f *seccomp.Program) error {
	if c.lin.Seccomp.ListenerPath == "" {
		return fmt.Errorf("linux.seccomp.listenerPath: must be set for SCMP_ACT_NOTIFY")
	}
	for _, call := range []struct {
		name   string
		number uint32
	}{{"sendmsg", unix.SYS_SENDMSG}, {"recvfrom", unix.SYS_RECVFROM}} {
		if f.Decide(bpf.Data{Nr: call.number, Arch: nativeAuditArch()})&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_USER_NOTIF {
			return fmt.Errorf("linux.seccomp: SCMP_ACT_NOTIFY can't be used for %s: the listener is handed over with it", call.name)
		}
	}
	const newListener = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	fd := c.Reg()
	c.Step("linux.seccomp", fmt.Sprintf("load the seccomp filter (%d instructions) with a listener", len(f.Code)), c.loadFilter(f, f.Flags|newListener).Into(fd))
	c.HostWith(DoSeccomp, "linux.seccomp.listenerPath", "hand the listener to "+c.lin.Seccomp.ListenerPath, plan.Val(fd))
	c.Step("linux.seccomp", "close the listener", plan.Close(plan.Val(fd)))
	return nil
}

// nativeAuditArch is how a filter sees this machine (linux/audit.h).
func nativeAuditArch() uint32 {
	if runtime.GOARCH == "arm64" {
		return unix.AUDIT_ARCH_AARCH64
	}
	return unix.AUDIT_ARCH_X86_64
}
