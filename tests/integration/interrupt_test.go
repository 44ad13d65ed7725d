package integration

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// wantInterrupted sends a signal to a command, which has to end as if it were by the signal.
func wantInterrupted(t *testing.T, cmd *exec.Cmd, s unix.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if code, want := harness.ExitCode(cmd.ProcessState), 128+int(s); code != want {
		t.Errorf("exit %d, want %d", code, want)
	}
}

func fileOrNothing(name string) string {
	data, _ := os.ReadFile(name)
	return string(data)
}

// TestInterrupted: a signal to a command while a hook runs ends the hook with its children and the
// command at once, as the signal would, and nothing is left of the container.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ours(t, "waits for the hook, or ends by the signal and leaves the hook")
	for _, c := range []struct{ verb, kind, signal string }{
		{"run", "prestart", "TERM"}, {"run", "createRuntime", "INT"}, {"run", "createContainer", "HUP"}, {"run", "startContainer", "QUIT"}, {"run", "poststart", "TERM"},
		{"create", "createRuntime", "TERM"}, {"create", "createContainer", "INT"}, {"start", "startContainer", "TERM"}, {"start", "poststart", "HUP"},
	} {
		t.Run(c.verb+" "+c.kind+" "+c.signal, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			outside, inside := hookLog(t, b)
			addHook(b.Spec, c.kind, hook("sleep 1000 & echo ready >>"+logOf(c.kind, outside, inside)+"; wait"))
			addHook(b.Spec, "poststop", hook("echo poststop >>"+outside))
			var pid int
			if c.verb == "start" {
				b.Create()
				pid = b.Pid()
			}
			cmd := b.Command(c.verb)
			if c.verb == "start" {
				cmd = b.Cmd("start", b.ID)
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			harness.Eventually(t, "the hook", func() bool { return strings.Contains(fileOrNothing(outside), "ready") })
			wantInterrupted(t, cmd, unix.SignalNum("SIG"+c.signal))
			contains(t, out.String(), "interrupted by SIG"+c.signal, "hooks."+c.kind+"[0]")
			wantLines(t, readFile(t, outside), "ready", "poststop")
			if left, _ := os.ReadDir(b.Root); len(left) > 0 {
				t.Errorf("left %v", left)
			}
			if dirs := b.CgroupDirs(); dirs != nil {
				t.Errorf("left %v", dirs)
			}
			if pid != 0 && harness.Alive(pid) {
				t.Error("the init lives")
			}
		})
	}
}

// TestInterruptedPoststop: a signal while a container is removed ends the hook that runs and leaves
// out those behind it; the container goes all the same.
func TestInterruptedPoststop(t *testing.T) {
	t.Parallel()
	ours(t, "waits for the hook, or ends by the signal and leaves the hook")
	for _, verb := range []string{"run", "delete"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Args("true")
			log, _ := hookLog(t, b)
			addHook(b.Spec, "poststop", hook("sleep 1000 & echo ready >>"+log+"; wait"))
			addHook(b.Spec, "poststop", hook("echo second >>"+log))
			cmd := b.Command("run")
			if verb == "delete" {
				b.Create()
				cmd = b.Cmd("delete", b.ID)
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			harness.Eventually(t, "the hook", func() bool { return fileOrNothing(log) != "" })
			wantInterrupted(t, cmd, unix.SIGTERM)
			contains(t, out.String(), "interrupted by SIGTERM", "hooks.poststop[0]")
			wantLines(t, readFile(t, log), "ready")
			if left, _ := os.ReadDir(b.Root); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// TestInterruptedExec: exec that waits, for the container to go on or for another command, ends at
// once as well.
func TestInterruptedExec(t *testing.T) {
	t.Parallel()
	ours(t, "ends by the signal")
	b := sleeper(t).Start()
	b.Must("pause", b.ID)
	cmd := b.Cmd("exec", "--ignore-paused", b.ID, "true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	harness.Eventually(t, "the process of exec", func() bool { return len(pids(t, b)) > 1 })
	wantInterrupted(t, cmd, unix.SIGTERM)
	b.Must("resume", b.ID)
	harness.Eventually(t, "end of the process", func() bool { return len(pids(t, b)) == 1 })
}

// TestInterruptedWait: a command that waits for the container's lock ends at once.
func TestInterruptedWait(t *testing.T) {
	t.Parallel()
	ours(t, "does not wait")
	b := sleeper(t)
	log := harness.TempDir(t) + "/log"
	addHook(b.Spec, "poststart", hook("echo ready >>"+log+"; exec sleep 1000"))
	b.Create()
	start := b.Cmd("start", b.ID)
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the hook", func() bool { return fileOrNothing(log) != "" })
	cmd := b.Cmd("exec", b.ID, "true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // until it waits; if it does not yet, the test shows less
	wantInterrupted(t, cmd, unix.SIGINT)
	wantInterrupted(t, start, unix.SIGTERM)
}
