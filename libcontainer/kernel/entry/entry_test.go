package entry_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestBegin fails when a release of Go no longer starts as the entry point expects. It looks at a
// program of ours, whose main changes nothing, on each machine that has an entry point.
func TestBegin(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) { testBegin(t, arch) })
	}
}

func testBegin(t *testing.T, arch string) {
	var emulator []string
	if arch != runtime.GOARCH {
		if arch != "arm64" {
			t.Skipf("nothing here runs programs for %s", arch)
		}
		path, err := exec.LookPath("qemu-aarch64-static")
		if err != nil {
			if path, err = exec.LookPath("qemu-aarch64"); err != nil {
				t.Skip("no qemu-aarch64 (Debian: qemu-user-static)")
			}
		}
		emulator = []string{path}
	}
	program := filepath.Join(t.TempDir(), "begin")
	build := exec.Command("go", "build", "-o", program, "-ldflags", "-E ociruntime_start", "./testdata/begin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for %s: %v\n%s", arch, err, out)
	}
	if emulator == nil {
		opensNothing(t, program)
	}
	for _, c := range []struct {
		args, env, want []string
		procs           int
	}{
		{nil, nil, []string{"GOMAXPROCS=0001"}, 1},
		{[]string{"a"}, []string{"A=1"}, []string{"A=1", "GOMAXPROCS=0001"}, 1},
		{[]string{"a", "b c"}, []string{"A=1", "GOMAXPROCS=3", "B="}, []string{"A=1", "GOMAXPROCS=3", "B="}, 3},
	} {
		// The soft limit is what Go raises in itself, and so has seen restored.
		line := append([]string{"-c", `ulimit -S -n 345; ulimit -H -n 789; exec "$0" "$@"`}, append(append(emulator, program), c.args...)...)
		cmd := exec.Command("/bin/sh", line...)
		cmd.Env = append([]string{}, c.env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", c.env, err)
		}
		got := string(out)
		for _, want := range []string{
			fmt.Sprintf("procs %d\n", c.procs), fmt.Sprintf("args %q\n", c.args), "raised by Go to 788 of 789, <nil>\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("environment %q: no %q in\n%s", c.env, want, got)
			}
		}
		_, list, _ := strings.Cut(got, "environment ")
		for _, v := range c.want {
			if !strings.Contains(list, fmt.Sprintf("%q", v)) {
				t.Errorf("environment %q: no %q in %s", c.env, v, list)
			}
		}
		if n := strings.Count(list, "GOMAXPROCS"); n != 1 {
			t.Errorf("environment %q: GOMAXPROCS %d times in %s", c.env, n, list)
		}
	}
}

// opensNothing wants that no file is opened before main, and that it was tried: else there would be
// no need for the limit.
func opensNothing(t *testing.T, program string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Log("no strace here: what the runtime opens is not looked at")
		return
	}
	file := filepath.Join(t.TempDir(), "calls")
	if out, err := exec.Command(strace, "-f", "-e", "trace=open,openat", "-o", file, program).CombinedOutput(); err != nil {
		t.Logf("strace does not work here: %v: %s", err, out)
		return
	}
	calls, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for line := range strings.Lines(string(calls)) {
		if !strings.Contains(line, "open") || strings.Contains(line, "resumed") {
			continue
		}
		tried++
		if !strings.Contains(line, "EMFILE") {
			t.Errorf("opened before main: %s", line)
		}
	}
	if tried == 0 {
		t.Error("the runtime opens nothing: the limit of open files can go")
	}
}
