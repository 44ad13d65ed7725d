package checkpoint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fakeCRIU puts a program called criu in front of PATH, for the commands of the box alone.
func (b *box) fakeCRIU(script string) {
	b.t.Helper()
	dir := harness.TempDir(b.t)
	if err := os.WriteFile(filepath.Join(dir, "criu"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	b.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
}

// goesOn checks that the container runs, unfrozen, and with what it had.
func (b *box) goesOn() {
	b.t.Helper()
	b.counts(b.out.number())
	if s := b.status(); s != specs.StateRunning {
		b.t.Errorf("status %q", s)
	}
}

// ours skips a test of what this runtime promises and others do not.
func ours(t *testing.T) {
	t.Helper()
	if peer := harness.Peer(); peer != "" {
		t.Skipf("%s: not its promise", peer)
	}
}

// 30
func TestUnusableCRIU(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	env := b.Env
	b.checkpoint("--leave-running")
	for _, c := range []struct{ script, words string }{
		{"kill -SEGV $$", "ended in the middle"},
		{"exit 0", "ended in the middle"},
		{harness.ProbeEnv("old-criu") + " exec " + self(t), "is version 3.15: 3.16 or newer is needed"},
	} {
		b.fakeCRIU(c.script)
		refused(t, b.tryCheckpoint(), "criu", c.words)
		b.goesOn()
	}
	dir := harness.TempDir(t)
	// Not every machine has it in a directory of its own.
	if _, err := os.Stat("/usr/sbin/criu"); err != nil {
		if _, err := os.Stat("/usr/local/sbin/criu"); err != nil {
			b.Env = []string{"PATH=" + dir}
			refused(t, b.tryCheckpoint(), "criu is not installed")
			b.goesOn()
		}
	}
	b.Env = env
}

// 31
func TestBadImages(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	if err := os.WriteFile(b.images+"-file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := b.images
	b.images = good + "-file"
	refused(t, b.tryCheckpoint(), b.images)
	b.images = filepath.Join(good+"-missing", "deep")
	if harness.Peer() == "" {
		refused(t, b.tryCheckpoint(), "--image-path", b.images)
	}
	b.goesOn()
	b.images = good
	b.checkpoint()
	b.gone()
	for _, dir := range []string{good + "-file", good + "-missing", filepath.Dir(good)} {
		b.images = dir
		res := b.tryRestore()
		if harness.Peer() == "" {
			refused(t, res, "--image-path", dir)
		} else if res.Code == 0 {
			t.Errorf("%s was restored", dir)
		}
		b.gone()
	}
	b.images = good
	descriptors := filepath.Join(good, "descriptors.json")
	was, err := os.ReadFile(descriptors)
	if err != nil {
		t.Fatal(err)
	}
	for text, words := range map[string]string{"{": "descriptors.json", `["pipe:[1]","a","b","c"]`: "too many"} {
		if err := os.WriteFile(descriptors, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if harness.Peer() == "" {
			refused(t, b.tryRestore(), words)
			b.gone()
		}
	}
	if err := os.Remove(descriptors); err != nil {
		t.Fatal(err)
	}
	refused(t, b.tryRestore(), "descriptors.json")
	b.gone()
	if err := os.WriteFile(descriptors, was, 0o600); err != nil {
		t.Fatal(err)
	}
	b.restore()
	b.counts(1)
}

// 33: criu killed at different moments of a dump. For some instants of each dump, criu has changed
// the registers and the code of a process: killed then, it leaves that process to a trap signal,
// and no runtime can help (8 of 720 kills were seen to meet one). All other containers go on.
func TestCRIUKilledInADump(t *testing.T) {
	t.Parallel()
	ours(t)
	for _, paused := range []bool{false, true} {
		t.Run(fmt.Sprint("paused ", paused), func(t *testing.T) {
			t.Parallel()
			b := newBox(t).run()
			b.counts(1)
			trapped := 0
			for _, after := range []time.Duration{30, 60, 90, 120, 160, 200} {
				if b.killCRIU(after*time.Millisecond, paused) {
					continue
				}
				t.Logf("killed after %d ms, criu has left a process that could not go on", after)
				trapped++
				b.Must("delete", "--force", b.ID)
				b.gone()
				b = newBox(t).run()
				b.counts(1)
			}
			if trapped > 2 {
				t.Errorf("%d of 6 containers ended", trapped)
			}
			b.again()
			b.counts(1)
		})
	}
}

// killCRIU kills criu so long after the beginning of a dump, and checks that the container is
// paused if it was, and goes on. It says whether it did: false means that it has ended.
func (b *box) killCRIU(after time.Duration, paused bool) bool {
	b.t.Helper()
	want := specs.StateRunning
	if paused {
		b.Must("pause", b.ID)
		want = "paused"
	}
	cmd := b.Cmd("checkpoint", "--image-path", b.images, "--leave-running", b.ID)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(after)
	for _, pid := range harness.Children(cmd.Process.Pid) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	_ = cmd.Wait()
	switch s := b.status(); {
	case s == specs.StateStopped:
		return false
	case s != want:
		b.t.Errorf("killed after %v: status %q", after, s)
	}
	if paused {
		b.Must("resume", b.ID)
	}
	// What criu has put into the processes takes itself away when they run.
	n := b.out.number()
	harness.Eventually(b.t, fmt.Sprintf("a count beyond %d, or the end", n), func() bool {
		return b.out.number() > n || b.out.ended()
	})
	return b.out.number() > n
}

// 34
func TestRuntimeKilledInADump(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	for _, after := range []time.Duration{20, 60, 100, 150, 200} {
		cmd := b.Cmd("checkpoint", "--image-path", b.images, "--leave-running", b.ID)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		harness.Eventually(t, "the container to go on", func() bool { return b.status() == specs.StateRunning })
		b.goesOn()
	}
	b.Must("delete", "--force", b.ID)
	b.gone()
}

// 34
func TestRuntimeKilledInARestore(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	b.checkpoint()
	for _, after := range []time.Duration{5, 20, 50, 80, 120, 160, 250} {
		cmd := b.Command("restore", "--detach", "--image-path", b.images)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		time.Sleep(100 * time.Millisecond) // criu takes its own down
		b.Must("delete", "--force", b.ID)
		b.gone()
	}
	b.restore()
	b.counts(1)
}

// 35
func TestDiskFull(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	dir := harness.TempDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	work := harness.TempDir(t)
	b.images = filepath.Join(dir, "images")
	refused(t, b.tryCheckpoint("--work-path", work), "dump.log")
	b.goesOn()
}

// 36
func TestFailedRestoreLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	from := source(t, "text")
	b.Writable().Mount(from, "/bound", "bind", "bind")
	b.File("data/file", "text", 0o600)
	b.Sh("exec 5</data/file; " + counter)
	b.run()
	b.counts(1)
	b.checkpoint()
	before, err := exec.Command("ls", "-A", b.Rootfs).Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(b.Rootfs, "data/file")
	moved := func(name string, words ...string) {
		t.Helper()
		if err := os.Rename(name, name+".away"); err != nil {
			t.Fatal(err)
		}
		refused(t, b.tryRestore(), words...)
		b.gone()
		if err := os.Rename(name+".away", name); err != nil {
			t.Fatal(err)
		}
	}
	moved(file, "restore.log", "data/file")
	if harness.Peer() == "" {
		moved(from, "mounts[7]", from)
	}
	b.Namespace(specs.NetworkNamespace, "/run/netns/missing-for-checkpoint").Save()
	refused(t, b.tryRestore(), "/run/netns/missing-for-checkpoint")
	b.gone()
	b.Namespace(specs.NetworkNamespace, "").Save()
	if after, err := exec.Command("ls", "-A", b.Rootfs).Output(); err != nil || string(after) != string(before) {
		t.Errorf("the root file system had %s and has %s", before, after)
	}
	b.restore()
	b.counts(1)
}

// 37
func TestIDExists(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	at := b.counts(1)
	b.checkpoint("--leave-running")
	out := b.out
	refused(t, b.tryRestore(), "already exists")
	b.out = out
	b.counts(at)
}

// 38
func TestFileOfTheHost(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	file := filepath.Join(harness.TempDir(t), "output")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := b.Command("run", "--detach")
	cmd.Stdout = f
	if res := b.RunCmd(cmd); res.Code != 0 {
		t.Fatal(res.Message())
	}
	if harness.Peer() != "" {
		refused(t, b.tryCheckpoint())
		return
	}
	refused(t, b.tryCheckpoint(), "standard output", file)
	if _, err := os.Stat(b.images); err == nil {
		t.Error("the directory for the images was made")
	}
	if s := b.status(); s != specs.StateRunning {
		t.Errorf("status %q", s)
	}
}

// 39
func TestProcessOfExec(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	b.counts(1)
	exec := b.Cmd("exec", b.ID, "sleep", "1000")
	if err := exec.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = exec.Process.Kill(); _ = exec.Wait() }()
	harness.Eventually(t, "the process", func() bool { return strings.Contains(b.Must("ps", b.ID), "sleep 1000") })
	log := filepath.Join(harness.TempDir(t), "log")
	flags := b.Flags
	b.Flags = append(slices.Clip(flags), "--log", log)
	b.checkpoint()
	b.Flags = flags
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "level=warning") || !strings.Contains(string(text), "of exec") {
		t.Errorf("the log says %q, %v", text, err)
	}
	b.gone()
	b.restore()
	b.counts(1)
	if out := b.Must("ps", b.ID); strings.Contains(out, "sleep 1000") {
		t.Errorf("it was restored: %s", out)
	}
}

// 40
func TestNotRoot(t *testing.T) {
	t.Parallel()
	ours(t)
	need(t)
	user := harness.NewUser(t)
	b := user.Rootless(t, false).Sh("sleep 1000")
	b.Start()
	refused(t, b.Do("checkpoint", "--image-path", filepath.Join(b.Dir, "images")), "only root")
}

// 41
func TestWrongFlags(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	b.fakeCRIU("touch " + b.images + "-called")
	for _, c := range [][]string{
		{"--manage-cgroups-mode", "sideways"}, {"--empty-ns", "mount"}, {"--page-server", "nowhere"},
		{"--network-lock", "chains"}, {"--status-fd", "99"},
	} {
		refused(t, b.tryCheckpoint(c...), c[0], c[1])
	}
	for _, c := range [][]string{
		{"--page-server is missing", "--lazy-pages"}, {"--pre-dump", "--lazy-pages", "--pre-dump"}, {"--lazy-pages", "--status-fd", "2"},
	} {
		refused(t, b.tryCheckpoint(c[1:]...), c[0], c[1])
	}
	for _, c := range [][]string{{"--manage-cgroups-mode", "sideways"}, {"--empty-ns", "mount"}, {"--lsm-profile", "tomoyo:x"}} {
		out, errs := b.out, b.err
		refused(t, b.tryRestore(c...), c[0], c[1])
		b.out, b.err = out, errs
	}
	for _, name := range []string{b.images, b.images + "-called"} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	b.goesOn()
}

// What criu would write down, but not make again.
func TestUnrestorable(t *testing.T) {
	t.Parallel()
	ours(t)
	owner := newBox(t)
	owner.MapIDs(100000, 65536)
	owner.run()
	for place, edit := range map[string]func(b *box){
		"linux.namespaces: ": func(b *box) {
			b.MapIDs(100000, 65536).Namespace(specs.UserNamespace, fmt.Sprintf("/proc/%d/ns/user", owner.Pid()))
			b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = nil, nil
		},
		"linux.seccomp.listenerPath: ": func(b *box) {
			socket := harness.NewSocket(t)
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow, ListenerPath: socket.Path,
				Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}},
			}
		},
	} {
		b := newBox(t)
		edit(b)
		b.run()
		b.counts(1)
		refused(t, b.tryCheckpoint(), place, "--leave-running")
		if _, err := os.Stat(b.images); err == nil {
			t.Errorf("%s: the directory for images was made", place)
		}
		b.goesOn()
		b.checkpoint("--leave-running")
		b.goesOn()
		out := b.out
		b.Must("delete", "--force", b.ID)
		harness.Eventually(t, "the end", out.ended)
		refused(t, b.tryRestore(), place)
		b.gone()
	}
}

