package setup

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cpuset"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// SetMemoryPolicy sets the memory policy of the calling thread, which the processes that it starts
// inherit; nil leaves it. Nobody can set that of another process.
func SetMemoryPolicy(m *specs.LinuxMemoryPolicy) error {
	if m == nil {
		return nil
	}
	var nodes *unix.CPUSet
	if m.Nodes != "" {
		nodes = compile.CPUs(m.Nodes)
	}
	if err := unix.SetMemPolicy(compile.MemoryPolicy(m), nodes); err != nil {
		return fmt.Errorf("linux.memoryPolicy: set the memory policy %s for the nodes %q: %w", m.Mode, m.Nodes, refusal.Explain("set_mempolicy", err))
	}
	return nil
}

// MovedMemoryPolicy says where the memory of a process comes from if that is not what m says of the
// nodes that its cpuset allows, or "". When a process enters a cpuset, the kernel moves its policy
// along: the first node that was allowed becomes the first that is.
func MovedMemoryPolicy(pid int, m *specs.LinuxMemoryPolicy) string {
	relative := slices.Contains(m.Flags, specs.MpolFRelativeNodes)
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/numa_maps", pid))
	if m.Nodes == "" || relative || err != nil {
		return ""
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	_, allowed, _ := strings.Cut(string(status), "Mems_allowed_list:")
	allowed, _, _ = strings.Cut(allowed, "\n")
	return movedPolicy(string(maps), strings.TrimSpace(allowed), m)
}

// movedPolicy looks at the first mapping: hardly ever it has a policy of its own.
func movedPolicy(maps, allowed string, m *specs.LinuxMemoryPolicy) string {
	line, _, _ := strings.Cut(maps, "\n")
	fields := strings.Fields(strings.Replace(line, "prefer (many)", "prefer(many)", 1))
	if len(fields) < 2 {
		return ""
	}
	_, nodes, _ := strings.Cut(fields[1], ":")
	want, _ := cpuset.Mask(m.Nodes)
	may, _ := cpuset.Mask(allowed)
	may = append(may, make([]byte, len(want))...) // as long at least
	for i := range want {
		want[i] &= may[i]
	}
	list := cpuset.List(want)
	if m.Mode == specs.MpolPreferred {
		list, _, _ = strings.Cut(strings.ReplaceAll(list, "-", ","), ",") // one node
	}
	if list == nodes {
		return ""
	}
	return fields[1]
}
