package integration

import (
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The same container on the three kinds of root filesystem.

func TestMkRootfs(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, harness.MkRootfs("bash", "ls", "ps", "cat", "id", "mount", "hostname", "grep")).
		Sh("id -u; hostname; ps -o pid= -p 1; mount | grep -c ' /proc '; ls -d /etc")
	wantLines(t, strings.ReplaceAll(b.MustRun(), " ", ""), "0", "ociruntime", "1", "1", "/etc")
}

func TestDebian(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, harness.Debian).Args("bash", "-c",
		". /etc/os-release; echo $ID; id -un; hostname; echo $$; mount -t proc | head -n1; dpkg -l bash | tail -n1 | cut -c1-8; cat /proc/1/comm; perl -e 'print 6*7, qq{\\n}'")
	wantLines(t, b.MustRun(), "debian", "root", "ociruntime", "1", "proc on /proc type proc (rw,relatime)", "ii  bash", "bash", "42")
}

func TestDebianAsAnotherUser(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, harness.Debian).Args("bash", "-c", "id; cat /etc/shadow 2>/dev/null || echo refused; echo $HOME").Caps()
	b.Spec.Process.User = specs.User{UID: 33, GID: 33}
	wantLines(t, b.MustRun(), "uid=33(www-data) gid=33(www-data) groups=33(www-data)", "refused", "/var/www")
}

func TestDebianService(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, harness.Debian).Args("bash", "-c", "trap 'echo bye; exit 0' TERM; echo ready; sleep infinity & wait").Start()
	harness.Eventually(t, "ready", func() bool { return b.Output() == "ready\n" })
	contains(t, b.MustExec("bash", "-c", "ps 2>/dev/null; ls /proc/1/exe; id -u"), "0")
	b.Must("kill", b.ID)
	b.WaitStatus(specs.StateStopped)
	if out := b.Output(); out != "ready\nbye\n" {
		t.Errorf("output %q", out)
	}
	b.Delete()
}
