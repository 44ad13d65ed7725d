package check

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckSeccomp(t *testing.T) {
	seccomp := func(p specs.LinuxSeccomp) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.Seccomp = &p } }
	rule := func(r specs.LinuxSyscall) func(*specs.Spec) {
		return seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{r}})
	}
	names := []string{"getcwd"}
	tests := []checkTest{
		{"empty is none", seccomp(specs.LinuxSeccomp{}), ""},
		{"no default", seccomp(specs.LinuxSeccomp{Syscalls: []specs.LinuxSyscall{{Names: names, Action: specs.ActAllow}}}),
			`linux.seccomp.defaultAction: must be set`},
		{"unknown default", seccomp(specs.LinuxSeccomp{DefaultAction: "ALLOW"}), `linux.seccomp.defaultAction: unknown action "ALLOW"`},
		{"notify as default", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActNotify}),
			"linux.seccomp.defaultAction: SCMP_ACT_NOTIFY can't be the default: nobody would be left to answer"},
		{"default errno", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: new(uint(4095))}), ""},
		{"default errno of allow", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, DefaultErrnoRet: new(uint(1))}),
			`linux.seccomp.defaultErrnoRet: must not be set: "SCMP_ACT_ALLOW" returns none`},
		{"big errno", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: new(uint(4096))}),
			"linux.seccomp.defaultErrnoRet: must not be more than 4095: 4096"},
		{"architecture", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchSH, "SCMP_ARCH_VAX"}}),
			`linux.seccomp.architectures[1]: unknown architecture "SCMP_ARCH_VAX"`},
		{"flag", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_NEW_LISTENER"}}),
			`linux.seccomp.flags[0]: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER"`},
		{"metadata", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerMetadata: "m"}),
			"linux.seccomp.listenerMetadata: must not be set without a listenerPath"},
		{"no names", rule(specs.LinuxSyscall{Action: specs.ActErrno}), "linux.seccomp.syscalls[0].names: must not be empty"},
		{"action", rule(specs.LinuxSyscall{Names: names}), `linux.seccomp.syscalls[0].action: must be set`},
		{"nobody to notify", rule(specs.LinuxSyscall{Names: names, Action: specs.ActNotify}),
			"linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs a listenerPath"},
		{"trace value", rule(specs.LinuxSyscall{Names: names, Action: specs.ActTrace, ErrnoRet: new(uint(65536))}),
			"linux.seccomp.syscalls[0].errnoRet: must not be more than 65535: 65536"},
		{"index", rule(specs.LinuxSyscall{Names: names, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}}),
			"linux.seccomp.syscalls[0].args[0].index: must be between 0 and 5, not 6"},
		{"operator", rule(specs.LinuxSyscall{Names: names, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "=="}}}),
			`linux.seccomp.syscalls[0].args[0].op: unknown operator "=="`},
		{"unknown names are left out", rule(specs.LinuxSyscall{Names: []string{"no_such_call"}, Action: specs.ActErrno}), ""},
	}
	for _, action := range []specs.LinuxSeccompAction{specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActAllow, specs.ActLog} {
		tests = append(tests, checkTest{string(action), rule(specs.LinuxSyscall{Names: names, Action: action, ErrnoRet: new(uint(1))}),
			`linux.seccomp.syscalls[0].errnoRet: must not be set: "` + string(action) + `" returns none`})
	}
	runCheckTests(t, Options{}, tests)
}
