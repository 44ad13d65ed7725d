package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The kernel shows a process's memory policy in front of each of its mappings. This machine may
// have one node alone, numbered 0.
func TestMemoryPolicy(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skip("this kernel has no NUMA policies")
	}
	for _, c := range []struct {
		mode  specs.MemoryPolicyModeType
		nodes string
		flags []specs.MemoryPolicyFlagType
		want  string
	}{
		{specs.MpolBind, "0", nil, "bind:0"},
		{specs.MpolBind, "0", []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}, "bind=static:0"},
		{specs.MpolBind, "0", []specs.MemoryPolicyFlagType{specs.MpolFRelativeNodes}, "bind=relative:0"},
		{specs.MpolBind, "0", []specs.MemoryPolicyFlagType{specs.MpolFNumaBalancing}, "bind"},
		{specs.MpolInterleave, "0", nil, "interleave:0"},
		{specs.MpolPreferred, "0", nil, "prefer:0"},
		{specs.MpolPreferred, "", nil, "local"},
		{specs.MpolPreferredMany, "0", nil, "prefer (many):0"},
		{specs.MpolLocal, "", nil, "local"},
		{specs.MpolDefault, "", nil, "default"},
	} {
		name := string(c.mode) + " " + c.nodes
		for _, f := range c.flags {
			name += " " + string(f)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Args("sleep", "1000").Edit(func(s *specs.Spec) {
				s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: c.mode, Nodes: c.nodes, Flags: c.flags}
			}).Start()
			init := b.MustExec("head", "-n", "1", "/proc/1/numa_maps")
			own := b.MustExec("head", "-n", "1", "/proc/self/numa_maps")
			for who, line := range map[string]string{"init": init, "exec": own} {
				_, policy, _ := strings.Cut(line, " ")
				if !strings.HasPrefix(policy, c.want) {
					t.Errorf("%s: %q, want %q", who, line, c.want)
				}
			}
		})
	}
}

// Nodes that the machine doesn't have are the kernel's to refuse, and the error says which setting
// it was.
func TestMemoryPolicyErrors(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skip("this kernel has no NUMA policies")
	}
	for _, nodes := range []string{"63", "1000"} {
		b := harness.NewBundle(t).Args("true").Edit(func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: nodes}
		})
		b.FailRun("linux.memoryPolicy", nodes, "invalid argument")
	}
}
