package seccomp

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// Features returns the seccomp part of the features document. It says what Compile knows, whatever
// the kernel: all flags but WAIT_KILLABLE_RECV (Linux 5.19) work on every kernel that we support.
func Features() *features.Seccomp {
	enabled := true
	flags := []string{
		string(flagTSYNC), string(specs.LinuxSeccompFlagLog), string(specs.LinuxSeccompFlagSpecAllow),
		string(specs.LinuxSeccompFlagWaitKillableRecv),
	}
	f := &features.Seccomp{
		Enabled: &enabled,
		Actions: []string{
			string(specs.ActAllow), string(specs.ActErrno), string(specs.ActKill), string(specs.ActKillProcess), string(specs.ActKillThread),
			string(specs.ActLog), string(specs.ActNotify), string(specs.ActTrace), string(specs.ActTrap),
		},
		Operators: []string{
			string(specs.OpEqualTo), string(specs.OpGreaterEqual), string(specs.OpGreaterThan), string(specs.OpLessEqual),
			string(specs.OpLessThan), string(specs.OpMaskedEqual), string(specs.OpNotEqual),
		},
		KnownFlags:     flags,
		SupportedFlags: flags,
	}
	for i := range arches {
		f.Archs = append(f.Archs, string(arches[i].name))
	}
	return f
}
