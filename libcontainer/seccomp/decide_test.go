package seccomp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// decide runs a compiled profile on a call by name.
func decide(t *testing.T, p *Program, a specs.Arch, call string, args ...uint64) string {
	t.Helper()
	arch := findArch(a)
	i, ok := new(finder).find(call)
	if !ok {
		t.Fatalf("no system call %s", call)
	}
	nr, ok := arch.number(i)
	if !ok {
		t.Fatalf("%s has no %s", a, call)
	}
	d := bpf.Data{Nr: nr, Arch: arch.audit}
	copy(d.Args[:], args)
	return VerdictString(p.Decide(d))
}

func mustCompile(t *testing.T, p *specs.LinuxSeccomp, native specs.Arch) *Program {
	t.Helper()
	program, err := Compile(p, Options{Native: native})
	if err != nil {
		t.Fatal(err)
	}
	if err := bpf.Check(program.Code); err != nil {
		t.Fatal(err)
	}
	return program
}

func arg(index uint, op specs.LinuxSeccompOperator, value uint64, two ...uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Op: op, Value: value, ValueTwo: append(two, 0)[0]}
}

func when(r specs.LinuxSyscall, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	r.Args = args
	return r
}

// TestPrecedence has every pair of rules in both orders: the outcome must be the same.
func TestPrecedence(t *testing.T) {
	allow, kill := rule(specs.ActAllow, "read"), rule(specs.ActKillProcess, "read")
	enoent := specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno, ErrnoRet: new(uint(2))}
	eperm := rule(specs.ActErrno, "read")
	for _, test := range []struct {
		name  string
		rules []specs.LinuxSyscall
		args  []uint64
		want  string
	}{
		{"the default action has no effect", []specs.LinuxSyscall{eperm, allow}, nil, "allow"},
		{"not even with arguments", []specs.LinuxSyscall{when(eperm, arg(0, specs.OpEqualTo, 1)), allow}, []uint64{1}, "allow"},
		{"without arguments before with", []specs.LinuxSyscall{when(kill, arg(0, specs.OpEqualTo, 1)), allow}, []uint64{1}, "allow"},
		{"the stricter of two", []specs.LinuxSyscall{kill, allow}, nil, "kill process"},
		{"an error only names how the default refuses", []specs.LinuxSyscall{enoent, allow}, nil, "allow"},
		{"the stricter of two and an error", []specs.LinuxSyscall{enoent, kill}, nil, "kill process"},
		{"alternatives", []specs.LinuxSyscall{when(allow, arg(0, specs.OpEqualTo, 1)), when(allow, arg(1, specs.OpEqualTo, 2))}, []uint64{0, 2}, "allow"},
		{"none of the alternatives", []specs.LinuxSyscall{when(allow, arg(0, specs.OpEqualTo, 1)), when(allow, arg(1, specs.OpEqualTo, 2))}, []uint64{2, 1}, "errno EPERM"},
		{"equality before bounds", []specs.LinuxSyscall{when(kill, arg(0, specs.OpGreaterEqual, 1)), when(allow, arg(0, specs.OpEqualTo, 5))}, []uint64{5}, "allow"},
		{"upper before lower bounds", []specs.LinuxSyscall{when(kill, arg(0, specs.OpGreaterEqual, 1)), when(allow, arg(0, specs.OpLessEqual, 9))}, []uint64{5}, "allow"},
		{"the later argument", []specs.LinuxSyscall{when(kill, arg(0, specs.OpEqualTo, 1)), when(allow, arg(1, specs.OpEqualTo, 2))}, []uint64{1, 2}, "allow"},
		{"the same conditions", []specs.LinuxSyscall{when(kill, arg(0, specs.OpEqualTo, 1)), when(allow, arg(0, specs.OpEqualTo, 1))}, []uint64{1}, "kill process"},
		{"all conditions of one rule", []specs.LinuxSyscall{when(allow, arg(0, specs.OpEqualTo, 1), arg(1, specs.OpEqualTo, 2))}, []uint64{1, 3}, "errno EPERM"},
		{"two conditions on one argument are alternatives", []specs.LinuxSyscall{when(allow, arg(0, specs.OpEqualTo, 1), arg(0, specs.OpEqualTo, 2))}, []uint64{2}, "allow"},
		{"a later rule after a first condition held", []specs.LinuxSyscall{
			when(allow, arg(0, specs.OpEqualTo, 3), arg(1, specs.OpEqualTo, 3)), when(allow, arg(0, specs.OpNotEqual, 9), arg(2, specs.OpEqualTo, 4)),
		}, []uint64{3, 3}, "allow"},
	} {
		for range 2 {
			p := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: test.rules}, specs.ArchX86_64)
			if got := decide(t, p, specs.ArchX86_64, "read", test.args...); got != test.want {
				t.Errorf("%s: %s, want %s", test.name, got, test.want)
			}
			slices.Reverse(test.rules)
		}
	}
}

