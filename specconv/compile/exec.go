package compile

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
)

// lookup finds the program as execvp does, with the container's PATH and as the container's user,
// so that `create` can say what is missing. The wording is that of Go's os/exec: engines derive
// exit codes from it.
func (c *compiler) lookup(p *specs.Process) plan.Arg {
	name := c.programName(p)
	if name == "" && len(p.Args) == 0 {
		return plan.Str("")
	}
	quoted := `exec: "` + name + `"`
	if strings.Contains(name, "/") {
		dir := c.tmp()
		c.Step("process.args", "look for "+name,
			access(name, unix.F_OK).Says(quoted+": stat "+name),
			access(name, unix.X_OK).Says(quoted),
			isDirectory(name, dir),
			plan.FailWith(unix.EISDIR).When(dir.OK()).Says(quoted))
		return plan.Str(name)
	}
	found, x, dir := c.Reg(), c.tmp(), c.tmp()
	dirs := strings.Split(searchPath(p.Env), ":")
	ops := make([]plan.Op, 0, 5*len(dirs)+1)
	for _, d := range dirs {
		if d == "" {
			d = "."
		}
		candidate := strings.TrimSuffix(d, "/") + "/" + name
		ops = append(ops, unset(x, dir)...)
		ops = append(ops,
			access(candidate, unix.X_OK).Into(x).When(found.NotOK()).Allowing(unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ENAMETOOLONG),
			isDirectory(candidate, dir).When(x.OK()),
			plan.SetReg(found, plan.Str(candidate)).When(dir.Failed()))
	}
	ops = append(ops, plan.FailWith(unix.ENOENT).When(found.NotOK()).Says(quoted+": executable file not found in $PATH."))
	c.Step("process.args", "look for "+name+" in PATH", ops...)
	return plan.Val(found)
}

// programName is what is executed: process.args[0], unless that is not the program's name.
func (c *compiler) programName(p *specs.Process) string {
	if c.path != "" || len(p.Args) == 0 {
		return c.path
	}
	return p.Args[0]
}

// searchPath is PATH of the process's environment.
func searchPath(env []string) string {
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		return defaultPath
	}
	return lastValue(env, "PATH")
}

// lastValue is the value of a variable of the environment, of two with one name the last one's.
func lastValue(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if n, v, _ := strings.Cut(env[i], "="); n == name {
			return v
		}
	}
	return ""
}

// access asks with the effective ids.
func access(p string, mode int64) plan.Op {
	label := "F_OK"
	if mode == unix.X_OK {
		label = "X_OK"
	}
	return plan.Sys(plan.SysFaccessat2, plan.CWD(), plan.Str(p), plan.Int(mode, label), plan.Int(unix.AT_EACCESS, "AT_EACCESS"))
}

// isDirectory succeeds for a directory, without needing a descriptor that a low RLIMIT_NOFILE would
// refuse. root may "execute" directories as far as access is concerned.
func isDirectory(p string, into plan.Reg) plan.Op {
	return plan.Sys(plan.SysFaccessat2, plan.CWD(), plan.Str(p+"/."), plan.Int(unix.F_OK, "F_OK"), plan.Int(unix.AT_EACCESS, "AT_EACCESS")).
		Into(into).Allowing(unix.ENOTDIR, unix.EACCES)
}

const findsHome = "find the user's home directory in the container's /etc/passwd"

// passwd finds the container's /etc/passwd for the host, if the environment has no HOME or an empty
// one. That is done by the init, which sees what is mounted there. The host opens it for reading,
// once it is sure of a regular file: to open a pipe or a device that an image has in its place may
// wait, fail or have effects.
//
// Where there is to be another rendezvous anyway, the two are one. If not, the host is asked now,
// and works while the init goes on: 0.1 ms of an exec.
func (c *compiler) passwd(p *specs.Process) (plan.Reg, bool) {
	if c.spec.Process == nil || lastValue(p.Env, "HOME") != "" {
		return plan.NoReg, false
	}
	fd := c.Reg()
	c.Step("process.env", "find /etc/passwd of the container, to find HOME in",
		plan.OpenInRoot(plan.Val(c.root), "etc/passwd", 0).
			Into(fd).Allowing(unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ENAMETOOLONG))
	if !c.told(p) {
		c.Do(c.Ask(string(DoHome), fd)...)
		c.awaitsHome = true
	}
	return fd, true
}

