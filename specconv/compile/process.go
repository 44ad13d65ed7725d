package compile

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// process turns the init into the user's process. `create`, `run` and `exec` share it, so that no
// process gets other rights than config.json says (CVE-2022-27650, CVE-2025-27612).
func (c *compiler) process() error {
	p := c.theProcess()
	c.Group = plan.Process
	passwd, home := c.passwd(p)
	if err := c.labels(p); err != nil {
		return err
	}
	c.scheduling(p)
	c.stdioOwner(p)
	if err := c.rlimits(p); err != nil {
		return err
	}
	caps := c.capabilitySets(p)
	entered := c.tryCwd(p)
	c.credentials(p, caps)
	c.enterCwd(p, entered)
	program := c.lookup(p)
	c.endBySignals()
	c.reapOthers()
	filter, err := c.filter()
	if err != nil {
		return err
	}
	if home && !c.awaitsHome {
		c.HostMaybe(DoHome, "process.env", findsHome, passwd)
	}
	c.intelRdt()
	loaded := c.appears && c.appear(p, caps, filter)
	if c.hostRlimits {
		c.Host(DoRlimits, "process.rlimits", "set resource limits")
	}
	listener := plan.NoReg
	if filter != nil && filter.Listener {
		c.takeHome() // from here on, an agent has a say in each call
		if listener, err = c.seccompListener(filter); err != nil {
			return err
		}
	}
	c.lastRendezvous(p)
	c.takeHome()
	if listener != plan.NoReg {
		c.Step("linux.seccomp", "close the listener", plan.Close(plan.Val(listener)))
	}
	if c.Plan.Waits {
		loaded = c.holdWith(p, filter)
		c.waitForStart()
	}
	if !c.tight {
		c.tightRlimits(p)
	}
	if filter != nil && !filter.Listener && !loaded {
		c.loadFilter(filter)
	}
	c.execute(p, program, c.environment(p, home))
	return nil
}

// theProcess is the process of the configuration, without a program where that never runs.
func (c *compiler) theProcess() *specs.Process {
	p := c.spec.Process
	if p == nil {
		return &specs.Process{Cwd: "/"}
	}
	if c.in.Hold {
		held := *p
		held.Args = nil
		p = &held
	}
	return p
}

// execute is the end of every plan: the init becomes the program.
func (c *compiler) execute(p *specs.Process, program plan.Arg, env []plan.Arg) {
	args := make([]plan.Arg, len(p.Args))
	for i, a := range p.Args {
		args[i] = plan.Str(a)
	}
	name := "nothing: process is not set"
	switch {
	case len(p.Args) > 0:
		name = c.programName(p)
	case c.in.Hold:
		name = "nothing: the container is not to be started"
	}
	c.Step("process.args", "execute "+name, plan.Sys(plan.SysExecve, program, c.Vec("argv", args), c.Vec("envp", env)).
		Says("exec "+name))
}

// scheduling sets what needs no privileges to keep but some to get.
func (c *compiler) scheduling(p *specs.Process) {
	if s := p.Scheduler; s != nil && !(c.appears && notInherited(s)) {
		c.Step("process.scheduler", "set the scheduling policy "+string(s.Policy),
			plan.Sys(plan.SysSchedSetattr, plan.Num(0), plan.Bytes(plan.SchedAttr(SchedAttr(s)), string(s.Policy)), plan.Num(0)))
	}
	if io := p.IOPriority; io != nil {
		const whoProcess = 1
		class, _ := names.IOPriorityClass(io.Class)
		c.Step("process.ioPriority", fmt.Sprintf("set the I/O priority %s %d", io.Class, io.Priority),
			plan.Sys(plan.SysIoprioSet, plan.Int(whoProcess, "IOPRIO_WHO_PROCESS"), plan.Num(0), plan.Num(int64(class<<13|io.Priority))))
	}
	if d := c.lin.Personality; d != nil {
		domain := int64(0)
		if d.Domain == specs.PerLinux32 {
			domain = 8
		}
		c.Step("linux.personality", "set the execution domain "+string(d.Domain), plan.Sys(plan.SysPersonality, plan.Int(domain, string(d.Domain))))
	}
	c.memoryPolicy()
	umask := int64(0o022)
	from := "default"
	if p.User.Umask != nil {
		umask, from = int64(*p.User.Umask&0o777), "process.user.umask"
	}
	c.Step(from, fmt.Sprintf("set the umask to %04o", umask), plan.Umask(umask))
}

// SchedAttr is struct sched_attr for process.scheduler.
func SchedAttr(s *specs.Scheduler) *unix.SchedAttr {
	policy, _ := names.SchedulerPolicy(s.Policy)
	var flags uint64
	for _, f := range s.Flags {
		bit, _ := names.SchedulerFlag(f)
		flags |= bit
	}
	return &unix.SchedAttr{
		Policy: policy, Flags: flags, Nice: s.Nice, Priority: uint32(s.Priority), Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	}
}

