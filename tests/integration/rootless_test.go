package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestRootless(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Sh("id -u; hostname; tr -s ' ' </proc/self/uid_map; cat /proc/self/setgroups; stat -c %u /etc/passwd; touch /tmp/x 2>/dev/null || echo refused")
	wantLines(t, b.MustRun(), "0", "ociruntime", fmt.Sprintf(" 0 %d 1", u.ID), "deny", "0", "refused")
}

func TestRootlessLifecycle(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Args("sleep", "1000").Start()
	if s := b.State(); s.Status != specs.StateRunning {
		t.Errorf("status %s", s.Status)
	}
	if uid := strings.Fields(harness.StatusField(b.Pid(), "Uid"))[0]; uid != fmt.Sprint(u.ID) {
		t.Errorf("uid 0 inside is %s outside, want %d", uid, u.ID)
	}
	wantLines(t, b.MustExec("sh", "-c", "id -u; hostname"), "0", "ociruntime")
	if code := b.Exec("sh", "-c", "exit 12").Code; code != 12 {
		t.Errorf("exec: exit %d, want 12", code)
	}
	b.Must("list")
	b.Kill()
	b.Delete()
	if left, _ := os.ReadDir(b.Root); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// With newuidmap and newgidmap, the container has many ids.
func TestRootlessWithSubordinateIDs(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, true).Sh("id -u; wc -l </proc/self/uid_map; touch /new; chown 1000:1000 /new; stat -c %u:%g /new; setpriv --dump 2>/dev/null; exec sleep 1000").Writable()
	b.Spec.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_CHOWN"}, Permitted: []string{"CAP_CHOWN"}, Effective: []string{"CAP_CHOWN"},
	}
	b.Start()
	harness.Eventually(t, "output", func() bool { return strings.Count(b.Output(), "\n") >= 3 })
	contains(t, b.Output(), "0\n2\n1000:1000\n")
	out := b.Must("exec", "--user", "1000:1000", b.ID, "id", "-u")
	wantLines(t, out, "1000")
	b.Must("delete", "--force", b.ID)
	// The file belongs to a subordinate id: only its owner's namespace may remove it.
	if err := os.Remove(filepath.Join(b.Rootfs, "new")); err != nil {
		t.Fatal(err)
	}
}

func TestRootlessUserAndGroups(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 sets no groups then")
	u := harness.NewUser(t)
	b := u.Rootless(t, true).Sh("id -u; id -g; grep Groups /proc/self/status")
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{10, 20}}
	wantLines(t, b.MustRun(), "1000", "1000", "Groups:\t10 20 ")
	// Without subordinate ids there are no groups to have.
	single := u.Rootless(t, false).Args("true")
	single.Spec.Process.User.AdditionalGids = []uint32{10}
	single.FailRun("additional")
}

func TestRootlessTerminal(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Sh("tty; echo end").Edit(process(func(p *specs.Process) { p.Terminal = true }))
	master := startOnPty(t, b.Command("run"))
	contains(t, readUntil(t, master, "end"), "/dev/pts/0")
}

func TestRootlessMounts(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	source := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("content\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := u.Rootless(t, false).Sh("cat /tmp/file; echo x >/dev/null && echo null; touch /dev/shm/x && echo shm; ls /sys | grep -c kernel; wc -c </proc/keys")
	b.Mount(source, "/tmp", "bind", "bind", "ro")
	wantLines(t, b.MustRun(), "content", "null", "shm", "1", "0")
}

func TestRootlessNetwork(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Sh("ls /sys/class/net; ip -o addr show lo | head -n1 | cut -c1-20").Namespace(specs.NetworkNamespace, "")
	for i := range b.Spec.Mounts {
		if b.Spec.Mounts[i].Destination == "/sys" {
			b.Spec.Mounts[i] = specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}
		}
	}
	out := b.MustRun()
	if !strings.HasPrefix(out, "lo\n") || !strings.Contains(out, "127.0.0.1") && !strings.Contains(out, "1: lo") {
		t.Errorf("inside: %q", out)
	}
}

// The caller's own directory for state, without --root.
func TestRootlessDefaultRoot(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Args("sleep", "1000").Save()
	script := fmt.Sprintf("%s run --detach --bundle %s %s </dev/null >/dev/null && ls $XDG_RUNTIME_DIR/*/; stat -c %%a $XDG_RUNTIME_DIR/*; %[1]s delete --force %[3]s",
		harness.Path(), b.Dir, b.ID)
	out, err := u.Shell(script).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), b.ID+"\n") {
		t.Fatalf("%v: %s", err, out)
	}
	wantLines(t, string(out), b.ID, "1700")
}

// What an unprivileged user can't have is an error and not silence.
func TestRootlessLimitsAreRefused(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Args("true")
	b.Spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}}
	b.FailRun()
	noUser := u.Rootless(t, false).Args("true").NoNamespace(specs.UserNamespace)
	noUser.Spec.Linux.UIDMappings, noUser.Spec.Linux.GIDMappings = nil, nil
	noUser.FailRun("user namespace")
}