// takeHome waits for what the host has been asked.
func (c *compiler) takeHome() {
	if c.awaitsHome {
		c.awaitsHome = false
		c.Answer(DoHome, "process.env", findsHome)
	}
}

// Host is that of the Builder: two questions at once would be answered in the wrong order.
func (c *compiler) Host(do plan.HostStep, from, what string) {
	c.takeHome()
	c.Builder.Host(do, from, what)
}

// environment is process.env, of two entries with one name the last, with what the runtime adds.
func (c *compiler) environment(p *specs.Process, home bool) []plan.Arg {
	last := make(map[string]int, len(p.Env))
	for i, e := range p.Env {
		name, _, _ := strings.Cut(e, "=")
		last[name] = i
	}
	var env []plan.Arg
	for i, e := range p.Env {
		if name, _, _ := strings.Cut(e, "="); last[name] == i && !(home && name == "HOME") {
			env = append(env, plan.Str(e))
		}
	}
	if c.in.ListenFDs > 0 {
		env = append(env, plan.Str("LISTEN_FDS="+itoa(c.in.ListenFDs)), plan.Str("LISTEN_PID=1"))
	}
	if home {
		env = append(env, plan.Page(plan.PageHome))
	}
	return env
}

// endBySignals has the signals that ask a process to end do so while it waits for start, and before
// create returns: nobody may find it deaf. The kernel drops what
// the first process of a pid namespace has no handler for (pid_namespaces(7)). execve puts the
// default back (signal(7)), so that the program does not inherit it.
func (c *compiler) endBySignals() {
	if !c.Plan.Waits {
		return
	}
	// struct kernel_sigaction of amd64 and arm64: handler, flags, restorer, mask. The handler does
	// not return, but amd64 refuses to call one without a restorer.
	const saRestorer = 0x04000000
	action := make([]byte, 32)
	binary.NativeEndian.PutUint64(action[8:], saRestorer)
	handler := plan.Arg{Kind: plan.KindHandler}
	end := c.Buf("end", action, plan.Ptr{Off: 0, To: handler}, plan.Ptr{Off: 16, To: handler})
	signals := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGTERM}
	ops := make([]plan.Op, len(signals))
	for i, sig := range signals {
		ops[i] = plan.Sys(plan.SysRtSigaction, plan.As(uint64(sig), plan.AsSignal), end, plan.Num(0), plan.Num(8))
	}
	c.Step("default", "end by a signal that comes before the program runs", ops...)
}

// reapOthers has the kernel reap what becomes the init's child: of one that is not started, others
// join the pid namespace, and leave it their orphans. That is what ignoring SIGCHLD does
// (wait(2)), also for a process that had ended before it got a new parent.
func (c *compiler) reapOthers() {
	if !c.in.Hold {
		return
	}
	ignore := make([]byte, 32)
	const sigIgn = 1
	binary.NativeEndian.PutUint64(ignore, sigIgn)
	c.Step("default", "have the kernel reap the orphans of others in the pid namespace",
		plan.Sys(plan.SysRtSigaction, plan.As(uint64(unix.SIGCHLD), plan.AsSignal), plan.Bytes(ignore, "SIG_IGN"), plan.Num(0), plan.Num(8)))
}

// waitForStart closes all but the start socket and waits on it. The connection takes the place of
// the sync socket: `start` sees it end when execve succeeds, and reads a report from it otherwise.
func (c *compiler) waitForStart() {
	c.Step("default", "let go of everything but the start socket",
		plan.SetReg(plan.Report, plan.Int(-1, "none")),
		plan.Close(plan.Arg{Kind: plan.KindFile, Int: 0}),
		plan.Sys(plan.SysCloseRange, plan.Arg{Kind: plan.KindFile, Int: 2}, plan.Int(0xffffffff, "max"), plan.Num(0)))
	socket := plan.Arg{Kind: plan.KindFile, Int: 1}
	c.Step("default", "wait for start",
		plan.Sys(plan.SysAccept4, socket, plan.Num(0), plan.Num(0), plan.Int(unix.SOCK_CLOEXEC, "SOCK_CLOEXEC")).Into(plan.Report).Retrying(),
		plan.Close(socket))
}

