package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("/bin/env").Edit(process(func(p *specs.Process) {
		p.Env = []string{"A=1", "EMPTY=", "WITH=equals=sign", "A=2", "HOME=/given"}
	}))
	out := strings.Split(b.MustRun(), "\n")
	slices.Sort(out)
	if want := []string{"A=2", "EMPTY=", "HOME=/given", "WITH=equals=sign"}; !slices.Equal(out, want) {
		t.Errorf("environment %q, want %q", out, want)
	}
}

func TestHomeFromPasswd(t *testing.T) {
	t.Parallel()
	for uid, home := range map[uint32]string{0: "/root", 1000: "/home/user", 4242: "/"} {
		b := harness.NewBundle(t).Sh("echo $HOME")
		b.Spec.Process.User.UID = uid
		wantLines(t, b.MustRun(), home)
	}
}

// An empty HOME is as good as none, and there is one in the end.
func TestEmptyHome(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 leaves it empty")
	for _, env := range [][]string{{"HOME="}, {"HOME=/first", "A=b", "HOME="}} {
		b := harness.NewBundle(t).Args("/bin/env").Edit(process(func(p *specs.Process) { p.Env = env })).Save()
		wantLines(t, strings.TrimPrefix(b.MustRun(), "A=b\n"), "HOME=/root")
	}
	b := sleeper(t).Start()
	wantLines(t, b.Must("exec", "-e", "HOME=", b.ID, "sh", "-c", "env | grep ^HOME"), "HOME=/root")
}

func TestEnvironmentErrors(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 takes them")
	for _, bad := range []string{"NOEQUALS", "=x"} {
		b := sleeper(t)
		b.Spec.Process.Env = append(b.Spec.Process.Env, bad)
		b.FailRun("env")
	}
}

func TestCwd(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Writable().Sh("pwd; stat -c %a .")
	b.Spec.Process.Cwd = "/new/deep"
	wantLines(t, b.MustRun(), "/new/deep", "755")

	relative := sleeper(t)
	relative.Spec.Process.Cwd = "tmp"
	message := relative.FailRun()
	contains(t, strings.ToLower(message), "cwd", "absolute")

	file := sleeper(t)
	file.Spec.Process.Cwd = "/etc/passwd"
	file.FailRun()
}

// A working directory that only the process's own user may enter.
func TestCwdOfTheUser(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("pwd").Caps()
	b.File("own/x", "", 0o644)
	if err := os.Chown(b.Rootfs+"/own", 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(b.Rootfs+"/own", 0o700); err != nil {
		t.Fatal(err)
	}
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	b.Spec.Process.Cwd = "/own"
	wantLines(t, b.MustRun(), "/own")
}

func TestArgs(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).File("opt/tool", "#!/bin/sh\necho \"tool $*\"\n", 0o755).Args("tool", "a b", "", "c")
	b.Spec.Process.Env = []string{"PATH=/nosuch:/etc:/opt:/bin"}
	wantLines(t, b.MustRun(), "tool a b  c")

	wantLines(t, harness.NewBundle(t).Args("bin/echo", "relative path").MustRun(), "relative path")

	none := sleeper(t).Args()
	contains(t, none.FailRun(), "args")
}

// Engines make exit codes 126 and 127 out of these words, and expect them
// when the container is created.
func TestCommandNotRunnable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
	}{
		{"nosuchcmd", `exec: "nosuchcmd": executable file not found in $PATH`},
		{"", `exec: "": executable file not found in $PATH`},
		{"/no/such", `exec: "/no/such": stat /no/such: no such file or directory`},
		{"/etc/passwd", `exec: "/etc/passwd": permission denied`},
		{"/etc", `exec: "/etc": is a directory`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := c.want
			if harness.Peer() != "" && c.name == "/etc" {
				want = `exec: "/etc"` // 1.1 says: permission denied
			}
			sleeper(t).Args(c.name).FailRun(want)
			b := sleeper(t).Start()
			res := b.Exec(c.name)
			if res.Code != 255 || !strings.Contains(res.Message(), want) {
				t.Errorf("exec: exit %d: %s", res.Code, res.Message())
			}
		})
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("id -u; id -g; grep Groups: /proc/self/status").Caps()
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{7, 8, 70000}}
	wantLines(t, b.MustRun(), "1000", "1001", "Groups:\t7 8 70000 ")
	none := harness.NewBundle(t).Sh("grep Groups: /proc/self/status")
	wantLines(t, none.MustRun(), "Groups:\t ")
}

