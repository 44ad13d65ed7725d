package integration

import (
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// A user namespace need not have a root: it is made, set up and entered as the user that it has.
func TestUserNamespaceWithoutRoot(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "it wants host root mapped")
	dir := harness.TempDir(t)
	b := sleeper(t).Namespace(specs.UserNamespace, "").Caps("CAP_NET_BIND_SERVICE").Edit(func(s *specs.Spec) {
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 1000, HostID: 1000, Size: 1}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 1000, HostID: 1000, Size: 1}}
		s.Process.User = specs.User{UID: 1000, GID: 1000}
		for i := range s.Mounts {
			if s.Mounts[i].Type == "devpts" { // no group 5 either
				s.Mounts[i].Options = []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
			}
		}
		hook := filepath.Join(dir, "hook")
		s.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "id -u > " + hook}}}}
	})
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	b.Start()
	wantLines(t, b.MustExec("sh", "-c", "id -u; id -g; cat /proc/self/uid_map | tr -s ' '; echo >/dev/shm/x; stat -c %u /dev/shm/x; hostname"),
		"1000", "1000", " 1000 1000 1", "1000", b.Spec.Hostname)
	contains(t, b.MustExec("grep", "CapBnd", "/proc/self/status"), "0000000000000400")
	if got := readFile(t, filepath.Join(dir, "hook")); got != "1000\n" && got != "1000" {
		t.Errorf("the hook ran as %q", got)
	}
}