// holdWith loads the filter of a process that is not started while there is time for it: who might
// take the process over, as another one with CAP_SYS_PTRACE in its pid namespace can, would have a
// process without a filter. It reports whether the filter is loaded.
func (c *compiler) holdWith(p *specs.Process, filter *seccomp.Program) (loaded bool) {
	if !c.in.Hold || !p.NoNewPrivileges || filter == nil || filter.Listener {
		return false
	}
	c.loadFilter(filter)
	return true
}

// ExecInput is all that the plan of `exec` depends on, beside Input's fields.
type ExecInput struct {
	Input
	// Namespaces are the CLONE_NEW* flags of the container's namespaces that differ from ours.
	Namespaces uint64
	// Announced says that somebody is told of the process before its program runs.
	Announced bool
	// Path of the program, for a process whose args[0] does not name it, as that of a hook.
	Path string
}

// FilePidfd is the descriptor of the container's init in the plan of `exec`.
const FilePidfd = "container init"

// Exec makes the plan of `exec`: into the container's cgroups and namespaces, then the same
// compiler of process as `create`. in.Spec is the container's own configuration with Process
// replaced.
func Exec(in *ExecInput) (*plan.Plan, error) {
	c := &compiler{Builder: plan.NewBuilder(), in: &in.Input, spec: in.Spec, lin: in.Spec.Linux, joining: true, announced: in.Announced, path: in.Path}
	if c.lin == nil {
		c.lin = &specs.Linux{}
	}
	c.Plan.Preserve = in.Preserve
	// What config.json joined by path is not looked at again: the kernel says what is not ours.
	c.ns = namespaces{entered: in.Namespaces}
	if err := c.begin(); err != nil {
		return nil, err
	}
	c.appears = in.Namespaces&(unix.CLONE_NEWPID|unix.CLONE_NEWTIME) != 0
	if !in.Facts.JoinDir {
		// The v2 cgroup the init is born in: there the host sees to it.
		c.affinity("process.execCPUAffinity.initial", in.Spec.Process.ExecCPUAffinity, true)
	}
	c.oomScore()
	c.joinContainer(in.Namespaces)
	c.joinCgroup()
	if !c.affinity("process.execCPUAffinity.final", in.Spec.Process.ExecCPUAffinity, false) {
		c.allCPUs()
	}
	c.takeRoot(in.Namespaces)
	if err := c.terminal(); err != nil {
		return nil, err
	}
	if err := c.nullStdio(); err != nil {
		return nil, err
	}
	if err := c.process(); err != nil {
		return nil, err
	}
	return c.finish()
}

// joinContainer joins all of the container's namespaces at once, as a pidfd of its init names them
// (Linux 5.8). Of its pid and time namespaces only children become part.
func (c *compiler) joinContainer(flags uint64) {
	if flags != 0 {
		fd := c.File(plan.File{Name: FilePidfd, From: "default"})
		ops := []plan.Op{plan.Setns(fd, plan.As(flags, plan.AsClone))}
		if flags&unix.CLONE_NEWUSER != 0 {
			ops = append(append(ops, plan.Become(FirstIDs(c.spec))...), plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"))
		}
		c.Step("default", "join the container's namespaces: "+namespaceNames(flags), ops...)
	}
	if !c.appears {
		c.Step("default", "begin a session", plan.Sys(plan.SysSetsid))
	}
	if !c.in.NoNewKeyring {
		c.keyring()
	}
}

// takeRoot gets hold of the container's root. Joining a mount namespace leads there. In a container
// without one the init has changed its root directory, and so does the process.
func (c *compiler) takeRoot(joined uint64) {
	c.root = c.Reg()
	if joined&unix.CLONE_NEWNS != 0 {
		c.Step("default", "take the container's root", plan.OpenFile(plan.CWD(), "/", unix.O_PATH|unix.O_DIRECTORY, 0, 0).OnHost().Into(c.root))
		return
	}
	fd := c.File(plan.File{Name: FileRootfs, From: "root.path"})
	c.Step("root.path", "change the root to the container's",
		plan.SetReg(c.root, fd), plan.Fchdir(plan.Val(c.root)), plan.Sys(plan.SysChroot, plan.Str(".")))
}
