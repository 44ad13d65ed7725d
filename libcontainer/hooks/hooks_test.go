package hooks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func sh(script string, args ...string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: append([]string{"sh", "-c", script, "sh"}, args...)}
}

func container() *specs.State {
	return &specs.State{Version: "1.3.0", ID: "c", Status: specs.StateCreating, Pid: 42, Bundle: "/b", Annotations: map[string]string{"k": "v"}}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOrderAndState(t *testing.T) {
	dir := t.TempDir()
	list := []specs.Hook{sh("cat > state; pwd > pwd; echo 1 >> order"), sh("echo 2 >> order"), sh("echo 3 >> order; exit 1"), sh("echo 4 >> order")}
	err := Run(t.Context(), CreateRuntime, list, container(), Options{Dir: dir})
	var e *Error
	if !errors.As(err, &e) || e.Index != 2 || e.Kind != CreateRuntime || e.Path != "/bin/sh" {
		t.Errorf("error: %+v", err)
	}
	if got := read(t, dir+"/order"); got != "1\n2\n3\n" {
		t.Errorf("order %q", got)
	}
	if got := read(t, dir+"/pwd"); got != dir+"\n" {
		t.Errorf("working directory %q", got)
	}
	want := `{"ociVersion":"1.3.0","id":"c","status":"creating","pid":42,"bundle":"/b","annotations":{"k":"v"}}`
	if got := read(t, dir+"/state"); got != want {
		t.Errorf("state %s", got)
	}
}

func TestFailureOfOneIsNoReasonToStop(t *testing.T) {
	dir := t.TempDir()
	var warnings []string
	RunAll(t.Context(), Poststop, []specs.Hook{sh("echo 1 >> order; exit 3"), sh("echo 2 >> order"), {Path: "/nonexistent"}, sh("echo 4 >> order")},
		container(), Options{Dir: dir}, func(err error) { warnings = append(warnings, err.Error()) })
	if got := read(t, dir+"/order"); got != "1\n2\n4\n" {
		t.Errorf("order %q", got)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], "poststop hook #0: exit status 3") ||
		!strings.Contains(warnings[1], "poststop hook #2: no such file or directory (/nonexistent after ") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"echo OUT; echo ERR >&2; exit 3", "error running prestart hook #0: exit status 3, stdout: OUT, stderr: ERR (/bin/sh -c echo OUT; "},
		{"kill -TERM $$", "error running prestart hook #0: killed by SIGTERM (/bin/sh "},
		{"printf 'a\nb\\033[1m\\377\\n'; exit 1", "exit status 1, stdout: a; b [1m? (/bin/sh "},
	} {
		err := Run(t.Context(), Prestart, []specs.Hook{sh(c.script)}, container(), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\033") {
			t.Errorf("%s:\n%v\nwant %s", c.script, err, c.want)
		}
	}
	err := Run(t.Context(), Prestart, []specs.Hook{{Path: "/bin/true"}}, container(), Options{Dir: "/nonexistent"})
	if err == nil || !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "enter directory /nonexistent: ") {
		t.Errorf("missing directory: %v", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	script := `i=0; while [ $i -lt 5000 ]; do echo "line $i of output"; i=$((i+1)); done; echo problem >&2; exit 1`
	err := Run(t.Context(), Prestart, []specs.Hook{sh(script)}, container(), Options{})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if len(e.Stdout) != keep || !strings.HasSuffix(e.Stdout, "line 4999 of output\n") || e.Stderr != "problem\n" {
		t.Errorf("kept %d bytes, and %q", len(e.Stdout), e.Stderr)
	}
	if text := err.Error(); len(text) > keep+500 || !strings.Contains(text, "stderr: problem (") || !strings.Contains(text, "line 4999 of output, ") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct{ a, b, cutA, cutB string }{
		{"abc", "def", "abc", "def"}, {"abcdefgh", "", "abcdefgh", ""}, {"abcdefghij", "xy", "…efghij", "xy"},
		{"abcdefghij", "qrstuvwxyz", "…ghij", "…wxyz"}, {"ab", "qrstuvwxyz", "ab", "…uvwxyz"}, {"", "€€€€", "", "…€€"},
	} {
		if a, b := share(c.a, c.b, 8); a != c.cutA || b != c.cutB {
			t.Errorf("%q %q: %q %q", c.a, c.b, a, b)
		}
	}
}

func TestArgsAndEnvironment(t *testing.T) {
	t.Setenv("OURS", "1")
	show := "/usr/bin/env"
	out := filepath.Join(t.TempDir(), "out")
	capture := Options{Start: func(h *specs.Hook, stdio [3]*os.File) (int, error) {
		f, err := os.Create(out)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return Options{}.Exec(h, [3]*os.File{stdio[0], f, stdio[2]})
	}}
	for _, c := range []struct {
		name string
		h    specs.Hook
		ok   func(string) bool
	}{
		{"absent", specs.Hook{Path: show}, func(s string) bool { return strings.Contains(s, "OURS=1\n") }},
		{"empty", specs.Hook{Path: show, Env: []string{}}, func(s string) bool { return s == "" }},
		{"set", specs.Hook{Path: show, Env: []string{"A=b c"}}, func(s string) bool { return s == "A=b c\n" }},
		{"args", specs.Hook{Path: "/bin/sh", Args: []string{"own name", "-c", `echo "$0"`}}, func(s string) bool { return s == "own name\n" }},
	} {
		if err := Run(t.Context(), Prestart, []specs.Hook{c.h}, container(), capture); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := read(t, out); !c.ok(got) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if got := Args(&specs.Hook{Path: "/p"}); len(got) != 1 || got[0] != "/p" {
		t.Errorf("arguments %q", got)
	}
}

func TestStateThatNobodyReads(t *testing.T) {
	big := container()
	big.Annotations["big"] = strings.Repeat("x", 300_000)
	for _, state := range []*specs.State{container(), big} {
		if err := Run(t.Context(), Prestart, []specs.Hook{{Path: "/bin/true"}, sh("exec <&-; sleep 0.05")}, state, Options{}); err != nil {
			t.Error(err)
		}
	}
	out := filepath.Join(t.TempDir(), "size")
	if err := Run(t.Context(), Prestart, []specs.Hook{sh(`sleep 0.05; wc -c > "$1"`, out)}, big, Options{}); err != nil {
		t.Error(err)
	}
	if n, _ := strconv.Atoi(strings.TrimSpace(read(t, out))); n < 300_000 {
		t.Errorf("the hook read %d bytes", n)
	}
}

// crun's annotations.
func TestOutputGoesWhereAnnotationsSay(t *testing.T) {
	dir := t.TempDir()
	state := container()
	out, errs := filepath.Join(dir, "out"), filepath.Join(dir, "errors")
	state.Annotations = map[string]string{"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": errs}
	list := []specs.Hook{sh("echo one; echo two >&2"), sh("echo three; exit 3")}
	err := Run(t.Context(), Prestart, list, state, Options{})
	if err == nil || !strings.Contains(err.Error(), "exit status 3 (/bin/sh ") {
		t.Errorf("the error is %v", err)
	}
	if got := read(t, out) + read(t, errs); got != "one\nthree\ntwo\n" {
		t.Errorf("written: %q", got)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	state.Annotations = map[string]string{"run.oci.hooks.stderr": fifo}
	err = Run(t.Context(), Prestart, list, state, Options{})
	if err == nil || !strings.Contains(err.Error(), "annotations[run.oci.hooks.stderr]: open "+fifo) {
		t.Errorf("a FIFO that nobody reads: %v", err)
	}
}

func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	dir := t.TempDir()
	one := 1
	h := sh("echo begun; sleep 1000 & echo $! > child; wait")
	h.Timeout = &one
	begin := time.Now()
	err := Run(t.Context(), Prestart, []specs.Hook{h}, container(), Options{Dir: dir})
	var timeout TimeoutError
	if !errors.As(err, &timeout) || !strings.Contains(err.Error(), "hook ran past specified timeout of 1.0s, stdout: begun (/bin/sh ") {
		t.Errorf("error: %v", err)
	}
	if took := time.Since(begin); took < time.Second || took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	child, _ := strconv.Atoi(strings.TrimSpace(read(t, dir+"/child")))
	if !gone(child) {
		t.Errorf("the hook's child %d lives", child)
		_ = unix.Kill(child, unix.SIGKILL)
	}
}

// gone waits until a process is dead; somebody else reaps it.
func gone(pid int) bool {
	for range 500 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(2 * time.Millisecond)
	}
	return false
}

func TestTimeoutOfAFastHook(t *testing.T) {
	long := 100
	h := sh("exit 0")
	h.Timeout = &long
	begin := time.Now()
	if err := Run(t.Context(), Prestart, []specs.Hook{h}, container(), Options{}); err != nil || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

// A daemon that a hook starts keeps the pipes open; the hook is over all the same.
func TestHookThatLeavesADaemon(t *testing.T) {
	dir := t.TempDir()
	begin := time.Now()
	err := Run(t.Context(), Prestart, []specs.Hook{sh("sleep 20 & echo $! > child; echo out; exit 2")}, container(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "exit status 2, stdout: out (/bin/sh ") {
		t.Errorf("error: %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("waited %s for the daemon", took)
	}
	child, _ := strconv.Atoi(strings.TrimSpace(read(t, dir+"/child")))
	if gone := unix.Kill(child, unix.SIGKILL); gone != nil {
		t.Errorf("the daemon was killed with its hook: %v", gone)
	}
}

func TestNothingIsLeft(t *testing.T) {
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	// Signals come at any time: Go's scheduler sends them, too.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	over, thread := make(chan struct{}), unix.Gettid()
	defer close(over)
	go func() {
		for {
			select {
			case <-over:
				return
			default:
				_ = unix.Tgkill(os.Getpid(), thread, unix.SIGURG)
			}
		}
	}()
	one := 1
	before := descriptors()
	for _, h := range []specs.Hook{sh("exit 0"), sh("exit 1"), {Path: "/nonexistent"}, {Path: "/bin/sleep", Args: []string{"sleep", "9"}, Timeout: &one}} {
		_ = Run(t.Context(), Prestart, []specs.Hook{h}, container(), Options{})
	}
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	var status unix.WaitStatus
	if pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("a child is left: %d %v", pid, err)
	}
}

func TestNoHooksCostNothing(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() {
		if err := Run(t.Context(), Prestart, nil, nil, Options{}); err != nil {
			t.Error(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