func TestUmask(t *testing.T) {
	t.Parallel()
	old := unix.Umask(0o022)
	unix.Umask(old)
	wantLines(t, harness.NewBundle(t).Sh("umask").MustRun(), "0022")
	b := harness.NewBundle(t).Sh("umask")
	b.Spec.Process.User.Umask = ptr(uint32(0o027))
	wantLines(t, b.MustRun(), "0027")
}

const (
	capChown  = 0
	capKill   = 5
	capNetRaw = 13
)

func capMask(bits ...int) string {
	var m uint64
	for _, b := range bits {
		m |= 1 << b
	}
	return fmt.Sprintf("%016x", m)
}

// Each of the five sets is exactly what config.json lists.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding:    []string{"CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"},
		Permitted:   []string{"CAP_CHOWN", "CAP_KILL"},
		Effective:   []string{"CAP_CHOWN"},
		Inheritable: []string{"CAP_KILL"},
		Ambient:     []string{"CAP_KILL"},
	}
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	b.Start()
	pid := b.Pid()
	for set, want := range map[string]string{
		"CapBnd": capMask(capChown, capKill, capNetRaw),
		"CapInh": capMask(capKill),
		"CapAmb": capMask(capKill),
		// An execve by another user than root leaves the ambient ones.
		"CapPrm": capMask(capKill),
		"CapEff": capMask(capKill),
	} {
		if got := harness.StatusField(pid, set); got != want {
			t.Errorf("%s is %s, want %s", set, got, want)
		}
	}
}

func TestCapabilitiesOfRoot(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Caps("CAP_CHOWN", "CAP_NET_RAW").Start()
	want := capMask(capChown, capNetRaw)
	for _, set := range []string{"CapBnd", "CapPrm", "CapEff"} {
		if got := harness.StatusField(b.Pid(), set); got != want {
			t.Errorf("%s is %s, want %s", set, got, want)
		}
	}
	for _, set := range []string{"CapInh", "CapAmb"} {
		if got := harness.StatusField(b.Pid(), set); got != capMask() {
			t.Errorf("%s is %s, want nothing", set, got)
		}
	}
}

func TestCapabilitiesEmptyAndAbsent(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(process(func(p *specs.Process) { p.Capabilities = &specs.LinuxCapabilities{} })).Start()
	for _, set := range []string{"CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"} {
		if got := harness.StatusField(b.Pid(), set); got != capMask() {
			t.Errorf("empty object: %s is %s", set, got)
		}
	}
	harness.SkipOnPeer(t, "runc", "1.1 gives none when the object is absent")
	absent := sleeper(t).Edit(process(func(p *specs.Process) { p.Capabilities = nil })).Start()
	for _, set := range []string{"CapBnd", "CapPrm", "CapEff"} {
		if got, want := harness.StatusField(absent.Pid(), set), harness.StatusField(os.Getpid(), set); got != want {
			t.Errorf("absent object: %s is %s, want the runtime's own %s", set, got, want)
		}
	}
}

func TestUnknownCapabilityIsAWarning(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	b := harness.NewBundle(t).Args("echo", "runs").Caps("CAP_CHOWN", "CAP_CHEESE")
	b.Flags = []string{"--log", log}
	wantLines(t, b.MustRun(), "runs")
	contains(t, readFile(t, log), "level=warning", "CAP_CHEESE")
	// One that nobody can grant, since it isn't in our own bounding set.
	harness.SkipOnPeer(t, "runc", "1.1 fails for it")
	if harness.StatusField(os.Getpid(), "CapBnd") == "000001fffeffffff" {
		b := harness.NewBundle(t).Args("echo", "runs").Caps("CAP_CHOWN", "CAP_SYS_RESOURCE")
		if res := b.Run(); res.Code != 0 || res.Stdout != "runs\n" {
			t.Errorf("capability that cannot be granted: %+v", res)
		}
	}
}

func TestNoNewPrivileges(t *testing.T) {
	t.Parallel()
	for value, want := range map[bool]string{true: "1", false: "0"} {
		b := sleeper(t).Edit(process(func(p *specs.Process) { p.NoNewPrivileges = value })).Start()
		if got := harness.StatusField(b.Pid(), "NoNewPrivs"); got != want {
			t.Errorf("NoNewPrivs is %s, want %s", got, want)
		}
	}
}

