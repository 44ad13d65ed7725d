package seccomp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestErrorsNameTheirPlace(t *testing.T) {
	ok := rule(specs.ActAllow, "read")
	with := func(r specs.LinuxSyscall, change func(*specs.LinuxSyscall)) specs.LinuxSyscall {
		change(&r)
		return r
	}
	for _, test := range []struct {
		name    string
		profile specs.LinuxSeccomp
		want    []string
	}{
		{"nothing", specs.LinuxSeccomp{}, []string{`defaultAction: must be set`}},
		{"unknown default", specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_PANIC"}, []string{`defaultAction: unknown action "SCMP_ACT_PANIC"`}},
		{"notify all", specs.LinuxSeccomp{DefaultAction: specs.ActNotify}, []string{"defaultAction: SCMP_ACT_NOTIFY can't be the default: nobody would be left to answer"}},
		{"errno for allow", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, DefaultErrnoRet: new(uint(1))},
			[]string{`defaultErrnoRet: must not be set: "SCMP_ACT_ALLOW" returns none`}},
		{"errno too large", specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: new(uint(4096))}, []string{"defaultErrnoRet: must not be more than 4095: 4096"}},
		{"architecture", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86, "SCMP_ARCH_VAX"}},
			[]string{`architectures[1]: unknown architecture "SCMP_ARCH_VAX"`}},
		{"flag", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_NEW_LISTENER"}},
			[]string{`flags[0]: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER"`}},
		{"metadata", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerMetadata: "x"}, []string{"listenerMetadata: must not be set without a listenerPath"}},
		{"notify nobody", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(specs.ActNotify, "read")}},
			[]string{"syscalls[0].action: SCMP_ACT_NOTIFY needs a listenerPath"}},
		{"no names", specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{ok, rule(specs.ActAllow)}},
			[]string{"syscalls[1].names: must not be empty"}},
		{"all at once", specs.LinuxSeccomp{Syscalls: []specs.LinuxSyscall{
			with(ok, func(r *specs.LinuxSyscall) { r.Action = "" }),
			with(ok, func(r *specs.LinuxSyscall) { r.ErrnoRet = new(uint(1)) }),
			with(ok, func(r *specs.LinuxSyscall) { r.Action, r.ErrnoRet = specs.ActTrace, new(uint(65536)) }),
			with(ok, func(r *specs.LinuxSyscall) {
				r.Args = []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}, {Op: "=="}}
			}),
		}}, []string{
			`defaultAction: must be set`,
			`syscalls[0].action: must be set`,
			`syscalls[1].errnoRet: must not be set: "SCMP_ACT_ALLOW" returns none`,
			"syscalls[2].errnoRet: must not be more than 65535: 65536",
			"syscalls[3].args[0].index: must be between 0 and 5, not 6",
			`syscalls[3].args[1].op: unknown operator "=="`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compile(&test.profile, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			var want []string
			for _, w := range test.want {
				want = append(want, "linux.seccomp."+w)
			}
			if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", err, strings.Join(want, "\n"))
			}
		})
	}
}

func TestUnknownNames(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", "teleport", "", "zzz")}}
	program, err := Compile(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"teleport", "", "zzz"}; !slices.Equal(program.Unknown, want) {
		t.Errorf("skipped %q, want %q", program.Unknown, want)
	}
	if _, err := Compile(p, Options{FailUnknown: true}); err == nil || !strings.Contains(err.Error(), "teleport") {
		t.Errorf("error %v doesn't name the unknown call", err)
	}
}

// TestTooLong has a profile that needs more instructions than the kernel takes, in two ways.
func TestTooLong(t *testing.T) {
	for _, rules := range []int{3000, 70000} {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
		for i := range rules {
			r := rule(specs.ActAllow, name(i%nameCount))
			r.Args = []specs.LinuxSeccompArg{{Index: uint(i % 6), Value: 3, ValueTwo: uint64(i), Op: specs.OpMaskedEqual}, {Index: uint(i+1) % 6, Value: uint64(i), Op: specs.OpEqualTo}}
			p.Syscalls = append(p.Syscalls, r)
		}
		_, err := Compile(p, Options{})
		if err == nil || !strings.Contains(err.Error(), "4096") || !strings.HasPrefix(err.Error(), "linux.seccomp.syscalls: ") {
			t.Errorf("%d rules: %v", rules, err)
		}
	}
}

func TestFlags(t *testing.T) {
	all := []specs.LinuxSeccompFlag{flagTSYNC, specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv}
	notify := rule(specs.ActNotify, "getsid")
	for _, test := range []struct {
		name     string
		flags    []specs.LinuxSeccompFlag
		rules    []specs.LinuxSyscall
		want     uint32
		listener bool
	}{
		{"absent", nil, nil, FlagSpecAllow, false},
		{"empty", []specs.LinuxSeccompFlag{}, nil, 0, false},
		{"log", []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog}, nil, FlagLog, false},
		{"all without a listener", all, nil, FlagTSYNC | FlagLog | FlagSpecAllow, false},
		{"all with a listener", all, []specs.LinuxSyscall{notify}, FlagLog | FlagSpecAllow | FlagNewListener | FlagWaitKillableRecv, true},
	} {
		p := allowing(test.rules...)
		p.Flags = test.flags
		program, err := Compile(p, Options{})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if program.Flags != test.want || program.Listener != test.listener {
			t.Errorf("%s: flags %#x, listener %v; want %#x, %v", test.name, program.Flags, program.Listener, test.want, test.listener)
		}
		if out, _ := onKernel(t, program.Encode(), program.Flags); out != "" {
			t.Errorf("%s: the kernel refuses flags %#x: %s", test.name, program.Flags, out)
		}
	}
}

func TestFeatures(t *testing.T) {
	f := Features()
	// What is listed must compile, and what compiles must be listed.
	for _, action := range f.Actions {
		if p := allowing(rule(specs.LinuxSeccompAction(action), "getsid")); !compiles(p) {
			t.Errorf("action %s is listed but not known", action)
		}
	}
	for _, op := range f.Operators {
		r := rule(specs.ActErrno, "getsid")
		r.Args = []specs.LinuxSeccompArg{{Op: specs.LinuxSeccompOperator(op)}}
		if !compiles(allowing(r)) {
			t.Errorf("operator %s is listed but not known", op)
		}
	}
	for _, a := range f.Archs {
		p := allowing()
		p.Architectures = []specs.Arch{specs.Arch(a)}
		if !compiles(p) {
			t.Errorf("architecture %s is listed but not known", a)
		}
	}
	for _, flag := range f.KnownFlags {
		p := allowing()
		p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(flag)}
		if !compiles(p) || !slices.Contains(f.SupportedFlags, flag) {
			t.Errorf("flag %s is listed but not known", flag)
		}
	}
	if got := fmt.Sprint(len(f.Actions), len(f.Operators), len(f.Archs), len(f.KnownFlags)); got != "9 7 23 4" {
		t.Errorf("%s actions, operators, architectures and flags; the specification has 9 7 23 4", got)
	}
}

func compiles(p *specs.LinuxSeccomp) bool {
	_, err := Compile(p, Options{})
	return err == nil
}
