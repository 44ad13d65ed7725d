package seccomp

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// kernelProgram loads filters into the real kernel.
var kernelProgram = sync.OnceValues(func() (string, error) {
	exe := filepath.Join(buildDir, "kernel")
	out, err := exec.Command("gcc", "-O2", "-static", "-o", exe, "testdata/kernel.c").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gcc: %w\n%s", err, out)
	}
	return exe, nil
})

// onKernel loads a filter (none if there is no code) in a process of its own, makes the calls there
// and returns what they printed and how the process ended.
func onKernel(t *testing.T, code []byte, flags uint32, calls ...string) (string, error) {
	t.Helper()
	if !findArch(Native(runtime.GOARCH)).wide {
		t.Skip("gcc's program is 64-bit, this test is not")
	}
	exe, err := kernelProgram()
	if err != nil {
		t.Skipf("nothing to load filters with: %v", err)
	}
	cmd := exec.Command(exe, append([]string{fmt.Sprint(flags)}, calls...)...)
	cmd.Stdin = bytes.NewReader(code)
	out, err := cmd.Output()
	return string(out), err
}

func allowing(rules ...specs.LinuxSyscall) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: "/run/agent.sock", Syscalls: rules}
}

func rule(action specs.LinuxSeccompAction, names ...string) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: names, Action: action}
}

// nr returns a call of the kernel program by name.
func nr(t *testing.T, name string, args ...int64) string {
	t.Helper()
	i, ok := new(finder).find(name)
	if !ok {
		t.Fatalf("no system call %s", name)
	}
	n, ok := findArch(Native(runtime.GOARCH)).number(i)
	if !ok {
		t.Skipf("%s has no %s", runtime.GOARCH, name)
	}
	s := fmt.Sprintf("64:%d", n)
	for _, a := range args {
		s += fmt.Sprintf(":%d", a)
	}
	return s
}

func TestKernelObeys(t *testing.T) {
	docker := readProfile(t, "testdata/docker.json")
	errno := func(e syscall.Errno) string { return fmt.Sprintf("-%d\n", int(e)) }
	for _, test := range []struct {
		name    string
		profile *specs.LinuxSeccomp
		calls   []string
		want    string
		signal  syscall.Signal
	}{
		{"docker: mount", docker, []string{nr(t, "mount")}, errno(syscall.EPERM), 0},
		{"docker: clone3", docker, []string{nr(t, "clone3")}, errno(syscall.ENOSYS), 0},
		{"docker: a call of the future", docker, []string{"64:600"}, errno(syscall.ENOSYS), 0},
		{"docker: new user namespace", docker, []string{nr(t, "clone", syscall.CLONE_NEWUSER)}, errno(syscall.EPERM), 0},
		{"docker: vsock", docker, []string{nr(t, "socket", 40, 1)}, errno(syscall.EPERM), 0},
		{"docker: no such domain", docker, []string{nr(t, "socket", 0, 1)}, errno(syscall.EAFNOSUPPORT), 0},
		{"docker: personality", docker, []string{nr(t, "personality", 0xffffffff)}, "0\n", 0},
		{"docker: another personality", docker, []string{nr(t, "personality", 4)}, errno(syscall.EPERM), 0},
		{"kill thread", allowing(rule(specs.ActKill, "getsid")), []string{nr(t, "getsid")}, "", syscall.SIGSYS},
		{"kill process", allowing(rule(specs.ActKillProcess, "getsid")), []string{nr(t, "getsid")}, "", syscall.SIGSYS},
		{"trap", allowing(rule(specs.ActTrap, "getsid")), []string{nr(t, "getsid")}, "", syscall.SIGSYS},
		{"trace without a tracer", allowing(rule(specs.ActTrace, "getsid")), []string{nr(t, "getsid")}, errno(syscall.ENOSYS), 0},
		{"log", allowing(rule(specs.ActLog, "getsid")), []string{nr(t, "getsid", -1)}, errno(syscall.ESRCH), 0},
		{"notify", allowing(rule(specs.ActNotify, "getsid")), []string{nr(t, "getsid", 7), nr(t, "getsid", 8)}, "-1007\n-1008\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := Compile(test.profile, Options{})
			if err != nil {
				t.Fatal(err)
			}
			out, err := onKernel(t, p.Encode(), p.Flags, test.calls...)
			if out != test.want {
				t.Errorf("got %q, want %q", out, test.want)
			}
			if got := signal(err); got != test.signal {
				t.Errorf("ended with %v (%v), want %v", got, err, test.signal)
			}
		})
	}
}

func signal(err error) syscall.Signal {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if s := exit.Sys().(syscall.WaitStatus); s.Signaled() {
			return s.Signal()
		}
	}
	return 0
}