// CVE-2023-25809: without a cgroup namespace, the host's cgroups are not
// writable inside.
func TestCVE2023_25809(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 leaves its tmpfs writable")
	u := harness.NewUser(t)
	for _, withNamespace := range []bool{false, true} {
		b := u.Rootless(t, false)
		b.NoNamespace(specs.CgroupNamespace)
		if withNamespace {
			b.Namespace(specs.CgroupNamespace, "")
		}
		mounts := inside(t, b)
		targets := []string{"/sys/fs/cgroup"}
		if !harness.Unified() {
			for _, h := range harness.Hierarchies() {
				targets = append(targets, "/sys/fs/cgroup/"+filepath.Base(h.Dir))
			}
		}
		for _, target := range targets {
			if m := mountAt(t, mounts, target); !m.has("ro") {
				t.Errorf("%s is %v", target, m.options)
			}
		}
	}
}

// CVE-2014-8989: who can't set the groups can't drop one that denies him
// something.
func TestCVE2014_8989(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Args("cat", "/proc/self/setgroups")
	wantLines(t, b.MustRun(), "deny")
}

func TestExplainAsAUser(t *testing.T) {
	t.Parallel()
	ours(t, "has no explain")
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Save()
	file := filepath.Join(harness.TempDir(t), "trace")
	if err := os.Chmod(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	b.Args("true").Save()
	p := explain(t, b, "--bundle", b.Dir)
	if left, _ := os.ReadDir(b.Root); len(left) > 0 {
		t.Errorf("explain made %v", left)
	}
	// It is what this user gets: no cgroup where there is none to be had.
	b.MustRun("--trace", file)
	var done []string
	for _, e := range readTrace(t, file).TraceEvents {
		done = append(done, e.Name)
	}
	for _, s := range p.Steps {
		ofCreate := s.From == "default" && (strings.HasPrefix(s.What, "end by a signal") || strings.HasPrefix(s.What, "wait for start") || strings.HasPrefix(s.What, "let go of"))
		if len(s.Ops) > 0 && !ofCreate && !slices.Contains(done, s.What) {
			t.Errorf("step %d, %q, is not what run did: %q", s.Number, s.What, done)
		}
	}
}

// What would go wrong for want of a root file system or a program is said in front of the plan.
func TestExplainNotes(t *testing.T) {
	t.Parallel()
	ours(t, "has no explain")
	b := harness.NewBundle(t).Args("nothing-like-it").Save()
	out := b.Must("explain", "--bundle", b.Dir)
	contains(t, out, "note: process.args: there is no nothing-like-it in the root file system")
	contains(t, out, "execve(")
	if err := os.Rename(filepath.Join(b.Dir, "rootfs"), filepath.Join(b.Dir, "away")); err != nil {
		t.Fatal(err)
	}
	for _, b.Spec.Linux.RootfsPropagation = range []string{"", "shared"} {
		b.Save()
		contains(t, b.Must("explain", "--bundle", b.Dir), "note: root.path: there is no root file system in "+b.Dir+"/rootfs: no such file or directory\n")
	}
	b.Spec.Linux.RootfsPropagation = ""
	b.Save()
	if err := os.Rename(filepath.Join(b.Dir, "away"), filepath.Join(b.Dir, "rootfs")); err != nil {
		t.Fatal(err)
	}
}

// A configuration for root shows root's plan to anybody: what one gets oneself is nothing.
func TestExplainOfRootsConfigAsAUser(t *testing.T) {
	t.Parallel()
	ours(t, "has no explain")
	u := harness.NewUser(t)
	b := u.Rootless(t, false)
	b.Spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.PIDNamespace}}
	b.Spec.Hostname, b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = "", nil, nil
	b.Spec.Process.User.AdditionalGids = []uint32{5}
	b.Save()
	out := b.Must("explain", "--bundle", b.Dir)
	contains(t, out, "execve")
	contains(t, out, "setgroups")
	const note = "config.json is for root, and run would refuse it to you (linux.namespaces: must have a user namespace when the runtime is not started by root): this is root's plan (--as-me: yours)"
	if !strings.HasPrefix(out, "note: "+note+"\n") {
		t.Errorf("not said in front: %.200q", out)
	}
	if r := b.Runtime.Run("explain", "--json", "--bundle", b.Dir); !strings.HasPrefix(r.Stdout, "{") || !strings.Contains(r.Stderr, note) || strings.Count(r.Stderr, "\n") != 1 {
		t.Errorf("not said in a line: %q, %.20q", r.Stderr, r.Stdout)
	}
	if r := b.Runtime.Run("explain", "--as-me", "--bundle", b.Dir); r.Code != 1 || !strings.Contains(r.Stderr, "must have a user namespace") {
		t.Errorf("--as-me: %+v", r)
	}
}

func TestFeaturesAsAUser(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 says less")
	u := harness.NewUser(t)
	out, err := u.Shell("env -i " + harness.Path() + " features").Output()
	if err != nil || !strings.Contains(string(out), "ociVersionMax") {
		t.Errorf("%v: %s", err, out)
	}
}

// Without $XDG_RUNTIME_DIR, as after su, a user's containers would be below /run.
func TestRootlessWithoutRuntimeDirectory(t *testing.T) {
	t.Parallel()
	u := harness.NewUser(t)
	b := u.Rootless(t, false).Args("true").Save()
	out, err := u.Shell(fmt.Sprintf("unset XDG_RUNTIME_DIR; exec %s run --bundle %s %s", harness.Path(), b.Dir, b.ID)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "permission denied (a user's containers can be kept in $XDG_RUNTIME_DIR, when it is set, or in a directory of yours: --root DIR)") {
		t.Errorf("%v: %s", err, out)
	}
}
