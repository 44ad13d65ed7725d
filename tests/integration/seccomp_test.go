package integration

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rule is an entry of linux.seccomp.syscalls.
func rule(action specs.LinuxSeccompAction, names ...string) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: names, Action: action}
}

// filter sets a profile.
func filter(def specs.LinuxSeccompAction, rules ...specs.LinuxSyscall) func(s *specs.Spec) {
	return func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: def, Syscalls: rules} }
}

func dockerProfile(t *testing.T) *specs.LinuxSeccomp {
	t.Helper()
	var p specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(readFile(t, "../../libcontainer/seccomp/testdata/docker.json")), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// statusFields picks lines of /proc/PID/status and drops the white space.
func statusFields(status string, names ...string) string {
	var found []string
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if slices.Contains(names, name) {
			found = append(found, name+"="+strings.TrimSpace(value))
		}
	}
	return strings.Join(found, " ")
}

// Docker's profile lets a shell work, refuses mount even to a process with CAP_SYS_ADMIN, and lets
// C libraries fall back from clone3 and from calls that are newer than it.
func TestSeccompDocker(t *testing.T) {
	t.Parallel()
	calls := []string{"/probe", fmt.Sprint(unix.SYS_MOUNT), fmt.Sprint(unix.SYS_CLONE3), "900"}
	want := []string{"EPERM", "ENOSYS", "ENOSYS"}
	for _, nnp := range []bool{true, false} {
		t.Run(fmt.Sprintf("noNewPrivileges=%t", nnp), func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Caps("CAP_SYS_ADMIN").Edit(func(s *specs.Spec) {
				s.Linux.Seccomp, s.Process.NoNewPrivileges = dockerProfile(t), nnp
			}).Sh("echo one two | wc -w; ls / | grep -c bin; cat /proc/self/status; exec sleep 1000")
			b.InstallProbe("call")
			b.Start()
			harness.Eventually(t, "the shell's output", func() bool { return strings.Contains(b.Output(), "nonvoluntary") })
			contains(t, b.Output(), "2\n1\n")
			fields := statusFields(b.Output(), "Seccomp", "Seccomp_filters", "NoNewPrivs")
			if want := fmt.Sprintf("NoNewPrivs=%d Seccomp=2 Seccomp_filters=1", map[bool]int{true: 1}[nnp]); fields != want {
				t.Errorf("create: %s, want %s", fields, want)
			}
			status := b.MustExec("cat", "/proc/self/status")
			if got := statusFields(status, "Seccomp", "Seccomp_filters", "NoNewPrivs"); got != fields {
				t.Errorf("exec: %s, want %s", got, fields)
			}
			wantLines(t, b.MustExec(calls...), want...)
		})
	}
	// Without the filter the kernel looks at the arguments, or does not know the call either.
	free := harness.NewBundle(t).Caps("CAP_SYS_ADMIN").Probe("call", calls[1:]...)
	wantLines(t, free.MustRun(), "EFAULT", "EINVAL", "ENOSYS")
}

