package integration

import (
	"bufio"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// A user may have 200 keys, and a session keyring is one. Where there is none left, the container does without, and its user is told.
func TestKeyringQuota(t *testing.T) {
	t.Parallel()
	ours(t, "others fail, or say nothing")
	user := 1<<30 + rand.Uint32N(1<<20)<<8 // the kernel frees keys late
	b := harness.NewBundle(t).MapIDs(user, 256).Args("echo", "ran")
	b.InstallProbe("fill-keys")
	fill := exec.Command(filepath.Join(b.Rootfs, "probe"))
	fill.Env = []string{"OCITEST_PROBE=fill-keys"}
	fill.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	stdin, err := fill.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := fill.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fill.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		if err := fill.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "full\n" {
		t.Fatalf("the quota is not used up: %q, %v", line, err)
	}
	res := b.Run()
	if res.Code != 0 || res.Stdout != "ran\n" {
		t.Errorf("exit %d, %q", res.Code, res.Stdout)
	}
	contains(t, res.Stderr, "session keyring", "quota")
	quiet := harness.NewBundle(t).MapIDs(user, 256).Args("true")
	if res := quiet.Run("--no-new-keyring"); res.Code != 0 || res.Stderr != "" {
		t.Errorf("with --no-new-keyring: exit %d, %s", res.Code, res.Stderr)
	}
}
