package integration

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// netns is a network namespace of the test's own, without a name: it goes with the process that
// holds it.
type netns struct {
	t   *testing.T
	pid int
}

func newNetns(t *testing.T) *netns {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip on this host (tests/install-deps)")
	}
	cmd := exec.Command("unshare", "--net", "sh", "-c", "echo ready; exec sleep 600")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Skipf("no network namespaces here: %v", err)
	}
	return &netns{t, cmd.Process.Pid}
}

func (n *netns) path() string { return nsPath(n.pid, "net") }

// run runs a command in the namespace.
func (n *netns) run(args ...string) (string, error) {
	args = append([]string{"--net=" + n.path()}, args...)
	out, err := exec.Command("nsenter", args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// ip runs an ip command in the namespace that has to succeed.
func (n *netns) ip(args ...string) string {
	n.t.Helper()
	out, err := n.run(append([]string{"ip"}, args...)...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}