// What happens to a call. The shell's umask is one that it makes itself.
func TestSeccompActions(t *testing.T) {
	t.Parallel()
	errno := uint(unix.ENODEV)
	const killed = 128 + int(unix.SIGSYS)
	for _, c := range []struct {
		name   string
		rule   specs.LinuxSyscall
		script string
		out    string
		code   int
	}{
		{"kill", rule(specs.ActKill, "umask"), "echo before; umask 077; echo after", "before\n", killed},
		{"kill thread", rule(specs.ActKillThread, "umask"), "echo before; umask 077; echo after", "before\n", killed},
		{"kill process", rule(specs.ActKillProcess, "umask"), "echo before; umask 077; echo after", "before\n", killed},
		{"kill a child", rule(specs.ActKillProcess, "mkdir", "mkdirat"), "mkdir /tmp/x; echo $?", fmt.Sprintln(killed), 0},
		{"trap", rule(specs.ActTrap, "umask"), "trap 'echo trapped' SYS; umask 077; echo after", "trapped\nafter\n", 0},
		{"trap untreated", rule(specs.ActTrap, "umask"), "umask 077; echo after", "", killed},
		{"log", rule(specs.ActLog, "umask"), "umask 077; umask", "0077\n", 0},
		{"allow", rule(specs.ActAllow, "umask"), "umask 077; umask", "0077\n", 0},
		{"errno", rule(specs.ActErrno, "mkdir", "mkdirat"), "mkdir /tmp/x 2>&1", "mkdir: can't create directory '/tmp/x': Operation not permitted\n", 1},
		{
			"given errno", specs.LinuxSyscall{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: &errno},
			"mkdir /tmp/x 2>&1", "mkdir: can't create directory '/tmp/x': No such device\n", 1,
		},
		{"trace without a tracer", rule(specs.ActTrace, "mkdir", "mkdirat"), "mkdir /tmp/x 2>&1", "mkdir: can't create directory '/tmp/x': Function not implemented\n", 1},
		{"unknown call", rule(specs.ActKillProcess, "no_such_call"), "umask 077; umask", "0077\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Writable().Sh(c.script).Edit(filter(specs.ActAllow, c.rule))
			if res := b.Run(); res.Stdout != c.out || res.Code != c.code {
				t.Errorf("exit %d, %q, want exit %d, %q; stderr: %s", res.Code, res.Stdout, c.code, c.out, res.Stderr)
			}
		})
	}
}

// The kernel's log has a line for each call that SCMP_ACT_LOG meets.
func TestSeccompLog(t *testing.T) {
	t.Parallel()
	if logged, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_logged"); err != nil || !strings.Contains(string(logged), "log") {
		t.Skipf("this kernel logs no seccomp actions: %q, %v", logged, err)
	}
	// The log has the pids of the host's pid namespace (PROC_PID_INIT_INO of the kernel).
	if namespace(t, os.Getpid(), "pid") != "pid:[4026531836]" {
		t.Skip("the kernel's log has the pids of the host, and these tests run in another pid namespace")
	}
	kmsg, err := os.OpenFile("/dev/kmsg", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("the kernel's log can't be read here: %v", err)
	}
	defer kmsg.Close()
	if _, err := unix.Seek(int(kmsg.Fd()), 0, unix.SEEK_END); err != nil {
		t.Fatal(err)
	}
	// The kernel prints ten such lines in five seconds, and other tests have theirs.
	b := harness.NewBundle(t).Sh("while umask 077; do sleep 0.5; done").Edit(filter(specs.ActAllow, rule(specs.ActLog, "umask"))).Start()
	want := []string{fmt.Sprintf(" pid=%d ", b.Pid()), fmt.Sprintf(" syscall=%d ", unix.SYS_UMASK), "sig=0"}
	record := make([]byte, 8192)
	harness.Eventually(t, fmt.Sprintf("a line with %q in the kernel's log", want), func() bool {
		for {
			n, err := unix.Read(int(kmsg.Fd()), record)
			if err == unix.EPIPE {
				continue // overwritten before it was read
			}
			if err != nil {
				return false
			}
			line := string(record[:n])
			if !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(line, w) }) {
				return true
			}
		}
	})
}

// tinyProgram is a static program of a few instructions that makes no calls but write(1, "ok\n",
// 3), pause if it is to wait, and exit_group(0). A C library's start alone makes a dozen.
func tinyProgram(t *testing.T, waits bool) string {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the test's program is machine code for amd64")
	}
	const write, waiting, exitGroup = 1, 34, 231 // as amd64 numbers them
	call := func(nr byte, more ...byte) []byte {
		// mov $nr, %eax; …; syscall
		return append(append([]byte{0xb8, nr, 0, 0, 0}, more...), 0x0f, 0x05)
	}
	pause := []byte{}
	if waits {
		pause = call(waiting)
	}
	exit := call(exitGroup, 0x31, 0xff) // xor %edi, %edi
	// from behind lea to the text: mov $3, %edx; syscall; the rest
	text := 2 + 5 + len(pause) + len(exit)
	code := call(write, 0xbf, 1, 0, 0, 0, 0x48, 0x8d, 0x35, byte(text), 0, 0, 0, 0xba, 3, 0, 0, 0)
	code = append(append(append(code, pause...), exit...), "ok\n"...)

	const base, header = 0x400000, 64 + 56
	le := binary.LittleEndian
	elf := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, v := range []uint16{2, 62} { // ET_EXEC, EM_X86_64
		elf = le.AppendUint16(elf, v)
	}
	elf = le.AppendUint32(elf, 1)
	for _, v := range []uint64{base + header, 64, 0} { // entry, program headers, section headers
		elf = le.AppendUint64(elf, v)
	}
	elf = le.AppendUint32(elf, 0)
	for _, v := range []uint16{64, 56, 1, 64, 0, 0} {
		elf = le.AppendUint16(elf, v)
	}
	for _, v := range []uint32{1, 5} { // PT_LOAD, readable and executable
		elf = le.AppendUint32(elf, v)
	}
	size := uint64(header + len(code))
	for _, v := range []uint64{0, base, base, size, size, 0x1000} {
		elf = le.AppendUint64(elf, v)
	}
	return string(append(elf, code...))
}

