package compile

import (
	"fmt"
	"math"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
)

// appear starts the process of `exec` in the container's pid namespace. From its birth on the
// container's processes see it, and one that has CAP_SYS_PTRACE in the user namespace of the image
// may trace it, dumpable or not (CVE-2016-9962). So until here the image does all that takes
// privileges, where no process of the container sees it; who takes over the child gets what the
// program would have had, and a socket on which to talk to the runtime.
//
// It returns whether the filter is loaded.
func (c *compiler) appear(p *specs.Process, caps capSets, filter *seccomp.Program) (loaded bool) {
	page, spawn := c.JoinChild()
	c.Step("default", "let go of everything but the socket to the runtime", append(page,
		plan.Sys(plan.SysCloseRange, plan.Arg{Kind: plan.KindFile, Int: 1}, plan.Int(math.MaxUint32, "max"), plan.Num(0)))...)
	listener := filter != nil && filter.Listener
	limit := processLimit(p)
	if c.hostRlimits {
		limit = nil
	} else if !listener {
		c.tightRlimits(p)
	}
	if filter != nil && !listener && letsAppear(filter, p.Terminal, limit != nil || c.hostRlimits) {
		c.loadFilter(filter)
		loaded = true
		if c.adminForSeccomp(p) && (caps.given || p.User.UID != 0) {
			c.Step("linux.seccomp", "keep CAP_SYS_ADMIN no longer than the seccomp filter needs it", capset(caps))
		}
	}
	c.Step("default", "start the process as our own child in the container's pid namespace", spawn)
	c.Step("default", "begin a session", plan.Sys(plan.SysSetsid))
	if p.Terminal {
		c.Step("process.terminal", "make the terminal the session's", controlTerminal())
	}
	if limit != nil {
		c.Step("process.rlimits", fmt.Sprintf("set %s to %d (hard %d)", limit.Type, limit.Soft, limit.Hard),
			setrlimit(unix.RLIMIT_NPROC, limit.Type, limit.Soft, limit.Hard))
	}
	if s := p.Scheduler; s != nil && notInherited(s) {
		c.Host(DoScheduler, "process.scheduler", "set the scheduling policy "+string(s.Policy))
	}
	return loaded
}

// letsAppear reports whether a filter allows the calls between loading it in the image and the
// program. If not, the process loads it itself, and if that takes CAP_SYS_ADMIN, has it until then.
func letsAppear(f *seccomp.Program, terminal, limits bool) bool {
	return f.Passes("clone", unix.CLONE_PARENT|unix.CLONE_PARENT_SETTID) && f.Passes("exit_group") && f.Passes("setsid") && f.Passes("capset") &&
		f.Passes("sendto", 0, 0, 1, unix.MSG_NOSIGNAL) && f.Passes("recvfrom", 0, 0, 1) &&
		(!terminal || f.Passes("ioctl", 0, unix.TIOCSCTTY)) && (!limits || f.Passes("prlimit64", 0, unix.RLIMIT_NPROC) && f.Passes("prlimit64", 0, unix.RLIMIT_NOFILE))
}

// notInherited says that a child does not get the scheduling policy of its parent (sched(7)). The
// host sets it then.
func notInherited(s *specs.Scheduler) bool {
	a := SchedAttr(s)
	return a.Policy == unix.SCHED_DEADLINE || a.Flags&unix.SCHED_FLAG_RESET_ON_FORK != 0
}

// roomForTwo sets RLIMIT_NPROC so that the image counts for nothing beside its child, which sets
// the limit itself. Who becomes the user and goes on to execve is allowed to be one too many (the
// kernel counts before), who is forked is not. A hard limit that the runtime may not raise stays as
// it is.
func (c *compiler) roomForTwo(r specs.POSIXRlimit) {
	soft := r.Soft
	if soft < math.MaxUint64-2 {
		soft += 2
	}
	op := setrlimit(unix.RLIMIT_NPROC, r.Type, soft, max(soft, r.Hard))
	if soft > r.Hard {
		op = op.Allowing(unix.EPERM)
	}
	c.Step("process.rlimits", fmt.Sprintf("set %s to %d, for the process and its parent", r.Type, soft), op)
}

// processLimit is RLIMIT_NPROC of process.rlimits, or nil.
func processLimit(p *specs.Process) *specs.POSIXRlimit {
	for i := range p.Rlimits {
		if p.Rlimits[i].Type == "RLIMIT_NPROC" {
			return &p.Rlimits[i]
		}
	}
	return nil
}
