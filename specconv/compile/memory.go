package compile

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// memoryPolicy sets the NUMA policy of the process, which survives execve and is handed on to its
// children. It comes behind the join of the cgroup: the kernel refuses nodes that the cpuset does
// not allow.
func (c *compiler) memoryPolicy() {
	m := c.lin.MemoryPolicy
	if m == nil {
		return
	}
	const from = "linux.memoryPolicy"
	label := strings.Builder{}
	label.WriteString(string(m.Mode))
	for _, f := range m.Flags {
		label.WriteString("|" + string(f))
	}
	what := "set the memory policy " + label.String()
	nodes, maxnode := plan.Num(0), 0
	if mask := maskWords(m.Nodes); len(mask) > 0 {
		// The kernel takes one off before it counts bits (set_mempolicy(2), BUGS of
		// get_mempolicy(2)).
		nodes, maxnode = plan.Bytes(mask, m.Nodes), 8*len(mask)+1
		what += " for the nodes " + m.Nodes
	}
	c.Step(from, what, plan.Sys(plan.SysSetMempolicy, plan.Int(int64(MemoryPolicy(m)), label.String()), nodes, plan.Num(int64(maxnode))))
}

// MemoryPolicy is the mode of set_mempolicy(2) for linux.memoryPolicy, with its flags.
func MemoryPolicy(m *specs.LinuxMemoryPolicy) int {
	mode, _ := names.MemoryPolicyMode(m.Mode)
	for _, f := range m.Flags {
		bits, _ := names.MemoryPolicyFlag(f)
		mode |= bits
	}
	return mode
}