func TestRlimits(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	limits := []struct {
		name       string
		kind       int
		soft, hard uint64
	}{
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, 100, 200}, {"RLIMIT_CORE", unix.RLIMIT_CORE, 0, 4096},
		{"RLIMIT_NPROC", unix.RLIMIT_NPROC, 50, 60}, {"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, 1 << 20, unix.RLIM_INFINITY},
		{"RLIMIT_STACK", unix.RLIMIT_STACK, 1 << 20, unix.RLIM_INFINITY}, {"RLIMIT_AS", unix.RLIMIT_AS, 64 << 20, 64 << 20},
		{"RLIMIT_MEMLOCK", unix.RLIMIT_MEMLOCK, 4096, 8192}, {"RLIMIT_CPU", unix.RLIMIT_CPU, 100, 200},
		{"RLIMIT_SIGPENDING", 11, 20, 30}, {"RLIMIT_MSGQUEUE", 12, 1000, 2000}, {"RLIMIT_DATA", unix.RLIMIT_DATA, 1 << 26, 1 << 26},
	}
	b.Spec.Process.Rlimits = nil
	for _, l := range limits {
		b.Spec.Process.Rlimits = append(b.Spec.Process.Rlimits, specs.POSIXRlimit{Type: l.name, Soft: l.soft, Hard: l.hard})
	}
	b.Start()
	pid := b.Pid()
	for _, l := range limits {
		var got unix.Rlimit
		if err := unix.Prlimit(pid, l.kind, nil, &got); err != nil {
			t.Fatal(err)
		}
		if got.Cur != l.soft || got.Max != l.hard {
			t.Errorf("%s is %d/%d, want %d/%d", l.name, got.Cur, got.Max, l.soft, l.hard)
		}
	}
}

// Limits that a Go program could not live under itself.
func TestTinyRlimits(t *testing.T) {
	t.Parallel()
	ours(t, "its own init breaks under them")
	for _, l := range []specs.POSIXRlimit{
		{Type: "RLIMIT_NOFILE", Soft: 4, Hard: 4}, {Type: "RLIMIT_NOFILE", Soft: 0, Hard: 0}, {Type: "RLIMIT_NOFILE", Soft: 3, Hard: 100}, {Type: "RLIMIT_AS", Soft: 8 << 20, Hard: 8 << 20}, {Type: "RLIMIT_NPROC", Soft: 1, Hard: 1},
	} {
		b := harness.NewBundle(t).Args("echo", "runs")
		b.Spec.Process.Rlimits = []specs.POSIXRlimit{l}
		wantLines(t, b.MustRun(), "runs")
	}
}

// A limit that leaves no descriptor for the connection of `start`.
func TestRlimitOfNoDescriptor(t *testing.T) {
	t.Parallel()
	ours(t, "its own init breaks under them")
	for _, edit := range []func(b *harness.Bundle){func(*harness.Bundle) {}, func(b *harness.Bundle) { b.MapIDs(100000, 65536) }} {
		b := sleeper(t)
		b.Spec.Process.User.UID = 1000
		b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 3, Hard: 100}}
		edit(b)
		b.Start()
		limits := readFile(t, fmt.Sprintf("/proc/%d/limits", b.Pid()))
		if _, files, _ := strings.Cut(limits, "Max open files"); !slices.Equal(strings.Fields(files)[:2], []string{"3", "100"}) {
			t.Error(limits)
		}
		// The limit is for exec's processes, too.
		if res := b.Exec("sh", "-c", "ulimit -n; ulimit -Hn"); res.Stdout != "3\n100\n" {
			t.Errorf("exec: %+v", res)
		}
	}
}

// Limits that config.json doesn't mention are the caller's, not those that
// the runtime's own language sets for itself.
func TestRlimitsAreInherited(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 passes on what Go raised")
	b := harness.NewBundle(t).Sh("ulimit -n; ulimit -Hn").Edit(process(func(p *specs.Process) { p.Rlimits = nil })).Save()
	cmd := b.Command("run")
	script := fmt.Sprintf("ulimit -Sn 300; ulimit -Hn 5000; exec %s", shellQuote(cmd.Args))
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", script}
	res := b.RunCmd(cmd)
	wantLines(t, res.Stdout, "300", "5000")
}

