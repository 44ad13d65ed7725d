package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Patience is a time limit as this machine needs it: an emulated processor takes longer.
func Patience(limit time.Duration) time.Duration {
	if factor, err := strconv.Atoi(os.Getenv(patienceEnv)); err == nil {
		limit *= time.Duration(factor)
	}
	return limit
}

// Eventually waits up to ten seconds for something to become true.
func Eventually(t T, what string, ok func() bool) {
	t.Helper()
	limit := Patience(10 * time.Second)
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", limit, what)
		}
	}
}

// T is what the harness needs of a *testing.T or *testing.B.
type T = testing.TB

// Path is the absolute path of the binary under test.
func Path() string { return os.Getenv(runtimeEnv) }

// Work is the run's scratch directory, readable by every user.
func Work() string { return os.Getenv(innerEnv) }

// Peer names the runtime under test when it isn't ours: "runc", "crun".
var Peer = sync.OnceValue(func() string {
	out, _ := exec.Command(Path(), "--version").Output()
	name, _, _ := strings.Cut(string(out), " ")
	if name == "ociruntime" {
		return ""
	}
	return name
})

// SkipOnPeer skips the test when another runtime runs that is known to
// behave differently.
func SkipOnPeer(t T, peer, reason string) {
	t.Helper()
	if Peer() == peer {
		t.Skipf("%s: %s", peer, reason)
	}
}

// Result is what a finished command left.
type Result struct {
	Stdout, Stderr string
	Code           int // the exit status; 128+signal when killed
}

// Message is the error that a command printed, without the quoting of a text
// log line.
func (r Result) Message() string {
	text := strings.TrimSpace(r.Stderr)
	if i := strings.LastIndex(text, "msg="); i >= 0 {
		line, _, _ := strings.Cut(text[i+len("msg="):], "\n")
		if plain, err := strconv.QuotedPrefix(line); err == nil {
			text, _ = strconv.Unquote(plain)
		}
	}
	return text
}

const systemdFlag = "--systemd-cgroup"

// SystemdCgroups says whether systemd makes the cgroups of all tests.
func SystemdCgroups() bool { return os.Getenv(cgroupsEnv) == "systemd" }

// Systemd is a bundle whose cgroup systemd makes; the test is skipped where systemd doesn't run.
func Systemd(t T) *Bundle {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		t.Skip("systemd does not run here: make hostsd-test or make vm-test")
	}
	r := NewRuntime(t)
	r.Flags = []string{systemdFlag}
	return r.Bundle()
}

// Runtime is the binary with a --root directory of its own.
type Runtime struct {
	t    T
	Root string
	// Global flags in front of every command, beside --root.
	Flags []string
	// Env replaces the environment when it isn't nil.
	Env []string
	// User runs the commands as an unprivileged user when it isn't nil.
	User *User
	// Refuse puts a seccomp filter around the commands when it isn't nil.
	Refuse *Refusal
}

// NewRuntime makes a runtime whose state directory goes with the test.
// Whatever a test leaves in it is an error.
func NewRuntime(t T) *Runtime {
	t.Helper()
	r := &Runtime{t: t, Root: filepath.Join(TempDir(t), "root")}
	if SystemdCgroups() {
		r.Flags = []string{systemdFlag}
	}
	t.Cleanup(func() {
		left, _ := os.ReadDir(r.Root)
		for _, e := range left {
			t.Errorf("left in --root: %s", e.Name())
		}
	})
	return r
}

// Cmd is a command of the runtime, not yet started, with no standard input.
// It is killed after a minute (see Patience).
func (r *Runtime) Cmd(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), Patience(time.Minute))
	r.t.Cleanup(cancel)
	full := append([]string{"--root", r.Root}, r.Flags...)
	cmd := exec.CommandContext(ctx, Path(), append(full, args...)...)
	cmd.Env = r.Env
	// A container that outlives a killed runtime holds the pipes open.
	cmd.WaitDelay = Patience(2 * time.Second)
	if r.User != nil {
		r.User.command(cmd)
	}
	if r.Refuse != nil {
		r.Refuse.command(r.t, cmd)
	}
	return cmd
}

// Run runs a command to its end. Its output goes through files, so that a
// container which outlives the command never holds the test up.
func (r *Runtime) Run(args ...string) Result {
	r.t.Helper()
	res, _ := r.run(r.Cmd(args...))
	return res
}

// Must is Run for commands that have to succeed.
func (r *Runtime) Must(args ...string) string {
	r.t.Helper()
	res := r.Run(args...)
	if res.Code != 0 {
		r.t.Fatalf("%s: exit %d: %s", strings.Join(args, " "), res.Code, res.Stderr)
	}
	return res.Stdout
}

// RunCmd runs a prepared command like Run. Streams that the caller has set stay.
func (r *Runtime) RunCmd(cmd *exec.Cmd) Result {
	r.t.Helper()
	res, _ := r.run(cmd)
	return res
}

var outputs atomic.Int64

// output is the pair of files that a command wrote to.
type output struct{ stdout, stderr string }

func (r *Runtime) run(cmd *exec.Cmd) (Result, output) {
	r.t.Helper()
	base := filepath.Join(Work(), fmt.Sprintf("out-%d", outputs.Add(1)))
	files := output{base + ".stdout", base + ".stderr"}
	r.t.Cleanup(func() { _ = os.Remove(files.stdout); _ = os.Remove(files.stderr) })
	stdout, err := os.Create(files.stdout)
	if err != nil {
		r.t.Fatal(err)
	}
	defer stdout.Close()
	stderr, err := os.Create(files.stderr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer stderr.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = stderr
	}
	start := time.Now()
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%s: %v", cmd, err)
	}
	res := Result{Stdout: readFile(files.stdout), Stderr: readFile(files.stderr), Code: ExitCode(cmd.ProcessState)}
	r.t.Logf("%s\n  exit %d after %v; stderr: %s", strings.Join(cmd.Args[1:], " "), res.Code, time.Since(start).Round(time.Millisecond), res.Stderr[:min(len(res.Stderr), 2000)])
	return res, files
}

// ExitCode is the status as a shell would give it.
func ExitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

func readFile(name string) string {
	data, _ := os.ReadFile(name)
	return string(data)
}