// TestOrderNeverMatters shuffles rules, names and conditions.
func TestOrderNeverMatters(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		profile := generate(r)
		machine := pick(r, machines...)
		profile.Architectures = machine
		one := mustCompile(t, profile, machine[0])
		shuffled := *profile
		shuffled.Syscalls = slices.Clone(profile.Syscalls)
		r.Shuffle(len(shuffled.Syscalls), func(i, j int) {
			shuffled.Syscalls[i], shuffled.Syscalls[j] = shuffled.Syscalls[j], shuffled.Syscalls[i]
		})
		for i := range shuffled.Syscalls {
			s := &shuffled.Syscalls[i]
			s.Names, s.Args = slices.Clone(s.Names), slices.Clone(s.Args)
			slices.Reverse(s.Names)
			slices.Reverse(s.Args)
		}
		two := mustCompile(t, &shuffled, machine[0])
		m := newModel(profile, machine[0])
		pool := argumentPool(profile)
		for _, a := range m.arches {
			numbers := numberPool(a, m)
			for range 1000 {
				d := bpf.Data{Nr: pick(r, numbers...), Arch: a.audit}
				for i := range d.Args {
					d.Args[i] = pick(r, pool...)
				}
				if x, y := one.Decide(d), two.Decide(d); x != y {
					t.Fatalf("%s %+v: %s, shuffled %s", a.name, d, VerdictString(x), VerdictString(y))
				}
			}
		}
	}
}

// TestOperators compares every operator with Go's own, around values whose halves matter.
func TestOperators(t *testing.T) {
	interesting := []uint64{0, 1, 5, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 5, 5 << 32, 1<<63 - 1, 1 << 63, ^uint64(0) - 1, ^uint64(0)}
	for _, native := range []specs.Arch{specs.ArchX86_64, specs.ArchS390X, specs.ArchX86, specs.ArchMIPS} {
		for _, op := range operators {
			for _, value := range interesting {
				two := value & 0x1_0000_0005
				r := when(rule(specs.ActAllow, "ioctl"), arg(4, op, value, two))
				p := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{r}}, native)
				for _, x := range interesting {
					a := findArch(native)
					want := "errno EPERM"
					if (modelClause{args: r.Args}).matches(a, [6]uint64{4: x}) {
						want = "allow"
					}
					if got := decide(t, p, native, "ioctl", 7, 7, 7, 7, x, 7); got != want {
						t.Errorf("%s: %#x %s %#x: %s, want %s", native, x, op, value, got, want)
					}
				}
			}
		}
	}
}

func TestNewerCalls(t *testing.T) {
	// openat2 is 437
	rules := []specs.LinuxSyscall{rule(specs.ActAllow, "read", "ioctl", "openat2", "set_tls")}
	for _, test := range []struct {
		action specs.LinuxSeccompAction
		want   string
	}{
		{specs.ActErrno, "errno ENOSYS"}, {specs.ActKill, "errno ENOSYS"}, {specs.ActTrap, "errno ENOSYS"},
		{specs.ActLog, "log"}, {specs.ActTrace, "trace 1"},
	} {
		p := &specs.LinuxSeccomp{DefaultAction: test.action, Syscalls: rules, Architectures: []specs.Arch{specs.ArchX32, specs.ArchX86}}
		program := mustCompile(t, p, specs.ArchX86_64)
		def := verdict(test.action, nil)
		// a call that the profile doesn't know, and one too new for it
		for a, calls := range map[specs.Arch][2]string{
			specs.ArchX86_64: {"pidfd_open", "faccessat2"}, specs.ArchX86: {"pidfd_open", "faccessat2"}, specs.ArchX32: {"readv", "faccessat2"},
		} {
			if got := decide(t, program, a, calls[0]); got != VerdictString(def) {
				t.Errorf("%s %s: %s is %s, want the default", test.action, a, calls[0], got)
			}
			if got := decide(t, program, a, calls[1]); got != test.want {
				t.Errorf("%s %s: %s is %s, want %s", test.action, a, calls[1], got, test.want)
			}
		}
		arm := mustCompile(t, p, specs.ArchARM)
		if got := decide(t, arm, specs.ArchARM, "faccessat2"); got != test.want {
			t.Errorf("%s: faccessat2 on arm, whose set_tls is far above, is %s, want %s", test.action, got, test.want)
		}
		if got := decide(t, arm, specs.ArchARM, "set_tls"); got != "allow" {
			t.Errorf("%s: set_tls on arm is %s", test.action, got)
		}
	}
	s390 := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: rules}, specs.ArchS390X)
	if got := VerdictString(s390.Decide(bpf.Data{Nr: 0, Arch: findArch(specs.ArchS390X).audit})); got != "errno ENOSYS" {
		t.Errorf("call 0 on s390x is %s", got)
	}
}