func shellQuote(args []string) string {
	var quoted []string
	for _, a := range args {
		quoted = append(quoted, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(quoted, " ")
}

func TestRlimitErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CHEESE", Soft: 1, Hard: 1}}
	b.FailRun("RLIMIT_CHEESE")
	b = sleeper(t)
	b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 2, Hard: 1}}
	b.FailRun()
}

func TestOOMScoreAdj(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Process.OOMScoreAdj = ptr(555)
	b.Start()
	if got := strings.TrimSpace(readFile(t, fmt.Sprintf("/proc/%d/oom_score_adj", b.Pid()))); got != "555" {
		t.Errorf("oom_score_adj is %s", got)
	}
	absent := sleeper(t).Start()
	want := readFile(t, "/proc/self/oom_score_adj")
	if got := readFile(t, fmt.Sprintf("/proc/%d/oom_score_adj", absent.Pid())); got != want {
		t.Errorf("oom_score_adj is %s, want the caller's %s", got, want)
	}
	bad := sleeper(t)
	bad.Spec.Process.OOMScoreAdj = ptr(5000)
	message := bad.FailRun()
	if harness.Peer() == "" {
		contains(t, message, "process.oomScoreAdj")
	}
}

func TestScheduler(t *testing.T) {
	harness.NeedsCap(t, "CAP_SYS_NICE", unix.CAP_SYS_NICE)
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no scheduler section")
	// SCHED_IDLE leaves the nice value as it is; the call gives 20 less it.
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	own := int32(20 - priority)
	for _, c := range []struct {
		section specs.Scheduler
		policy  uint32
		nice    int32
	}{
		{specs.Scheduler{Policy: specs.SchedBatch, Nice: 19}, unix.SCHED_BATCH, 19},
		{specs.Scheduler{Policy: specs.SchedIdle}, unix.SCHED_IDLE, own},
		{specs.Scheduler{Policy: specs.SchedOther, Nice: 5, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}}, unix.SCHED_NORMAL, 5},
	} {
		b := sleeper(t)
		b.Spec.Process.Scheduler = &c.section
		b.Start()
		got, err := unix.SchedGetAttr(b.Pid(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if got.Policy != c.policy || got.Nice != c.nice {
			t.Errorf("policy %d nice %d, want %d %d", got.Policy, got.Nice, c.policy, c.nice)
		}
		if want := len(c.section.Flags) > 0; (got.Flags&unix.SCHED_FLAG_RESET_ON_FORK != 0) != want {
			t.Errorf("flags %#x", got.Flags)
		}
	}
	for _, bad := range []specs.Scheduler{
		{Policy: "SCHED_CHEESE"}, {Policy: specs.SchedOther, Nice: 20}, {Policy: specs.SchedOther, Priority: 3},
		{Policy: specs.SchedFIFO, Runtime: 1000}, {Policy: specs.SchedOther, Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_CHEESE"}},
	} {
		b := sleeper(t)
		b.Spec.Process.Scheduler = &bad
		b.FailRun("scheduler")
	}
}

// The kernel has one word for all that a policy may lack.
func TestSchedulerSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	ours(t, "passes on the kernel's word")
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Args("true")
	b.Spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedFIFO, Priority: 5}
	b.FailRun("process.scheduler: ", "operation not permitted", "CAP_SYS_NICE", "RLIMIT_RTPRIO")
}

func TestIOPriority(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no ioPriority section")
	for class, number := range map[specs.IOPriorityClass]int{
		specs.IOPRIO_CLASS_RT: 1, specs.IOPRIO_CLASS_BE: 2, specs.IOPRIO_CLASS_IDLE: 3,
	} {
		b := sleeper(t)
		b.Spec.Process.IOPriority = &specs.LinuxIOPriority{Class: class, Priority: 5}
		b.Start()
		r, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(b.Pid()), 0)
		if errno != 0 {
			t.Fatal(errno)
		}
		level := int(r) & 7
		if int(r)>>13 != number || number != 3 && level != 5 {
			t.Errorf("%s 5: class %d level %d", class, int(r)>>13, level)
		}
	}
	for _, bad := range []specs.LinuxIOPriority{{Class: "IOPRIO_CLASS_CHEESE"}, {Class: specs.IOPRIO_CLASS_BE, Priority: 8}} {
		b := sleeper(t)
		b.Spec.Process.IOPriority = &bad
		contains(t, strings.ToLower(b.FailRun()), "iopriority")
	}
}

