package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// 20
func TestVerbsAfterRestore(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	harness.NeedController(t, "pids")
	b := newBox(t).run()
	b.again()
	if got := b.MustExec("echo", "hello"); got != "hello" {
		t.Errorf("exec: %q", got)
	}
	b.Must("pause", b.ID)
	if s := b.status(); s != "paused" {
		t.Errorf("status %s", s)
	}
	b.Must("resume", b.ID)
	b.counts(b.out.number())
	b.Must("update", "--pids-limit", "77", b.ID)
	if got := b.CgroupValue("pids", "pids.max", "pids.max"); got != "77" {
		t.Errorf("pids.max %s after update", got)
	}
	if out := b.Must("events", "--stats", b.ID); !strings.Contains(out, `"current":`) {
		t.Errorf("events: %s", out)
	}
	var pids []int
	if out := b.Must("ps", "--format", "json", b.ID); json.Unmarshal([]byte(out), &pids) != nil || len(pids) == 0 || pids[0] != b.Pid() {
		t.Errorf("ps: %s", out)
	}
	b.Must("kill", b.ID, "KILL")
	b.WaitStatus(specs.StateStopped)
	b.Delete()
	b.gone()
	b.restore()
	b.counts(1)
	b.Must("delete", "--force", b.ID)
	b.gone()
}

// 21
func TestStateAfterRestore(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.Spec.Annotations = map[string]string{"key": "value"}
	b.run()
	b.checkpoint()
	before := time.Now()
	pidFile := filepath.Join(harness.TempDir(t), "pid")
	b.restore("--pid-file", pidFile, "-no-subreaper", "--no-pivot", "--preserve-fds", "0")
	s := b.State()
	if s.Status != specs.StateRunning || s.Created.Before(before) || s.Bundle != b.Dir || s.Rootfs != b.Rootfs || s.Annotations["key"] != "value" {
		t.Errorf("state %+v, restored after %v", s, before)
	}
	if data, err := os.ReadFile(pidFile); err != nil || string(data) != strconv.Itoa(s.Pid) {
		t.Errorf("pid file %q, %v; pid %d", data, err, s.Pid)
	}
	if out := b.Must("list"); !strings.Contains(out, b.ID) || !strings.Contains(out, "running") {
		t.Errorf("list: %s", out)
	}
	// Whoever is its parent reaps it: nobody of ours is left.
	if parent := harness.StatusField(s.Pid, "PPid"); parent == "" || parent == strconv.Itoa(os.Getpid()) {
		t.Errorf("its parent is %q", parent)
	}
}

// 22
func TestHooks(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	dir := harness.TempDir(t)
	hook := func(kind string) []specs.Hook {
		script := fmt.Sprintf(`echo %s $(cat) >>%s/log`, kind, dir)
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}}}
	}
	b.Spec.Hooks = &specs.Hooks{
		Prestart: hook("prestart"), CreateRuntime: hook("createRuntime"), Poststop: hook("poststop"), Poststart: hook("poststart"),
	}
	b.run()
	b.checkpoint()
	read := func() []string {
		t.Helper()
		data, err := os.ReadFile(dir + "/log")
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(dir + "/log")
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
	want := func(got []string, kinds ...string) {
		t.Helper()
		for i, kind := range kinds {
			if i >= len(got) || !strings.HasPrefix(got[i], kind+" {") || !strings.Contains(got[i], b.ID) {
				t.Fatalf("hooks %q, want %q", got, kinds)
			}
		}
		if len(got) != len(kinds) {
			t.Errorf("hooks %q, want %q", got, kinds)
		}
	}
	want(read(), "prestart", "createRuntime", "poststart", "poststop")
	b.restore()
	got := read()
	if harness.Peer() == "" {
		want(got, "prestart", "createRuntime")
		if !strings.Contains(got[1], fmt.Sprintf(`"pid":%d`, b.Pid())) || !strings.Contains(got[1], `"status":"creating"`) {
			t.Errorf("its state: %s", got[1])
		}
	}
	b.Must("delete", "--force", b.ID)
	want(read(), "poststop")
	// One that fails ends the restore.
	b.Spec.Hooks.CreateRuntime = []specs.Hook{{Path: "/bin/false"}}
	b.Save()
	if res := b.tryRestore(); res.Code == 0 || !strings.Contains(res.Message(), "createRuntime") {
		t.Errorf("exit %d, %s", res.Code, res.Message())
	}
	b.gone()
}

