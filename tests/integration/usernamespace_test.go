package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// A new user namespace has no power over the namespaces that it joins, the host's or a pod's: what
// shows them is mounted all the same.
func TestUserNamespaceInNamespacesOfOthers(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 gives up")
	pod := sleeper(t).Start()
	for name, pid := range map[string]int{"the host's": os.Getpid(), "a pod's": pod.Pid()} {
		t.Run(name, func(t *testing.T) {
			b := sleeper(t).MapIDs(100000, 65536)
			for _, kind := range []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.IPCNamespace, specs.PIDNamespace} {
				b.Namespace(kind, nsPath(pid, kinds[kind]))
			}
			if res := b.TryCreate(); strings.Contains(res.Message(), "needs Linux 6.17") {
				t.Skip(res.Message())
			}
			b.Must("start", b.ID)
			mounts := mountsOf(t, b.MustExec("cat", "/proc/self/mountinfo"))
			for place, kind := range map[string]string{"/sys": "sysfs", "/dev/mqueue": "mqueue", "/proc": "proc"} {
				if m := mountAt(t, mounts, place); m.kind != kind || m.root != "/" {
					t.Errorf("%s: %+v", place, m)
				}
			}
			if got, want := b.MustExec("ls", "/sys/class/net"), devices(t, pid); got != want {
				t.Errorf("/sys shows the network devices %q, want %q", got, want)
			}
			if list := b.MustExec("ps"); !strings.Contains(list, "sleep 1000") {
				t.Errorf("/proc shows %s", list)
			}
			if res := b.Exec("sh", "-c", "echo 1 >/sys/kernel/uevent_seqnum; echo h >/proc/sysrq-trigger"); res.Code == 0 {
				t.Error("root of the container may write to what is the host's")
			}
		})
	}
}

// devices are the names of the network devices of a process, as /sys lists them.
func devices(t *testing.T, pid int) string {
	t.Helper()
	var names []string
	for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/net/dev", pid))) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}
