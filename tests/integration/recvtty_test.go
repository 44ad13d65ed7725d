package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// receiver is the program that serves terminals, built beside the runtime.
func receiver(t *testing.T) string {
	t.Helper()
	ours(t, "the receiver is built beside our runtime")
	path := filepath.Join(filepath.Dir(harness.Path()), "ociruntime-recvtty")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no receiver of terminals beside the runtime: %v", err)
	}
	return path
}

// What is typed goes to the container and comes back, and the end of the container is the end of
// the receiver, whether its input has ended or not.
func TestReceiverServesATerminal(t *testing.T) {
	t.Parallel()
	program := receiver(t)
	for name, input := range map[string]string{"ends": "hello\n", "at once": ""} {
		socket := filepath.Join(harness.TempDir(t), "s")
		b := harness.NewBundle(t).Sh("tty; read x; echo got:$x").Edit(process(func(p *specs.Process) { p.Terminal = true }))
		cmd := exec.Command(program, socket)
		var out bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the socket is there", func() bool { _, err := os.Stat(socket); return err == nil })
		b.Start("--console-socket", socket)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out.String())
		}
		contains(t, out.String(), "/dev/pts/0", "got:"+strings.TrimSpace(input))
		if _, err := os.Stat(socket); err == nil {
			t.Errorf("%s: the socket is left", name)
		}
	}
}

func TestReceiverWithoutAContainer(t *testing.T) {
	t.Parallel()
	program := receiver(t)
	socket := filepath.Join(harness.TempDir(t), "s")
	cmd := exec.Command(program, socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the socket is there", func() bool { _, err := os.Stat(socket); return err == nil })
	if out, err := exec.Command(program, socket).CombinedOutput(); err == nil || !strings.Contains(string(out), "address already in use") {
		t.Errorf("a second one: %v, %s", err, out)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Stat(socket); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v, and the socket: %v", cmd.ProcessState, err)
	}
	for _, args := range [][]string{{}, {"a", "b"}, {"--cheese"}} {
		if err := exec.Command(program, args...).Run(); err == nil {
			t.Errorf("%q is fine", args)
		}
	}
}
