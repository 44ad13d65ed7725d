package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
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

// exec tells of its process what run tells of the container, and nothing of those that were killed
// before.
func TestExecTellsOfALackOfMemory(t *testing.T) {
	t.Parallel()
	ours(t, "says nothing")
	harness.NeedController(t, "memory")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}
	})).Start()
	hungry := []string{"tail", "-c", "67108864", "/dev/zero"} // which it keeps in memory
	const told = "linux.resources.memory.limit: the kernel has killed a process of the container for a lack of memory: it may have 16.0 MiB"
	for range 2 {
		if res := b.Exec(hungry...); res.Code != 137 || !strings.Contains(res.Stderr, told) {
			t.Errorf("lack of memory: exit %d, %s", res.Code, res.Stderr)
		}
	}
	for script, code := range map[string]int{"kill -9 $$": 137, "exit 137": 137, strings.Join(hungry, " ") + "; exit 0": 0} {
		if res := b.Exec("sh", "-c", script); res.Code != code || strings.Contains(res.Stderr, "memory:") {
			t.Errorf("%s: exit %d, %s", script, res.Code, res.Stderr)
		}
	}
	// An engine, which gives a file, finds it in its log: standard error is the process's own.
	process, log := filepath.Join(harness.TempDir(t), "process.json"), filepath.Join(harness.TempDir(t), "log")
	if err := os.WriteFile(process, []byte(`{"user": {"uid": 0, "gid": 0}, "args": ["/bin/tail", "-c", "67108864", "/dev/zero"], "cwd": "/"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if res := b.Runtime.Run("exec", "--process", process, b.ID); res.Code != 137 || res.Stderr != "" {
		t.Errorf("by a file: exit %d, %s", res.Code, res.Stderr)
	}
	res := b.Runtime.Run("--log", log, "exec", "--process", process, b.ID)
	if res.Code != 137 || res.Stderr != "" || !strings.Contains(readFile(t, log), `level=warning msg="`+told) {
		t.Errorf("with a log: exit %d, %s", res.Code, readFile(t, log))
	}
}