// TestOtherMachines has architectures in a profile that the kernel can't run: they need no code.
func TestOtherMachines(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", "write")}}
	want := mustCompile(t, p, specs.ArchX86_64).Encode()
	p.Architectures = []specs.Arch{specs.ArchS390X, specs.ArchAARCH64, specs.ArchX86_64, specs.ArchMIPSEL64}
	if got := mustCompile(t, p, specs.ArchX86_64).Encode(); !bytes.Equal(got, want) {
		t.Error("foreign architectures change the filter")
	}
}

func TestMultiplexers(t *testing.T) {
	p := mustCompile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
		rule(specs.ActAllow, "accept", "semop"), when(rule(specs.ActAllow, "socket"), arg(0, specs.OpNotEqual, 40)),
	}}, specs.ArchX86)
	for _, test := range []struct {
		call string
		args []uint64
		want string
	}{
		{"socketcall", []uint64{5}, "allow"}, {"socketcall", []uint64{1}, "allow"}, {"socketcall", []uint64{2}, "errno EPERM"},
		{"ipc", []uint64{1}, "allow"}, {"ipc", []uint64{2}, "errno EPERM"},
		{"socket", []uint64{2}, "allow"}, {"socket", []uint64{40}, "errno EPERM"},
	} {
		if got := decide(t, p, specs.ArchX86, test.call, test.args...); got != test.want {
			t.Errorf("%s%d: %s, want %s", test.call, test.args, got, test.want)
		}
	}
}

// TestGolden compares what explain prints with files; with UPDATE set in the environment it writes
// them.
func TestGolden(t *testing.T) {
	docker := readProfile(t, "testdata/docker.json")
	small := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: new(uint(38)), ListenerPath: "/run/agent.sock",
		Architectures: []specs.Arch{specs.ArchX86},
		Syscalls: []specs.LinuxSyscall{
			rule(specs.ActAllow, "read", "write", "exit_group", "teleport"),
			rule(specs.ActNotify, "mknodat"),
			when(rule(specs.ActAllow, "clone"), arg(0, specs.OpMaskedEqual, 0x7e020000)),
			when(rule(specs.ActKillProcess, "ioctl"), arg(1, specs.OpEqualTo, 0x5412), arg(2, specs.OpGreaterThan, 1<<33)),
			when(rule(specs.ActAllow, "ioctl"), arg(1, specs.OpNotEqual, 0x5412)),
		},
	}
	for _, test := range []struct {
		name    string
		profile *specs.LinuxSeccomp
		write   func(*Program, *strings.Builder) error
	}{
		{"docker.decisions", docker, func(p *Program, b *strings.Builder) error { return p.WriteDecisions(b) }},
		{"small.decisions", small, func(p *Program, b *strings.Builder) error { return p.WriteDecisions(b) }},
		{"small.listing", small, func(p *Program, b *strings.Builder) error { return p.WriteListing(b) }},
	} {
		var b strings.Builder
		if err := test.write(mustCompile(t, test.profile, specs.ArchX86_64), &b); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", test.name+".txt")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs, now:\n%s", file, b.String())
		}
	}
}

