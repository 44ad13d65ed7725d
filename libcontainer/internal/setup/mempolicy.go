package setup

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

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

// MemoryPolicy is the policy of a process as the kernel words it, "" if it has none to tell of.
func MemoryPolicy(pid int) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/numa_maps", pid))
	if err != nil {
		return ""
	}
	defer f.Close()
	line := bufio.NewScanner(f)
	line.Scan()
	// The first mapping's, which has hardly ever one of its own.
	fields := strings.Fields(line.Text())
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}