// A profile has to allow what the program needs, and execve: the runtime needs nothing.
func TestSeccompStrict(t *testing.T) {
	t.Parallel()
	for _, nnp := range []bool{true, false} {
		for _, action := range []specs.LinuxSeccompAction{specs.ActKillProcess, specs.ActErrno} {
			t.Run(fmt.Sprintf("%s noNewPrivileges=%t", action, nnp), func(t *testing.T) {
				t.Parallel()
				b := harness.NewBundle(t).File("ok", tinyProgram(t, false), 0o755).File("wait", tinyProgram(t, true), 0o755).Args("/wait").
					Edit(filter(action, rule(specs.ActAllow, "execve", "write", "pause", "exit_group"))).
					Edit(process(func(p *specs.Process) {
						p.NoNewPrivileges, p.User = nnp, specs.User{UID: 1000, GID: 1000}
					}))
				trace := filepath.Join(harness.TempDir(t), "trace")
				b.Create("--trace", trace)
				b.Must("start", b.ID)
				harness.Eventually(t, "output", func() bool { return b.Output() == "ok\n" })
				if got := b.MustExec("/ok"); got != "ok" {
					t.Errorf("exec: %q", got)
				}
				if fields := statusFields(readFile(t, fmt.Sprintf("/proc/%d/status", b.Pid())), "Seccomp"); fields != "Seccomp=2" {
					t.Errorf("init: %s", fields)
				}
			})
		}
	}
}

// A filter that refuses even execve is an error of start. One that kills at execve is
// indistinguishable from one that kills the program.
func TestSeccompWithoutExecve(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("true").Edit(filter(specs.ActAllow, rule(specs.ActErrno, "execve"))).Create()
	res := b.Do("start")
	if res.Code == 0 {
		t.Fatal("start succeeded")
	}
	contains(t, res.Message(), "true", "operation not permitted")
	killed := harness.NewBundle(t).Args("true").Edit(filter(specs.ActAllow, rule(specs.ActKillProcess, "execve")))
	if res := killed.Run(); res.Code != 128+int(unix.SIGSYS) {
		t.Errorf("killed at execve: exit %d, %s", res.Code, res.Message())
	}
}

// CAP_SYS_ADMIN, kept for loading the filter, is gone when the program runs, even if the filter
// refuses capset or says that it worked.
func TestSeccompDropsAdmin(t *testing.T) {
	t.Parallel()
	zero := uint(0)
	for name, capset := range map[string]specs.LinuxSyscall{
		"allowed": rule(specs.ActAllow, "capset"),
		"refused": rule(specs.ActErrno, "capset"),
		"faked":   {Names: []string{"capset"}, Action: specs.ActErrno, ErrnoRet: &zero},
		"killing": rule(specs.ActKillProcess, "capset"),
	} {
		for _, uid := range []uint32{0, 1000} {
			t.Run(fmt.Sprintf("%s, user %d", name, uid), func(t *testing.T) {
				t.Parallel()
				b := harness.NewBundle(t).Caps("CAP_KILL", "CAP_CHOWN").Args("sleep", "1000").Edit(filter(specs.ActAllow, capset)).
					Edit(process(func(p *specs.Process) { p.NoNewPrivileges, p.User = false, specs.User{UID: uid, GID: uid} })).Start()
				want := "CapInh=0000000000000000 CapPrm=0000000000000021 CapEff=0000000000000021 CapBnd=0000000000000021 CapAmb=0000000000000000 Seccomp=2"
				if uid != 0 {
					want = strings.NewReplacer("CapPrm=0000000000000021", "CapPrm=0000000000000000", "CapEff=0000000000000021", "CapEff=0000000000000000").Replace(want)
				}
				fields := []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Seccomp"}
				if got := statusFields(readFile(t, fmt.Sprintf("/proc/%d/status", b.Pid())), fields...); got != want {
					t.Errorf("init:\n got %s\nwant %s", got, want)
				}
				if got := statusFields(b.MustExec("cat", "/proc/self/status"), fields...); got != want {
					t.Errorf("exec:\n got %s\nwant %s", got, want)
				}
			})
		}
	}
}