func TestPersonality(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no personality section")
	b := harness.NewBundle(t).Args("uname", "-m")
	b.Spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
	native := harness.NewBundle(t).Args("uname", "-m").MustRun()
	if got := b.MustRun(); native == "x86_64" && got != "i686" {
		t.Errorf("LINUX32: uname -m says %s", got)
	}
	bad := sleeper(t)
	bad.Spec.Linux.Personality = &specs.LinuxPersonality{Domain: "SOLARIS"}
	bad.FailRun("personality")
}

// execCPUAffinity is for exec'd processes only.
func TestExecCPUAffinity(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no execCPUAffinity")
	b := sleeper(t)
	b.Spec.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: "0"}
	b.Start()
	want := harness.StatusField(os.Getpid(), "Cpus_allowed_list")
	if got := harness.StatusField(b.Pid(), "Cpus_allowed_list"); got != want {
		t.Errorf("the container's own process may use CPUs %s, want %s", got, want)
	}
	contains(t, b.MustExec("grep", "Cpus_allowed_list", "/proc/self/status"), "\t0")
	bad := sleeper(t)
	bad.Spec.Process.ExecCPUAffinity = &specs.CPUAffinity{Final: "x"}
	bad.FailRun("execCPUAffinity")
}

// The payload starts with a clean signal state, whatever its caller had:
// engines ignore SIGPIPE and block signals.
func TestSignalStateIsReset(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 keeps what the caller ignores")
	b := harness.NewBundle(t).Args("grep", "^Sig[BI]", "/proc/self/status").Save()
	cmd := b.Command("run")
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "trap '' PIPE HUP TERM; exec " + shellQuote(cmd.Args)}
	res := b.RunCmd(cmd)
	wantLines(t, res.Stdout, "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000")
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Probe("keyring")
	own := b.MustRun()
	if !strings.Contains(own, "keyring;") || !strings.Contains(own, b.ID) {
		t.Errorf("session keyring %q, want one named after the container", own)
	}
	shared := harness.NewBundle(t).Probe("keyring")
	if got := shared.MustRun("--no-new-keyring"); strings.Contains(got, shared.ID) {
		t.Errorf("session keyring %q with --no-new-keyring", got)
	}
}

// With too low a hard limit of open files, the error says whose limit it is and what is needed.
func TestTooFewOpenFiles(t *testing.T) {
	t.Parallel()
	ours(t, "words")
	limited := func(limit string, cmd *exec.Cmd) (string, error) {
		cmd.Args = append([]string{"/bin/sh", "-c", "ulimit -n " + limit + `; exec "$@"`, "sh"}, cmd.Args...)
		cmd.Path = "/bin/sh"
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	b := sleeper(t)
	withoutSystemd(t, "D-Bus takes descriptors, too")
	b.Spec.Process.Rlimits = nil
	const limit = "hard limit of open files, ulimit -Hn, is "
	tooFew := []string{"8", "14", "20", "26"}
	if harness.Unified() { // one directory in place of a file for each hierarchy
		tooFew = tooFew[:1]
	}
	for _, n := range tooFew {
		if out, err := limited(n, b.Command("run")); err == nil || !strings.Contains(out, limit+n) {
			t.Errorf("run with %s: %v: %s", n, err, out)
		}
	}
	started := sleeper(t).Start()
	for _, n := range tooFew[:min(2, len(tooFew))] {
		if out, err := limited(n, started.Cmd("exec", started.ID, "true")); err == nil || !strings.Contains(out, limit+n) {
			t.Errorf("exec with %s: %v: %s", n, err, out)
		}
	}
	// What the error asks for is enough.
	out, _ := limited(tooFew[len(tooFew)/2], b.Command("run"))
	_, want, _ := strings.Cut(out, "this takes about ")
	other := harness.NewBundle(t).Args("true")
	other.Spec.Process.Rlimits = nil
	if out, err := limited(strings.TrimRight(strings.TrimSpace(want), ")\"\n"), other.Command("run")); err != nil {
		t.Errorf("run with what was asked for, %q: %v: %s", want, err, out)
	}
}
