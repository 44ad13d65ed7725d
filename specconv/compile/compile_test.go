package compile

import (
	"encoding/json"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// The tests below run compiled plans in plan's fake kernel, which says yes to
// everything but what a test scripts: they show what the init does where the
// kernel or the image has a say.

// smallSpec is the smallest configuration with a root file system of its own.
func smallSpec() *specs.Spec {
	return &specs.Spec{
		Version: "1.3.0",
		Root:    &specs.Root{Path: "rootfs"},
		Process: &specs.Process{Args: []string{"/bin/app"}, Env: []string{"HOME=/"}, Cwd: "/"},
		Linux:   &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.PIDNamespace}}},
	}
}

// lived is how a container's init fared.
type lived struct {
	t     *testing.T
	plan  *plan.Plan
	out   *plan.Outcome
	trace []string
	// program is what execve was asked for.
	program string
}

// fakeKernel is plan's, and notes what is executed.
type fakeKernel struct {
	plan.Fake
	program string
}

func (k *fakeKernel) Call(o *plan.Op, args []plan.Value) (uint64, unix.Errno) {
	if o.Call == plan.SysExecve {
		// Its address may come from a register; the memory behind argv's is the same.
		program := plan.Value{Mem: args[1].Mem[args[0].Word-args[1].Word:]}
		k.program = program.String()
	}
	return k.Fake.Call(o, args)
}

// live compiles spec and runs the plan; change may adapt the input.
func live(t *testing.T, spec *specs.Spec, change func(*input), answers ...plan.Answer) *lived {
	t.Helper()
	in := ordinaryInput()
	in.Run = true
	if change != nil {
		change(in)
	}
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := compileConfig(data, in)
	if err != nil {
		t.Fatal(err)
	}
	fds := make([]int, len(p.Files))
	for i := range fds {
		fds[i] = 3 + p.Preserve + i
	}
	// Unless the test says otherwise, no program is a directory.
	answers = append(answers, plan.Answer{Call: plan.SysFaccessat2, Has: `/.",`, Errno: unix.ENOTDIR})
	k := &fakeKernel{Fake: plan.Fake{Answers: answers}}
	out, err := plan.Interp(p, fds, k)
	if err != nil {
		t.Fatal(err)
	}
	return &lived{t, p, out, k.Trace, k.program}
}

// executed wants the plan to have come to its execve.
func (l *lived) executed() {
	l.t.Helper()
	if l.out.End != plan.EndExecuted {
		step, op := l.plan.At(l.out.Op)
		l.t.Fatalf("ended in step %q, %s: %v", step.What, op.Call, l.out.Errno)
	}
}

// failed wants the plan to have failed with errno in an op that says msg.
func (l *lived) failed(errno unix.Errno, msg string) {
	l.t.Helper()
	if l.out.End != plan.EndFailed || l.out.Errno != errno {
		l.t.Fatalf("end %d with %v, want %v", l.out.End, l.out.Errno, errno)
	}
	step, op := l.plan.At(l.out.Op)
	if says := op.Msg + step.What; !strings.Contains(says, msg) {
		l.t.Errorf("failed in %q, which does not say %q", says, msg)
	}
}

// calls gives the calls that contain text.
func (l *lived) calls(text string) []string {
	var found []string
	for _, c := range l.trace {
		if strings.Contains(c, text) {
			found = append(found, c)
		}
	}
	return found
}

// inOrder wants the texts to appear in this order, each in a call of its own.
func (l *lived) inOrder(texts ...string) {
	l.t.Helper()
	at := 0
	for _, text := range texts {
		for at < len(l.trace) && !strings.Contains(l.trace[at], text) {
			at++
		}
		if at == len(l.trace) {
			l.t.Fatalf("no %q in its place in\n%s", text, strings.Join(l.trace[35:], "\n"))
		}
		at++
	}
}

// null answers statx with the null device (major 1, minor 3).
func null() plan.Answer { return statxAnswer(unix.S_IFCHR|0o666, 1, 3) }