// Engines write an empty object for no filter, and a listener's path without a rule for it.
func TestSeccompNone(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("cat", "/proc/self/status")
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{}
	data, err := json.Marshal(b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	b.SaveRaw(strings.Replace(string(data), `"seccomp":{"defaultAction":""}`, `"seccomp":{}`, 1))
	if got := statusFields(b.MustRun(), "Seccomp"); got != "Seccomp=0" {
		t.Errorf("{}: %s", got)
	}
	b = harness.NewBundle(t).Args("cat", "/proc/self/status").Edit(filter(specs.ActAllow, rule(specs.ActErrno, "mount")))
	b.Spec.Linux.Seccomp.ListenerPath = "/nowhere/agent.sock"
	if got := statusFields(b.MustRun(), "Seccomp"); got != "Seccomp=2" {
		t.Errorf("listenerPath without SCMP_ACT_NOTIFY: %s", got)
	}
}

func TestSeccompErrors(t *testing.T) {
	t.Parallel()
	ours(t, "others word these in their own way, or let them pass")
	socket := filepath.Join(harness.TempDir(t), "agent.sock")
	notify := func(def specs.LinuxSeccompAction, rules ...specs.LinuxSyscall) func(s *specs.Spec) {
		return func(s *specs.Spec) {
			filter(def, rules...)(s)
			s.Linux.Seccomp.ListenerPath = socket
		}
	}
	for name, c := range map[string]struct {
		edit  func(s *specs.Spec)
		words []string
	}{
		"nobody listens":       {notify(specs.ActAllow, rule(specs.ActNotify, "mkdir")), []string{"linux.seccomp.listenerPath", "nobody listens", socket}},
		"notify for sendmsg":   {notify(specs.ActAllow, rule(specs.ActNotify, "sendmsg")), []string{"linux.seccomp.syscalls", "sendmsg"}},
		"notify for recvfrom":  {notify(specs.ActAllow, rule(specs.ActNotify, "recvfrom")), []string{"linux.seccomp.syscalls", "recvfrom"}},
		"no sendmsg to notify": {notify(specs.ActErrno, rule(specs.ActNotify, "mkdir")), []string{"linux.seccomp.syscalls", "must allow sendmsg"}},
		"notify by default":    {notify(specs.ActNotify), []string{"linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY"}},
		"notify, no path":      {filter(specs.ActAllow, rule(specs.ActNotify, "mkdir")), []string{"linux.seccomp", "listenerPath"}},
		"unknown call": {func(s *specs.Spec) {
			filter(specs.ActAllow, rule(specs.ActErrno, "no_such_call"))(s)
			s.Annotations = map[string]string{"run.oci.seccomp_fail_unknown_syscall": "1"}
		}, []string{"linux.seccomp.syscalls", "no_such_call"}},
		"too many rules": {func(s *specs.Spec) {
			var rules []specs.LinuxSyscall
			for i := range uint64(3000) {
				r := rule(specs.ActAllow, "socket")
				r.Args = []specs.LinuxSeccompArg{{Index: 1, Value: i << 33, Op: specs.OpEqualTo}}
				rules = append(rules, r)
			}
			filter(specs.ActErrno, rules...)(s)
		}, []string{"linux.seccomp.syscalls", "4096"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			harness.NewBundle(t).Args("true").Edit(c.edit).FailRun(c.words...)
		})
	}
}
