// Package compile makes the plan of a container, or of a process of exec, out of a checked
// configuration and a few facts about kernel, host and root file system. It is pure: the same input
// gives the same plan, and no system call is made.
package compile

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// The host's steps, which libcontainer carries out while the init waits.
const (
	DoIDMaps          plan.HostStep = "id maps"
	DoAttach          plan.HostStep = "attach to scope"
	DoNetDevices      plan.HostStep = "network devices"
	DoTmpCopyUp       plan.HostStep = "tmpcopyup"
	DoIDMapMount      plan.HostStep = "idmap"
	DoPrestart        plan.HostStep = "prestart hooks"
	DoCreateRuntime   plan.HostStep = "createRuntime hooks"
	DoCreateContainer plan.HostStep = "createContainer hooks"
	DoIntelRdt        plan.HostStep = "resctrl group"
	DoRlimits         plan.HostStep = "rlimits"
	DoScheduler       plan.HostStep = "scheduler"
	DoHome            plan.HostStep = "home"
	DoOwnPipes        plan.HostStep = "owner of pipes"
	DoSeccomp         plan.HostStep = "seccomp listener"
	DoCreated         plan.HostStep = "created"
)

// Names of the plan's files.
const (
	FileSocket  = "start.sock"
	FileConsole = "console"
	FileProc    = "proc"
	FileRootfs  = "rootfs"
	fileTasks   = "cgroup "
	fileMount   = "mounts[%d].source"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// TasksFile is the name of the plan's file for the tasks file of a cgroup v1 hierarchy.
func TasksFile(hierarchy string) string { return fileTasks + hierarchy }

// SourceFile is the name of the plan's file for the source of an entry of mounts.
func SourceFile(i int) string { return fmt.Sprintf(fileMount, i) }

// Input is all that a plan depends on.
type Input struct {
	ID     string
	Bundle string // absolute
	Spec   *specs.Spec
	Facts  *facts.Facts
	// Run goes on to the program without waiting for `start`.
	Run bool
	// Hold is for a container that is never started: its namespaces are what is wanted. The
	// program is not looked for.
	Hold         bool
	NoPivot      bool
	NoNewKeyring bool
	Preserve     int
	ListenFDs    int
	Trace        bool
	// Filter is what SeccompFilter has given for Spec, or nil: then it is asked.
	Filter *seccomp.Program
	// Warn is told what is left out of the plan without being an error; nil drops it.
	Warn func(string)
}

// compiler builds one plan. Registers that several sections use are named here.
type compiler struct {
	*plan.Builder
	in   *Input
	spec *specs.Spec
	lin  *specs.Linux
	ns   namespaces

	root    plan.Reg // the root of the container's file system
	proc    plan.Arg // a verified procfs; see procFile
	hasProc bool
	options []mountopt.MountOptions // of each entry of mounts
	scratch []plan.Reg              // registers for the current step alone
	used    int
	// readonly holds the mounts that become so once everything below them is in place.
	readonly []lateChange
	// guarded holds the mounts in which masked and read-only paths lie; see guard.
	guarded []guardedMount
	statx   plan.Arg             // see statxBuf
	foreign map[int]foreignMount // by index in mounts
	offsets plan.Reg             // /proc/self/timens_offsets
	cgroups plan.Reg             // the tmpfs on which cgroup v1 hierarchies are being mounted
	netlink plan.Reg             // a socket in the container's network namespace, see openNetlink
	joining bool                 // this is the plan of exec
	path    string               // see ExecInput.Path
	// announced is that of ExecInput.
	announced  bool
	awaitsHome bool // the host looks for HOME, see takeHome
	appears    bool // see appear
	// oldFiles holds the limit on descriptors that the init came with, if hasOldFiles; see
	// moreFiles.
	oldFiles    plan.Arg
	hasOldFiles bool
	// nodesOfHost holds device nodes made by the host, if hasNodes; see lendDevices.
	nodesOfHost plan.Arg
	hasNodes    bool
	// hostRlimits leaves process.rlimits to the host.
	hostRlimits bool
	tight       bool // tightRlimits has been here
}

// Create turns a checked configuration into the plan of `create` or `run`. It is pure: no system
// call is made.
func Create(in *Input) (*plan.Plan, error) {
	c := &compiler{Builder: plan.NewBuilder(), in: in, spec: in.Spec, lin: in.Spec.Linux}
	if c.lin == nil {
		c.lin = &specs.Linux{}
	}
	c.Plan.Preserve = in.Preserve
	c.Plan.Waits = !in.Run
	if c.Plan.Waits {
		// The second file: everything behind it is closed before the init waits.
		c.File(plan.File{Name: FileSocket, From: "default"})
	}
	c.ns = collectNamespaces(c.lin, in.Facts.Joined)
	if err := check.CheckJoined(c.spec, in.Facts.Joined); err != nil {
		return nil, err
	}
	c.options = make([]mountopt.MountOptions, len(c.spec.Mounts))
	for i := range c.options {
		c.options[i] = mountopt.ParseMountOptions(c.spec.Mounts[i].Options)
	}
	for _, section := range []func() error{
		c.begin, c.enterNamespaces, c.identity, c.rootfs, c.hooksBeforePivot, c.pivot, c.afterPivot, c.process,
	} {
		if err := section(); err != nil {
			return nil, err
		}
	}
	return c.finish()
}

// finish checks the plan, whatever was compiled: a mistake of ours must not reach the kernel.
func (c *compiler) finish() (*plan.Plan, error) {
	if err := plan.Check(&c.Plan); err != nil {
		return nil, fmt.Errorf("bug: the compiled plan breaks a rule: %w", err)
	}
	if c.in.Trace {
		c.Plan.Stamp()
	}
	return &c.Plan, nil
}

// initName is what ps calls the init until the program has its place, in the 15 bytes that the
// kernel keeps.
const initName = "ociruntime:init"

// begin cuts the init off from whatever the caller left: descriptors, name, signals.
func (c *compiler) begin() error {
	size := plan.PageSize
	c.Step("default", "share the progress page with the runtime", c.MapPage(size))
	c.Step("default", "let nobody look into this process", plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"))
	// Otherwise ps shows the number of the descriptor that the image was executed from.
	c.Step("default", "take a name of its own", plan.Prctl(unix.PR_SET_NAME, "PR_SET_NAME", plan.Str(initName)))
	c.Step("default", "close every inherited descriptor on exec", plan.CloseOnExecFrom(3+c.Plan.Preserve))
	c.resetSignals()
	c.moreFiles()
	return nil
}

// moreFiles lets the init have as many descriptors as it may, where its mounts may not fit into the
// 1024 that are usual. oldFiles, if set, is what the program gets back.
func (c *compiler) moreFiles() {
	if c.joining || len(c.spec.Mounts)+len(c.lin.Devices) < 250 {
		return
	}
	c.oldFiles, c.hasOldFiles = c.Buf("limits", make([]byte, 16)), true
	hard, more := c.tmp(), c.Buf("higher limits", make([]byte, 16))
	c.Step("default", "raise the limit on descriptors while there are many mounts",
		limitFiles(plan.Num(0), c.oldFiles),
		plan.Sys(plan.Load64, c.oldFiles.Off(8)).Into(hard),
		plan.Sys(plan.Store64, more, plan.Val(hard)),
		plan.Sys(plan.Store64, more.Off(8), plan.Val(hard)),
		limitFiles(more, plan.Num(0)))
}

func limitFiles(set, get plan.Arg) plan.Op {
	return plan.Sys(plan.SysPrlimit64, plan.Num(0), plan.Int(unix.RLIMIT_NOFILE, "RLIMIT_NOFILE"), set, get)
}

// resetSignals undoes what the caller ignores or blocks: engines start us with SIGPIPE ignored or
// SIGUSR1 blocked, a shell's background jobs ignore SIGINT and SIGQUIT. Real-time signals keep what
// they have but for the three that C libraries take for themselves.
func (c *compiler) resetSignals() {
	// struct kernel_sigaction: handler SIG_DFL, no flags, no restorer, empty mask; the layout is
	// the same where all is zero.
	dfl := plan.Bytes(make([]byte, 32), "SIG_DFL")
	ops := make([]plan.Op, 0, 34)
	for sig := unix.Signal(1); sig <= 34; sig++ {
		if sig == unix.SIGKILL || sig == unix.SIGSTOP {
			continue
		}
		ops = append(ops, plan.Sys(plan.SysRtSigaction, plan.As(uint64(sig), plan.AsSignal), dfl, plan.Num(0), plan.Num(8)))
	}
	const setmask = 2
	ops = append(ops, plan.Sys(plan.SysRtSigprocmask, plan.Int(setmask, "SIG_SETMASK"), plan.Bytes(make([]byte, 8), "{}"), plan.Num(0), plan.Num(8)))
	c.Step("default", "reset signal dispositions and the signal mask", ops...)
}

// FileCgroup is the container's directory in the cgroup v2 tree, in a plan that spawns the process
// into it. In other plans the host starts the init there.
const FileCgroup = "cgroup"

// spawn starts the container's process, the init's child, in new namespaces.
func (c *compiler) spawn(namespaces uint64) plan.Op {
	if !c.spawnsIntoCgroup() {
		return c.SpawnChild(namespaces, nil)
	}
	dir := c.File(plan.File{Name: FileCgroup, From: "linux.cgroupsPath"})
	return c.SpawnChild(namespaces, &dir)
}

// spawnsIntoCgroup says that the container's process is born in its v2 cgroup, not the init before
// it. The user that the init has become in a user namespace may not put anyone there, nor may
// anyone whose cgroup namespace does not reach as far as the runtime's cgroup.
func (c *compiler) spawnsIntoCgroup() bool {
	return c.in.Facts.JoinDir && !c.ns.has(unix.CLONE_NEWUSER) && !c.ns.joins(unix.CLONE_NEWCGROUP)
}

// joinCgroup moves the init, which has a single thread, into its v1 cgroups. Writing 0 to `tasks`
// moves the writer alone and skips the lock behind cgroup.procs, which waits for an RCU grace
// period (10 ms and more on an idle machine). The v2 cgroup is joined at birth (CLONE_INTO_CGROUP).
func (c *compiler) joinCgroup() {
	if c.in.Facts.Attach {
		c.Group = plan.Cgroup
		c.Host(DoAttach, "linux.cgroupsPath", "have systemd move the process into the container's scope")
		c.Group = plan.Namespaces
	}
	if len(c.in.Facts.JoinTasks) == 0 {
		return
	}
	c.Group = plan.Cgroup
	var ops []plan.Op
	for _, h := range c.in.Facts.JoinTasks {
		fd := c.File(plan.File{Name: TasksFile(h), From: "linux.cgroupsPath"})
		ops = append(ops, plan.Write(fd, "0").Says("linux.cgroupsPath: join the "+h+" cgroup"))
	}
	c.Step("linux.cgroupsPath", "join the cgroup of each hierarchy", ops...)
	c.Group = plan.Namespaces
}

func (c *compiler) warn(format string, args ...any) {
	if c.in.Warn != nil {
		c.in.Warn(fmt.Sprintf(format, args...))
	}
}

// procFile returns the register of a procfs that the host has verified, for writes below /proc:
// what is mounted in the container as /proc may be anything (CVE-2019-16884, CVE-2025-52881).
func (c *compiler) procFile() plan.Arg {
	if !c.hasProc {
		c.proc = c.File(plan.File{Name: FileProc, From: "default"})
		c.hasProc = true
	}
	return c.proc
}

// writeProc writes value to a file of the verified procfs.
func (c *compiler) writeProc(file, value string) []plan.Op {
	fd := c.tmp()
	return []plan.Op{
		plan.OpenProc(c.procFile(), file, unix.O_WRONLY).Into(fd),
		plan.Write(plan.Val(fd), value),
		plan.Close(plan.Val(fd)),
	}
}

// Step adds a step and frees the registers of tmp: those that the ops given here use are done with,
// and ops that Do adds afterwards start afresh.
func (c *compiler) Step(from, what string, ops ...plan.Op) {
	c.Builder.Step(from, what, ops...)
	c.used = 0
}

// tmp is a register for the current step alone. It may hold what an earlier step left there: a step
// that puts a condition on one which it may not have written must unset it first.
func (c *compiler) tmp() plan.Reg {
	if c.used == len(c.scratch) {
		c.scratch = append(c.scratch, c.Reg())
	}
	c.used++
	return c.scratch[c.used-1]
}

// empty is a register for the current step that nothing has been written to: a new one while there
// are plenty, else a tmp that ops then unset. A step may ask for a few.
func (c *compiler) empty(ops *[]plan.Op) plan.Reg {
	if c.Plan.Regs < plan.MaxRegs/2 {
		return c.Reg()
	}
	r := c.tmp()
	*ops = append(*ops, unset(r)...)
	return r
}

// kept is a descriptor that later steps need.
type kept struct {
	reg    plan.Reg
	memory plan.Arg // where its number is, when there were too few registers
}

// keep puts a descriptor away.
func (c *compiler) keep(fd plan.Arg) (kept, plan.Op) {
	if c.Plan.Regs < plan.MaxRegs/2 {
		k := kept{reg: c.Reg()}
		return k, plan.SetReg(k.reg, fd)
	}
	k := kept{plan.NoReg, c.Buf("kept", make([]byte, 8))}
	return k, plan.StoreFD(k.memory, fd)
}

// take gives the register in which a descriptor is, in the current step.
func (c *compiler) take(k kept) (plan.Reg, []plan.Op) {
	if k.reg != plan.NoReg {
		return k.reg, nil
	}
	r := c.tmp()
	return r, []plan.Op{plan.Sys(plan.Load32, k.memory).Into(r)}
}

// unset makes registers look as if no op had written them.
func unset(regs ...plan.Reg) []plan.Op {
	ops := make([]plan.Op, 0, len(regs))
	for _, r := range regs {
		ops = append(ops, plan.SetReg(r, plan.Int(plan.Unset, "unset")))
	}
	return ops
}

// rel turns a path of the container into one relative to its root.
func rel(p string) string {
	p = names.Absolute(p)
	if p == "/" {
		return "."
	}
	return p[1:]
}

func itoa(n int) string { return strconv.Itoa(n) }
