package integration

import (
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// A container that was killed for a lack of memory says so at its end, and one that was killed
// otherwise does not.
func TestRunTellsOfALackOfMemory(t *testing.T) {
	t.Parallel()
	ours(t, "says nothing")
	harness.NeedController(t, "memory")
	limited := func(script string) harness.Result {
		return harness.NewBundle(t).Mount("tmpfs", "/tmp", "tmpfs").Sh(script).Edit(resources(func(r *specs.LinuxResources) {
			r.Memory = &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}
		})).Run()
	}
	res := limited("exec dd if=/dev/zero of=/tmp/x bs=1M count=64")
	const told = "linux.resources.memory.limit: the kernel has killed the container for a lack of memory: it may have 16.0 MiB"
	if res.Code != 137 || !strings.Contains(res.Stderr, told) {
		t.Errorf("lack of memory: exit %d, %s", res.Code, res.Stderr)
	}
	// Whatever the program does about a child that was killed.
	res = limited("dd if=/dev/zero of=/tmp/x bs=1M count=64; exit 0")
	if res.Code != 0 || strings.Contains(res.Stderr, "lack of memory") {
		t.Errorf("a child lacked memory: exit %d, %s", res.Code, res.Stderr)
	}
	// Process 1 of a pid namespace can't kill itself.
	b := harness.NewBundle(t).NoNamespace(specs.PIDNamespace).Sh("kill -9 $$")
	if res := b.Run(); res.Code != 137 || res.Stderr != "" {
		t.Errorf("killed: exit %d, %s", res.Code, res.Stderr)
	}
	if res := limited("exit 137"); res.Code != 137 || res.Stderr != "" {
		t.Errorf("exit code: exit %d, %s", res.Code, res.Stderr)
	}
}