func TestTables(t *testing.T) {
	for i := 1; i < nameCount; i++ {
		if name(i-1) >= name(i) {
			t.Errorf("names are not in order: %q, %q", name(i-1), name(i))
		}
	}
	for _, s := range []string{"", "a", "readlinkatz", "zzz", "_", "write "} {
		if i, ok := new(finder).find(s); ok {
			t.Errorf("%q was found as %q", s, name(i))
		}
	}
	var f finder
	r := rand.New(rand.NewPCG(7, 8))
	for range 10000 {
		want := r.IntN(nameCount)
		if i, ok := f.find(name(want)); !ok || i != want {
			t.Fatalf("%s was found at %d, it is at %d", name(want), i, want)
		}
	}
	for i := range arches {
		a := &arches[i]
		seen := map[uint32]string{}
		for n, v := range a.table {
			if v != none && v&private == 0 && v >= tableSize || v != none && v&private != 0 && v&^private >= 16 {
				t.Errorf("%s: %s has number %d, above the tables' size", a.name, name(n), v)
			}
			if nr, ok := a.number(n); ok {
				if seen[nr] != "" {
					t.Errorf("%s: %s and %s have the same number", a.name, name(n), seen[nr])
				}
				seen[nr] = name(n)
			}
		}
	}
	// A few that everybody knows.
	for call, want := range map[string]uint32{"SCMP_ARCH_X86_64 read": 0, "SCMP_ARCH_AARCH64 read": 63, "SCMP_ARCH_X86 exit": 1, "SCMP_ARCH_X32 read": 0x40000000,
		"SCMP_ARCH_ARM set_tls": 0xf0005, "SCMP_ARCH_MIPS64 read": 5000, "SCMP_ARCH_RISCV64 clone3": 435} {
		a, s, _ := strings.Cut(call, " ")
		i, _ := f.find(s)
		if nr, ok := findArch(specs.Arch(a)).number(i); !ok || nr != want {
			t.Errorf("%s is %d, want %d", call, nr, want)
		}
	}
}

func TestNative(t *testing.T) {
	for goarch, want := range map[string]specs.Arch{"amd64": specs.ArchX86_64, "arm64": specs.ArchAARCH64, "loong64": specs.ArchLOONGARCH64, "wasm": "", "": ""} {
		if got := Native(goarch); got != want {
			t.Errorf("%q is %q, want %q", goarch, got, want)
		}
	}
	if _, err := Compile(allowing(), Options{Native: "SCMP_ARCH_VAX"}); err == nil {
		t.Error("compiled for a VAX")
	}
}

// FuzzProfile makes a profile from the input and spoils it now and then.
func FuzzProfile(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, i*i, i%3 == 0)
	}
	f.Fuzz(func(t *testing.T, a, b uint64, spoil bool) {
		r := rand.New(rand.NewPCG(a, b))
		p := generate(r)
		if spoil {
			spoilProfile(r, p)
		}
		machine := pick(r, machines...)
		p.Architectures = append(p.Architectures, machine...)
		program, err := Compile(p, Options{Native: machine[0]})
		if (err == nil) == (program == nil) {
			t.Fatalf("program %v and error %v", program, err)
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "linux.seccomp.") {
					t.Errorf("%q doesn't begin with a place", line)
				}
			}
			return
		}
		if err := bpf.Check(program.Code); err != nil {
			t.Fatalf("the kernel would refuse the filter: %v", err)
		}
		m := newModel(p, machine[0])
		pool := argumentPool(p)
		for range 300 {
			a := pick(r, m.arches...)
			d := bpf.Data{Nr: pick(r, numberPool(a, m)...), Arch: a.audit}
			for i := range d.Args {
				d.Args[i] = pick(r, pool...)
			}
			a = m.archOf(d)
			if a == nil {
				continue
			}
			want := m.decide(a, d.Nr, d.Args)
			if got := program.Decide(d); got != want.verdict && !(want.conflict() && slices.Contains(want.matched, got)) {
				t.Fatalf("%s %+v: %s, want %s", a.name, d, VerdictString(got), VerdictString(want.verdict))
			}
		}
		if err := program.WriteListing(new(strings.Builder)); err != nil {
			t.Fatal(err)
		}
	})
}

func spoilProfile(r *rand.Rand, p *specs.LinuxSeccomp) {
	i := r.IntN(len(p.Syscalls))
	s := &p.Syscalls[i]
	switch r.IntN(8) {
	case 0:
		p.DefaultAction = pick[specs.LinuxSeccompAction](r, "", "ALLOW", specs.ActNotify)
	case 1:
		s.Names = nil
	case 2:
		s.Args = append(s.Args, specs.LinuxSeccompArg{Index: uint(r.Uint32()), Op: specs.OpEqualTo})
	case 3:
		s.Args = append(s.Args, specs.LinuxSeccompArg{Op: "~"})
	case 4:
		p.Architectures = append(p.Architectures, "x86")
	case 5:
		s.ErrnoRet = new(uint(r.Uint32()))
	case 6: // far too much
		for n := range 200 + r.IntN(6000) {
			p.Syscalls = append(p.Syscalls, when(rule(pick(r, specs.ActAllow, specs.ActLog), name(n%nameCount)), someArgs(r)...))
		}
	case 7:
		p.ListenerPath = ""
		s.Names = append(s.Names, fmt.Sprint("call", r.Uint32()))
	}
}