// needsEntry skips the test if a process without a filter can't even make the call: a kernel may be
// built without the 32-bit entry, or keep it from programs (ia32_emulation=0), and then int $0x80
// is a SIGSEGV. The x32 entry is the 64-bit one, so filters see its calls on every kernel.
func needsEntry(t *testing.T, call string) {
	t.Helper()
	if _, err := onKernel(t, nil, 0, call); err != nil {
		t.Skipf("this machine does not take the call %s, without a filter either: %v", call, err)
	}
}

// TestKernelSeesArchitectures makes a 64-bit process call the 32-bit and x32 entries, as an
// attacker would.
func TestKernelSeesArchitectures(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the calls are x86's")
	}
	deny := specs.LinuxSyscall{Names: []string{"setns"}, Action: specs.ActErrno, ErrnoRet: new(uint(77))}
	profile := func(arches ...specs.Arch) *specs.LinuxSeccomp {
		p := allowing(deny)
		p.Architectures = arches
		return p
	}
	const setns32, setns64 = "32:346", "64:308"
	for _, test := range []struct {
		name    string
		profile *specs.LinuxSeccomp
		calls   []string
		want    string
		signal  syscall.Signal
	}{
		{"native", profile(), []string{setns64}, "-77\n", 0},
		{"32-bit when not listed", profile(), []string{setns32}, "", syscall.SIGSYS},
		{"32-bit when listed", profile(specs.ArchX86), []string{setns32, "32:20000", setns64}, "-77\n-38\n-77\n", 0},
		{"x32 when not listed", profile(specs.ArchX86), []string{"x32:308"}, "", syscall.SIGSYS},
		{"x32 when listed", profile(specs.ArchX32), []string{"x32:308"}, "-77\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, call := range test.calls {
				needsEntry(t, call)
			}
			p, err := Compile(test.profile, Options{})
			if err != nil {
				t.Fatal(err)
			}
			out, err := onKernel(t, p.Encode(), p.Flags, test.calls...)
			if out != test.want || signal(err) != test.signal {
				t.Errorf("got %q, %v; want %q, %v", out, err, test.want, test.signal)
			}
		})
	}
}

// TestKernelTakesWhatCheckTakes compares the checker with the kernel's, on programs that the
// compiler never makes.
func TestKernelTakesWhatCheckTakes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	ops := []bpf.Op{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15, 0x16, 0x1d, 0x20, 0x28, 0x30, 0x34, 0x35, 0x3c, 0x40, 0x45, 0x54, 0x60, 0x61,
		0x64, 0x74, 0x80, 0x81, 0x84, 0x87, 0x94, 0xa4, 0xac, 0xb1}
	taken, refused := 0, 0
	for range 300 {
		var code []bpf.Instruction
		for range 1 + r.IntN(5) {
			in := bpf.Instruction{Op: pick(r, ops...), True: uint8(r.IntN(3)), False: uint8(r.IntN(3)), K: pick[uint32](r, 0, 1, 4, 15, 16, 31, 32, 60, 64)}
			code = append(code, in)
		}
		if r.IntN(8) != 0 {
			code = append(code, bpf.Instruction{Op: bpf.Return, K: retAllow})
		}
		err := bpf.Check(code)
		native := findArch(Native(runtime.GOARCH))
		out, _ := onKernel(t, bpf.Encode(code, native.order()), 0)
		if refusal := strings.HasPrefix(out, "load "); refusal != (err != nil) {
			t.Fatalf("%v: Check says %v, the kernel %q", code, err, out)
		}
		if err != nil {
			refused++
		} else {
			taken++
		}
	}
	if taken < 20 || refused < 20 {
		t.Errorf("%d programs taken and %d refused, too few to compare", taken, refused)
	}
}

func TestKernelLimit(t *testing.T) {
	code := slices.Repeat([]bpf.Instruction{{Op: bpf.LoadAbs}}, bpf.MaxInstructions)
	code[len(code)-1] = bpf.Instruction{Op: bpf.Return, K: retAllow}
	order := findArch(Native(runtime.GOARCH)).order()
	if out, err := onKernel(t, bpf.Encode(code, order), 0); out != "" || err != nil || bpf.Check(code) != nil {
		t.Errorf("%d instructions: %q %v, Check says %v", len(code), out, err, bpf.Check(code))
	}
	code = append(code, code[len(code)-1])
	if out, _ := onKernel(t, bpf.Encode(code, order), 0); out != "load 22\n" || bpf.Check(code) == nil {
		t.Errorf("%d instructions: %q, Check says %v", len(code), out, bpf.Check(code))
	}
}