// The reason in a log of an earlier run is not taken for that of this one.
func TestOldLog(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	b.checkpoint("--leave-running")
	old := "(00.1) Error (criu/x.c:1): the reason of yesterday\n"
	if err := os.WriteFile(filepath.Join(b.images, "dump.log"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	b.fakeCRIU(harness.ProbeEnv("refusing-criu") + " exec " + self(t))
	res := b.tryCheckpoint()
	refused(t, res, "criu", "there is no "+b.images+"/dump.log")
	if strings.Contains(res.Message(), "yesterday") {
		t.Error(res.Message())
	}
	b.goesOn()
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// 42
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	b.counts(1)
	var cmds []*exec.Cmd
	for i := range 2 {
		cmd := b.Cmd("checkpoint", "--image-path", fmt.Sprint(b.images, i), "--leave-running", b.ID)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v", err)
		}
	}
	b.goesOn()
	for i := range 2 {
		if _, err := os.Stat(fmt.Sprint(b.images, i, "/inventory.img")); err != nil {
			t.Error(err)
		}
	}
}

// 43
func TestBesideOthers(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	b.counts(1)
	others := make([]*harness.Bundle, 4)
	for i := range others {
		others[i] = harness.NewBundle(t).Args("true")
	}
	done := make(chan harness.Result)
	go func() {
		cmd := b.Cmd("checkpoint", "--image-path", b.images, b.ID)
		err := cmd.Run()
		done <- harness.Result{Code: cmd.ProcessState.ExitCode(), Stderr: fmt.Sprint(err)}
	}()
	for _, other := range others {
		other.MustRun()
	}
	if res := <-done; res.Code != 0 {
		t.Errorf("exit %d, %s", res.Code, res.Stderr)
	}
	b.restore()
	b.counts(1)
}