func statxAnswer(mode uint16, major, minor uint32) plan.Answer {
	b := make([]byte, 256)
	b[statxMode], b[statxMode+1] = byte(mode), byte(mode>>8)
	b[statxRdevMajor], b[statxRdevMajor+4] = byte(major), byte(minor)
	return plan.Answer{Call: plan.SysStatx, Data: string(b)}
}

func masked(paths ...string) *specs.Spec {
	s := smallSpec()
	s.Linux.MaskedPaths = paths
	return s
}

// noDirectory answers that a path leads to a file.
func noDirectory(path string) plan.Answer {
	return plan.Answer{Call: plan.SysOpenat2, Has: `"` + path + `", {O_PATH|O_DIRECTORY`, Errno: unix.ENOTDIR}
}

func TestMaskOfAFile(t *testing.T) {
	l := live(t, masked("/proc/kcore"), nil, null(), noDirectory("proc/kcore"))
	l.executed()
	l.inOrder(`"dev/null"`, "statx(fd6", `"proc/kcore", {O_PATH|O_DIRECTORY`, `"proc/kcore", {O_PATH|O_CLOEXEC`, "open_tree(fd6", "move_mount(")
	// One tree for the root, one for the mask: the empty tmpfs stays unused.
	if n := len(l.calls("move_mount(")); n != 2 {
		t.Errorf("%d mounts:\n%s", n, strings.Join(l.calls("move_mount("), "\n"))
	}
}

func TestMaskOfNothingIsSkipped(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.ENOTDIR} {
		l := live(t, masked("/proc/kcore", "/proc/keys"), nil, null(), plan.Answer{Call: plan.SysOpenat2, Has: `"proc/kcore"`, Errno: errno})
		l.executed()
		if n := len(l.calls("move_mount(")); n != 2 {
			t.Errorf("%v: %d mounts, for the root and /proc/keys", errno, n)
		}
	}
	l := live(t, masked("/proc/kcore"), nil, null(), plan.Answer{Call: plan.SysOpenat2, Has: `"proc/kcore"`, Errno: unix.EACCES})
	l.failed(unix.EACCES, "mask /proc/kcore")
}