// 26
func TestConfigFileOfCRIU(t *testing.T) {
	t.Parallel()
	dir := harness.TempDir(t)
	file := filepath.Join(dir, "criu.conf")
	if err := os.WriteFile(file, []byte("log-file mine.log\ntcp-established\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, log := range map[string]string{file: "mine.log", "": "dump.log"} {
		b := newBox(t)
		b.Spec.Annotations = map[string]string{"org.criu.config": setting}
		b.run()
		b.checkpoint("--leave-running")
		if _, err := os.Stat(filepath.Join(b.images, log)); err != nil {
			t.Errorf("with org.criu.config %q: %v", setting, err)
		}
	}
}

// 26: without the annotation it is the file that administrators have for runc.
func TestUsualConfigFileOfCRIU(t *testing.T) {
	t.Parallel()
	dir := harness.TempDir(t)
	if err := os.Mkdir(filepath.Join(dir, "criu"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "criu/runc.conf"), []byte("log-file usual.log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	// Nobody else sees it in /etc.
	b.apart = "mount -t overlay -o lowerdir=" + dir + ":/etc overlay /etc"
	b.run()
	b.checkpoint("--leave-running")
	b.checkpoint()
	b.restore()
	b.counts(1)
	if _, err := os.Stat(filepath.Join(b.images, "usual.log")); err != nil {
		t.Error(err)
	}
	for _, log := range []string{"dump.log", "restore.log"} {
		if _, err := os.Stat(filepath.Join(b.images, log)); err == nil {
			t.Errorf("criu has written %s: it has not read its file of settings", log)
		}
	}
}

// 24
func TestParentPath(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	for _, c := range []struct{ path, words string }{
		{"/absolute", "absolute"}, {"../missing", "--parent-path"}, {"../file", "--parent-path"},
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(b.images), "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, b.tryCheckpoint("--parent-path", c.path), c.words)
	}
	b.counts(b.out.number())
}

// 24
func TestPreDump(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	b.counts(1)
	images := b.images
	b.images = filepath.Join(filepath.Dir(images), "pre")
	res := b.tryCheckpoint("--pre-dump")
	if res.Code != 0 && strings.Contains(res.Message(), "does not track") {
		b.counts(b.out.number())
		t.Skip(res.Message())
	}
	if res.Code != 0 {
		t.Fatal(res.Message(), b.log("dump.log"))
	}
	at := b.counts(b.out.number())
	b.images = images
	b.checkpoint("--parent-path", "../pre")
	if link, err := os.Readlink(filepath.Join(images, "parent")); err != nil || link != "../pre" {
		t.Errorf("parent: %q, %v", link, err)
	}
	b.restore()
	b.counts(at)
}

// 25
func TestLazyPages(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	at := b.counts(1)
	const address = "127.0.0.1:27654"
	ready, status := pipe(t)
	defer ready.Close()
	cmd := b.Cmd("checkpoint", "--image-path", b.images, "--lazy-pages", "--page-server", address, "--status-fd", "3", b.ID)
	cmd.ExtraFiles = []*os.File{status}
	out, stderr := pipe(t)
	cmd.Stderr = stderr
	said := readLines(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	status.Close()
	stderr.Close()
	if n, err := ready.Read(make([]byte, 2)); n != 1 || err != nil {
		_ = cmd.Wait()
		harness.Eventually(t, "its error", said.ended)
		if strings.Contains(said.text(), "does not support") {
			t.Skip(said.text())
		}
		t.Fatalf("status: %d bytes, %v: %s%s", n, err, said.text(), b.log("dump.log"))
	}
	lazy := exec.Command("criu", "lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", "27654", "-D", b.images, "-W", b.images, "-v4", "-o", "lazy.log")
	if err := lazy.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lazy.Process.Kill(); _ = lazy.Wait() }()
	harness.Eventually(t, "the socket of criu lazy-pages", func() bool { _, err := os.Stat(b.images + "/lazy-pages.socket"); return err == nil })
	// What was dumped is dead, and its id taken until the memory is gone.
	id, own := b.ID, b.Spec.Linux.CgroupsPath
	b.ID, b.Spec.Linux.CgroupsPath = id+"-lazy", own+"-lazy"
	b.Save()
	restore := b.Command("restore", "--detach", "--lazy-pages", "--image-path", b.images)
	in, stdout := pipe(t)
	restore.Stdout = stdout
	b.out = readLines(in)
	err := restore.Start()
	stdout.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		b.Do("delete", "--force")
		b.gone()
		b.ID, b.Spec.Linux.CgroupsPath = id, own
	}()
	if err := cmd.Wait(); err != nil {
		_ = restore.Process.Kill()
		_ = restore.Wait()
		harness.Eventually(t, "its error", said.ended)
		if strings.Contains(said.text(), "splice") {
			t.Skip("criu can't serve memory here, whoever asks for it: ", said.text())
		}
		t.Fatalf("checkpoint: %v: %s%s", err, said.text(), b.log("dump.log"))
	}
	if err := restore.Wait(); err != nil {
		t.Fatalf("restore: %v: %s", err, b.log("restore.log"))
	}
	b.counts(at)
}