// stdioOwner gives the process's user the descriptors that it gets as stdio: /proc/self/fd/1 could
// not be opened by it otherwise. The host's /dev/null stays as it is.
func (c *compiler) stdioOwner(p *specs.Process) {
	if p.Terminal {
		return
	}
	var ops []plan.Op
	for i, s := range c.in.Facts.Stdio {
		if s.Null || s.UID == p.User.UID && !c.ns.has(unix.CLONE_NEWUSER) {
			continue
		}
		ops = append(ops, plan.Sys(plan.SysFchown, plan.Num(int64(i)), plan.Num(int64(p.User.UID)), plan.Int(-1, "same")).
			Allowing(unix.EPERM, unix.EROFS, unix.EINVAL))
	}
	if len(ops) > 0 {
		c.Step("process.user.uid", "let the user own its stdio", ops...)
	}
}

// lastRendezvous is the host's last part before the program, or before the wait for start.
func (c *compiler) lastRendezvous(p *specs.Process) {
	if c.ownsPipes(p) {
		c.Host(DoOwnPipes, "process.user.uid", "let the user own the pipes of its stdio")
	}
	if c.told(p) {
		c.Host(DoCreated, "default", "record the container's state")
	}
}

// told says that the process does not go on to its program before somebody has been told of it.
func (c *compiler) told(p *specs.Process) bool { return c.announced || p.Terminal || !c.joining }

// ownsPipes says that the host has pipes to give to the process's user: in a user namespace the
// init may not change the owner of what belongs to an id from outside. It is done for pipes alone,
// which exist for this process. A file, a terminal or a named pipe would be the host's, and the
// runtime should not give to a container what belongs to somebody else.
func (c *compiler) ownsPipes(p *specs.Process) bool {
	if p.Terminal || !c.in.Facts.Privileged || !c.ns.has(unix.CLONE_NEWUSER) || len(c.lin.UIDMappings) == 0 {
		return false
	}
	uid, ok := idmap.HostID(c.lin.UIDMappings, p.User.UID)
	return ok && slices.ContainsFunc(c.in.Facts.Stdio[:], func(s facts.Stdio) bool { return s.Pipe && s.UID != uid })
}

// rlimits are set by the init while it may still raise them; in a user namespace only the host may.
func (c *compiler) rlimits(p *specs.Process) error {
	if c.hasOldFiles && !slices.ContainsFunc(p.Rlimits, func(r specs.POSIXRlimit) bool { return r.Type == "RLIMIT_NOFILE" }) {
		c.Step("default", "set the limit on descriptors to what it was", limitFiles(c.oldFiles, plan.Num(0)))
	}
	if c.ns.has(unix.CLONE_NEWUSER) {
		c.hostRlimits = len(p.Rlimits) > 0
		return nil
	}
	for i, r := range p.Rlimits {
		n, ok := names.RlimitNumber(r.Type)
		if !ok {
			return fmt.Errorf("process.rlimits[%d].type: %s is not a resource limit", i, r.Type)
		}
		if c.appears && n == unix.RLIMIT_NPROC {
			c.roomForTwo(r)
			continue
		}
		if r, ok = FirstRlimit(r); ok {
			c.rlimit(i, n, r)
		}
	}
	return nil
}

func (c *compiler) rlimit(i, n int, r specs.POSIXRlimit) {
	c.Step(fmt.Sprintf("process.rlimits[%d]", i), fmt.Sprintf("set %s to %d (hard %d)", r.Type, r.Soft, r.Hard),
		setrlimit(n, r.Type, r.Soft, r.Hard))
}

// fewFiles are too few descriptors for the init: it is still to get one for the connection of
// `start`, or for a seccomp listener.
const fewFiles = 64

// FirstRlimit is the limit that is set while raising it is still possible; ok is false where
// nothing is to be raised. A tight one on descriptors gets its final value last, by an op of the
// init (compiler.tightRlimits).
func FirstRlimit(r specs.POSIXRlimit) (first specs.POSIXRlimit, ok bool) {
	if r.Type == "RLIMIT_NOFILE" && r.Soft < fewFiles {
		r.Soft = fewFiles
		return r, r.Hard >= fewFiles
	}
	return r, true
}

// tightRlimits lowers what FirstRlimit has left higher, for which nobody needs a privilege.
func (c *compiler) tightRlimits(p *specs.Process) {
	c.tight = true
	for i, r := range p.Rlimits {
		if first, _ := FirstRlimit(r); first != r {
			n, _ := names.RlimitNumber(r.Type)
			c.rlimit(i, n, r)
		}
	}
}

func setrlimit(n int, name string, soft, hard uint64) plan.Op {
	return plan.Sys(plan.SysPrlimit64, plan.Num(0), plan.Int(int64(n), name), plan.Bytes(plan.Rlimit64(soft, hard), "limits"), plan.Num(0))
}