// A machine with hundreds of CPUs has hundreds of paths to be masked. The work of a check must not
// grow with their square, as it does when each looks through those before it: ten times the paths
// then took 100 times as long.
func BenchmarkCheckOfMasks(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(itoa(n), func(b *testing.B) {
			paths := make([]string, n)
			for i := range paths {
				paths[i] = "/sys/devices/system/cpu/cpu" + itoa(i) + "/thermal_throttle"
			}
			p, err := Create(&Input{ID: "c1", Bundle: "/bundle", Spec: masked(paths...), Facts: ordinaryInput().Facts})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := plan.Check(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The first directory is hidden behind the empty tmpfs itself, the next ones behind its clones:
// kernels before 6.15 clone nothing that is not attached, and what is never attached is dear to
// drop.
func TestMaskOfDirectories(t *testing.T) {
	l := live(t, masked("/proc/keys", "/proc/acpi", "/sys/firmware"), nil, null(), noDirectory("proc/keys"))
	l.executed()
	l.inOrder(`"nr_inodes"`, `fsmount(`, `"proc/keys"`, "open_tree(fd6", "move_mount(", `"proc/acpi"`, "move_mount(fd8", `"sys/firmware"`, "open_tree(fd7", "move_mount(fd1,")
	if moves := l.calls("move_mount("); len(moves) != 4 {
		t.Errorf("mounts:\n%s", strings.Join(moves, "\n"))
	}
	l = live(t, masked("/sys/firmware"), nil, null(), plan.Answer{Call: plan.SysMoveMount, Has: "T_EMPTY_PATH", Errno: unix.EPERM})
	l.failed(unix.EPERM, "mask /sys/firmware")
}

// CVE-2025-31133: what masks are made from must be the null device.
func TestMaskFromSomethingElse(t *testing.T) {
	for name, answer := range map[string]plan.Answer{
		"a file":         statxAnswer(unix.S_IFREG|0o666, 1, 3),
		"another device": statxAnswer(unix.S_IFCHR|0o666, 8, 0),
		"a link":         {Call: plan.SysOpenat2, Has: `"dev/null", {O_PATH|O_NOFOLLOW`, Errno: unix.ELOOP},
	} {
		l := live(t, masked("/proc/kcore"), nil, answer)
		// The root file system is cloned, and nothing else.
		if l.out.End != plan.EndFailed || len(l.calls("open_tree(")) != 1 {
			t.Errorf("%s: masked with it: %v", name, l.out.Errno)
		}
	}
}

func TestReadonlyPathMissing(t *testing.T) {
	s := smallSpec()
	s.Linux.ReadonlyPaths = []string{"/proc/bus", "/proc/sys"}
	l := live(t, s, nil, plan.Answer{Call: plan.SysOpenat2, Has: `"proc/bus"`, Errno: unix.ENOENT})
	l.executed()
	if got := l.calls("{+ro}"); len(got) != 1 {
		t.Errorf("read-only: %q", got)
	}
	l = live(t, s, nil, plan.Answer{Call: plan.SysMountSetattr, Has: "{+ro}", Errno: unix.EPERM})
	l.failed(unix.EPERM, "make /proc/bus read-only")
}

func bound(dest string) *specs.Spec {
	s := smallSpec()
	s.Mounts = []specs.Mount{{Destination: dest, Source: "/srv", Options: []string{"bind", "ro"}}}
	return s
}

func TestMissingTargetIsMade(t *testing.T) {
	absent := plan.Answer{Call: plan.SysOpenat2, Has: `"a/b/c"`, Only: 1, Errno: unix.ENOENT}
	file, dir := sourceIs(false), sourceIs(true)

	l := live(t, bound("/a/b/c"), dir, absent)
	l.executed()
	l.inOrder(`"a", 0755`, `"a/b"`, `"c", 0755`, `"a/b/c", {O_PATH|O_DIRECTORY`, "move_mount(")

	l = live(t, bound("/a/b/c"), file, absent)
	l.executed()
	l.inOrder(`"a", 0755`, `"b", 0755`, `mknodat(`, `"a/b/c", {O_PATH|O_CLOEXEC`, "move_mount(")

	// Some of it is there.
	l = live(t, bound("/a/b/c"), dir, absent, plan.Answer{Call: plan.SysMkdirat, Has: `"a"`, Errno: unix.EEXIST})
	l.executed()

	// All of it is there: nothing is made.
	if l = live(t, bound("/a/b/c"), dir); len(l.calls("mkdirat(")) > 1 { // /dev
		t.Errorf("made:\n%s", strings.Join(l.calls("mkdirat("), "\n"))
	}
	// It can't be made, or is of the other kind.
	l = live(t, bound("/a/b/c"), dir, absent, plan.Answer{Call: plan.SysMkdirat, Has: `"b"`, Errno: unix.EROFS})
	l.failed(unix.EROFS, "bind /srv on /a/b/c")
	l = live(t, bound("/a/b/c"), dir, plan.Answer{Call: plan.SysOpenat2, Has: `"a/b/c"`, Errno: unix.ENOTDIR})
	l.failed(unix.ENOTDIR, "bind /srv on /a/b/c")
}

// sourceIs answers the fact of mounts[0].
func sourceIs(dir bool) func(*input) {
	return func(in *input) { in.addSource(0, dir) }
}

// CVE-2019-19921, CVE-2023-27561: /proc and /sys go on no symbolic link, be it
// in the middle of the path.
func TestProcOnALink(t *testing.T) {
	s := smallSpec()
	s.Mounts = []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}}
	l := live(t, s, nil, plan.Answer{Call: plan.SysOpenat2, Has: `"proc", {O_PATH|O_DIRECTORY|O_CLOEXEC, IN_ROOT|NO_MAGICLINKS|NO_SYMLINKS}`, Errno: unix.ELOOP})
	l.failed(unix.ELOOP, "mount proc on /proc")
}
