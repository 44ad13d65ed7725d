package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	// The leak check needs no runtime.
	if err := os.Setenv(runtimeEnv, "/bin/true"); err != nil {
		panic(err)
	}
	Main(m, nil)
}

// A runtime that lies where only root may go is copied, with what tests look for beside it.
func TestRuntimeThatOnlyRootReaches(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	programs := append(besideRuntime(), "ociruntime")
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(runtimeEnv, filepath.Join(dir, "ociruntime"))
	if at, err := findRuntime(work); err != nil || at != filepath.Join(work, "ociruntime") {
		t.Errorf("found %s, %v", at, err)
	}
	for _, name := range programs {
		if data, err := os.ReadFile(filepath.Join(work, name)); err != nil || string(data) != name {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

const leakEnv = "OCITEST_LEAK"

// Each kind of leak fails a run that passes otherwise, and is gone after it.
func TestLeaksAreFound(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"nothing": "no leaks", "process": "LEAK: process", "cgroup": "LEAK: cgroup", "mount": "LEAK: new mount",
		"file": "LEAK: open file", "panic": "panic: on purpose",
	} {
		t.Run(kind, func(t *testing.T) {
			cmd := exec.Command(self, "-test.run=^TestLeaker$")
			cmd.Env = append(os.Environ(), innerEnv+"=", runtimeEnv+"=/bin/true", leakEnv+"="+kind)
			out, err := cmd.CombinedOutput()
			if (err == nil) != (kind == "nothing") || !strings.Contains(string(out), want) {
				t.Errorf("%v: %s", err, out)
			}
			left, _ := filepath.Glob(filepath.Join(commonTempDir(), "ocitest-*"))
			if left != nil {
				t.Errorf("left %v", left)
			}
			for _, dir := range CgroupsNamed("ocitest-leaked") {
				t.Errorf("left %s", dir)
			}
		})
	}
}

// TestLeaker leaves something behind when it is told to.
func TestLeaker(t *testing.T) {
	kind := os.Getenv(leakEnv)
	if kind == "" {
		t.Skip("only runs inside TestLeaksAreFound")
	}
	switch kind {
	case "process":
		if err := exec.Command("sh", "-c", "sleep 1000 >/dev/null 2>&1 &").Run(); err != nil {
			t.Fatal(err)
		}
	case "cgroup":
		for _, h := range Hierarchies()[:1] {
			if err := os.MkdirAll(filepath.Join(h.Dir, filepath.Base(Work()), "ocitest-leaked"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	case "mount":
		if err := unix.Mount("leak", Work()+"/tmp", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	case "file":
		f, err := os.Open("/etc/passwd")
		if err != nil {
			t.Fatal(err)
		}
		leaked = f
	case "panic":
		panic("on purpose")
	}
}

var leaked *os.File
