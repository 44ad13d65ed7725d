package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestRun(t *testing.T) {
	t.Parallel()
	wantLines(t, harness.NewBundle(t).Sh("echo $$; hostname; id -u").MustRun(), "1", "ociruntime", "0")
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("echo started; sleep 1000")

	b.Create()
	created := b.State()
	if created.Status != specs.StateCreated || created.Pid <= 0 {
		t.Errorf("after create: %+v", created)
	}
	time.Sleep(50 * time.Millisecond)
	if out := b.Output(); out != "" {
		t.Errorf("the program ran before start: %q", out)
	}

	b.Must("start", b.ID)
	harness.Eventually(t, "output", func() bool { return b.Output() == "started\n" })
	running := b.State()
	if running.Status != specs.StateRunning || running.Pid != created.Pid {
		t.Errorf("after start: %+v", running)
	}

	b.Kill()
	if s := b.State(); s.Status != specs.StateStopped || s.Pid != 0 {
		t.Errorf("after kill: %+v", s)
	}

	b.Delete()
	if res := b.Do("state"); res.Code != 1 || !strings.Contains(res.Message(), "does not exist") {
		t.Errorf("state after delete: %+v", res)
	}
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("cgroups after delete: %v", dirs)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(func(s *specs.Spec) {
		s.Annotations = map[string]string{"org.example.key": "value"}
	})
	before := time.Now().Add(-time.Second)
	b.Start()
	out := b.Must("state", b.ID)
	if harness.Peer() == "" && !strings.HasSuffix(out, "}\n") {
		t.Errorf("state does not end in a newline: %q", out)
	}
	var raw map[string]any
	if err := json.Unmarshal([]byte(out), &raw); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"} {
		if _, ok := raw[key]; !ok {
			t.Errorf("state lacks %q", key)
		}
	}
	s := b.State()
	if s.ID != b.ID || s.Bundle != b.Dir || s.Rootfs != b.Rootfs || harness.Peer() == "" && s.Owner != "root" {
		t.Errorf("state: %+v", s)
	}
	if s.Created.Before(before) || s.Created.After(time.Now()) || s.Created.Location() != time.UTC {
		t.Errorf("created: %v", s.Created)
	}
	if s.Annotations["org.example.key"] != "value" {
		t.Errorf("annotations: %v", s.Annotations)
	}
}

func TestContainerIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", "..", "a/b", "../x", "a b", "a\nb", "ä", "a$"} {
		b := sleeper(t)
		b.ID = id
		if res := b.TryCreate(); res.Code == 0 {
			t.Errorf("id %q was accepted", id)
		}
	}
	for _, suffix := range []string{"x", "_+.-", strings.Repeat("long", 40)} {
		b := harness.NewBundle(t).Args("true")
		b.ID += suffix
		b.MustRun()
	}
}

func TestIDInUse(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	second := b.Bundle().Args("true")
	second.ID = b.ID
	res := second.TryCreate()
	if res.Code != 1 || !strings.Contains(res.Message(), "container with given ID already exists") {
		t.Errorf("second create: %+v", res)
	}
	if s := b.State(); s.Status != specs.StateRunning || s.Bundle != b.Dir {
		t.Errorf("the first container changed: %+v", s)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	res := b.Do("start")
	if res.Code != 1 || !strings.Contains(res.Message(), "cannot start an already running container") {
		t.Errorf("start of a running container: %+v", res)
	}
	b.Kill()
	res = b.Do("start")
	if res.Code != 1 || !strings.Contains(res.Message(), "cannot start a container that has stopped") {
		t.Errorf("start of a stopped container: %+v", res)
	}
}

func TestUnknownContainer(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	if err := os.Mkdir(r.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"start", "state", "kill", "delete", "pause", "resume", "ps"} {
		res := r.Run(verb, "nosuch")
		if res.Code != 1 || !strings.Contains(res.Message(), "container does not exist") {
			t.Errorf("%s: exit %d: %s", verb, res.Code, res.Stderr)
		}
	}
	if res := r.Run("exec", "nosuch", "true"); res.Code == 0 || !strings.Contains(res.Message(), "container does not exist") {
		t.Errorf("exec: exit %d: %s", res.Code, res.Stderr)
	}
	if res := r.Run("delete", "--force", "nosuch"); res.Code != 0 || res.Stderr != "" {
		t.Errorf("delete --force: exit %d: %s", res.Code, res.Stderr)
	}
}

func TestDeleteRunning(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	res := b.Do("delete")
	if res.Code != 1 || !strings.Contains(res.Message(), "cannot delete container "+b.ID+" that is not stopped: running") {
		t.Errorf("delete: %+v", res)
	}
	if s := b.State(); s.Status != specs.StateRunning {
		t.Errorf("the refused delete had an effect: %+v", s)
	}
	pid := b.Pid()
	b.Must("delete", "--force", b.ID)
	if harness.Alive(pid) {
		t.Error("the process survived delete --force")
	}
}

// As crun's: the expression may match anywhere in an id, and one failure stops nothing.
func TestDeleteRegex(t *testing.T) {
	t.Parallel()
	ours(t, "has no delete --regex")
	b := sleeper(t).Save()
	t.Cleanup(func() { b.Runtime.Run("delete", "--force", "--regex", b.ID) })
	cgroup := b.Spec.Linux.CgroupsPath
	for _, suffix := range []string{"-web1", "-web2", "-db1"} {
		b.Spec.Linux.CgroupsPath = cgroup + suffix
		b.Save()
		b.Must("create", "--bundle", b.Dir, b.ID+suffix)
	}
	b.Must("start", b.ID+"-web1")
	left := func(want ...string) {
		t.Helper()
		if got := strings.Fields(b.Must("list", "-q")); !slices.Equal(got, want) {
			t.Errorf("left are %q, want %q", got, want)
		}
	}
	res := b.Runtime.Run("delete", "--regex", "web[0-9]$")
	if res.Code != 1 || strings.Count(res.Message(), b.ID) != 2 || !strings.Contains(res.Message(), "that is not stopped: running") {
		t.Errorf("delete of a running container and another: %+v", res)
	}
	left(b.ID+"-db1", b.ID+"-web1")
	b.Must("delete", "-f", "-r", "web")
	left(b.ID + "-db1")
	if res := b.Runtime.Run("delete", "--regex", "("); res.Code != 1 || !strings.Contains(res.Message(), "--regex: ") {
		t.Errorf("a wrong expression: %+v", res)
	}
	b.Must("delete", "--force", "--regex", "nothing-like-it")
	b.Must("delete", "--force", "--regex", ".")
	left()
}

func TestIDIsFreeAfterDelete(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	b.Must("delete", "--force", b.ID)
	b.Args("echo", "again").Save()
	wantLines(t, b.MustRun(), "again")
}

func TestKill(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh(`
		for s in HUP USR1 USR2 TERM RTMIN; do trap "echo $s" $s 2>/dev/null; done
		trap "echo WINCH" 28
		echo ready
		while :; do sleep 0.01; done`)
	b.Start()
	harness.Eventually(t, "the traps", func() bool { return b.Output() == "ready\n" })
	want := "ready\n"
	for _, c := range []struct{ sent, got string }{
		{"USR1", "USR1"}, {"SIGUSR1", "USR1"}, {"usr2", "USR2"}, {"10", "USR1"}, {"28", "WINCH"}, {"sighup", "HUP"},
		{"", "TERM"},
	} {
		args := []string{"kill", b.ID}
		if c.sent != "" {
			args = append(args, c.sent)
		}
		b.Must(args...)
		want += c.got + "\n"
		harness.Eventually(t, "signal "+c.sent, func() bool { return b.Output() == want })
	}
	b.Must("kill", b.ID, "0")
	if res := b.Runtime.Run("kill", b.ID, "FOO"); res.Code != 1 || !strings.Contains(res.Message(), `unknown signal "FOO"`) {
		t.Errorf("kill FOO: %+v", res)
	}
	word := `unknown signal "999"`
	if harness.Peer() != "" {
		word = "invalid argument"
	}
	if res := b.Runtime.Run("kill", b.ID, "999"); res.Code != 1 || !strings.Contains(res.Message(), word) {
		t.Errorf("kill 999: %+v", res)
	}
	if s := b.State(); s.Status != specs.StateRunning {
		t.Errorf("status %s", s.Status)
	}
	b.Must("kill", "--all", b.ID, "9")
	b.WaitStatus(specs.StateStopped)
	if res := b.Do("kill"); res.Code != 1 || !strings.Contains(res.Message(), "container not running") {
		t.Errorf("kill of a stopped container: %+v", res)
	}
	b.Must("kill", "--all", b.ID, "9")
}

func TestKillCreated(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Create()
	for _, sig := range []string{"0", "URG"} {
		b.Must("kill", b.ID, sig)
	}
	time.Sleep(30 * time.Millisecond)
	if s := b.State(); s.Status != specs.StateCreated {
		t.Fatalf("status %s after signals that nobody handles", s.Status)
	}
	b.Must("kill", b.ID, "TERM")
	b.WaitStatus(specs.StateStopped)
	b.Delete()
}

// Signals that ask a process to end are heard by a created container whoever sends them, and
// whatever other commands do.
func TestSignalsToWaitingInit(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "crun", "its init is deaf as process 1")
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGTERM} {
		for _, b := range []*harness.Bundle{sleeper(t), sleeper(t).NoNamespace(specs.PIDNamespace)} {
			b.Create()
			if err := unix.Kill(b.Pid(), sig); err != nil {
				t.Fatal(err)
			}
			b.WaitStatus(specs.StateStopped)
			b.Delete()
		}
	}
	b := harness.NewBundle(t).Args("grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status").Create()
	b.Must("start", b.ID)
	harness.Eventually(t, "the program's end", func() bool { return b.State().Status == specs.StateStopped })
	wantLines(t, b.Output(), "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000")
	b.Delete()
}

func TestKillCreatedWhileLocked(t *testing.T) {
	t.Parallel()
	ours(t, "does not lock")
	b := sleeper(t)
	outside, inside := hookLog(t, b)
	addHook(b.Spec, "startContainer", hook("echo ready >>"+inside+"; sleep 1000"))
	b.Create()
	start := b.Cmd("start", b.ID)
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the hook", func() bool { return fileOrNothing(outside) != "" })
	b.Must("kill", b.ID, "TERM")
	if err := start.Wait(); err == nil {
		t.Error("start succeeded")
	}
	if left, _ := os.ReadDir(b.Root); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestKillCreatedHard(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Create()
	b.Kill()
	b.Delete()
}

// Without a pid namespace, SIGKILL has to reach every process of the container.
func TestKillWithoutPidNamespace(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 does it with --all only")
	b := harness.NewBundle(t).Sh("sleep 1000 & sleep 1000 & echo ready; wait").NoNamespace(specs.PIDNamespace)
	b.Start()
	harness.Eventually(t, "the processes", func() bool { return b.Output() == "ready\n" && len(pids(t, b)) == 3 })
	all := pids(t, b)
	b.Must("kill", b.ID, "KILL")
	b.WaitStatus(specs.StateStopped)
	for _, pid := range all {
		harness.Eventually(t, "end of the process", func() bool { return !harness.Alive(pid) })
	}
	b.Delete()
}

// SIGKILL reaches what is left of a container whose init is gone.
func TestKillWithoutInit(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 does it with --all only")
	b := harness.NewBundle(t).Sh("sleep 1000 & echo ready").NoNamespace(specs.PIDNamespace)
	b.Start()
	b.WaitStatus(specs.StateStopped)
	left := pids(t, b)
	if len(left) != 1 {
		t.Fatalf("processes %v", left)
	}
	if res := b.Do("kill"); res.Code != 1 || !strings.Contains(res.Message(), "container not running") {
		t.Errorf("SIGTERM, which is for the init: %+v", res)
	}
	b.Must("kill", b.ID, "KILL")
	harness.Eventually(t, "end of the process", func() bool { return !harness.Alive(left[0]) })
	if res := b.Runtime.Run("kill", b.ID, "KILL"); res.Code != 1 || !strings.Contains(res.Message(), "container not running") {
		t.Errorf("there is nobody any more: %+v", res)
	}
	b.Delete()
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		code   int
	}{
		{"exit 0", 0}, {"exit 7", 7}, {"exit 255", 255}, {"exec false", 1},
	} {
		if res := harness.NewBundle(t).Sh(c.script).Run(); res.Code != c.code {
			t.Errorf("%q: exit %d, want %d", c.script, res.Code, c.code)
		}
	}
}

// inBackground starts `run` and waits for a line of its output.
func inBackground(t *testing.T, b *harness.Bundle, line string, flags ...string) (*background, func() int) {
	t.Helper()
	out := &background{}
	cmd := b.Command("run", flags...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.pid = cmd.Process.Pid
	wait := sync.OnceValue(func() int {
		_ = cmd.Wait()
		return harness.ExitCode(cmd.ProcessState)
	})
	t.Cleanup(func() { _ = cmd.Process.Kill(); wait() })
	harness.Eventually(t, fmt.Sprintf("output %q of run", line), func() bool { return strings.Contains(out.String(), line) })
	return out, wait
}

type background struct {
	mu  sync.Mutex
	buf bytes.Buffer
	pid int
}

func (o *background) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *background) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestRunForwardsSignals(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh(`
		trap "echo usr1" USR1; trap "echo int" INT; trap "echo term; exit 3" TERM
		echo ready
		while :; do sleep 0.01; done`)
	out, wait := inBackground(t, b, "ready\n")
	for _, s := range []struct {
		signal unix.Signal
		line   string
	}{{unix.SIGUSR1, "usr1\n"}, {unix.SIGINT, "int\n"}, {unix.SIGTERM, "term\n"}} {
		if err := unix.Kill(out.pid, s.signal); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, s.line, func() bool { return strings.HasSuffix(out.String(), s.line) })
	}
	if code := wait(); code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
	if left, _ := os.ReadDir(b.Root); len(left) > 0 {
		t.Errorf("run left %v", left)
	}
}

// A signal that asks for no end and comes while the container is still being made is for the
// program.
func TestRunEarlySignal(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"USR1", "USR2"} {
		// process 1 of a pid namespace ignores what it has no handler for
		b := harness.NewBundle(t).Sh("exit 5")
		b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -" + s + " $PPID"}}}}
		if res := b.Run(); res.Code != 5 {
			t.Errorf("%s: exit %d, want 5: %s", s, res.Code, res.Stderr)
		}
		if left, _ := os.ReadDir(b.Root); len(left) > 0 {
			t.Errorf("%s: run left %v", s, left)
		}
	}
}

func TestRunKilledProcess(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("echo ready; sleep 1000")
	_, wait := inBackground(t, b, "ready\n")
	b.Must("kill", b.ID, "KILL")
	if code := wait(); code != 128+9 {
		t.Errorf("exit %d, want 137", code)
	}
}

func TestRunKeep(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "crun", "needs a newer one")
	b := harness.NewBundle(t).Sh("exit 4")
	if res := b.Run("--keep"); res.Code != 4 {
		t.Errorf("exit %d, want 4", res.Code)
	}
	if s := b.State(); s.Status != specs.StateStopped {
		t.Errorf("status %s", s.Status)
	}
	b.Delete()
}

func TestRunDetached(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	if res := b.Run("--detach", "--pid-file", pidFile); res.Code != 0 || res.Stdout+res.Stderr != "" {
		t.Fatalf("run --detach: %+v", res)
	}
	wantPidFile(t, pidFile, b.Pid())
	// Engines are subreapers and wait for the process themselves.
	if parent := harness.StatusField(b.Pid(), "PPid"); parent != strconv.Itoa(os.Getppid()) {
		t.Errorf("the container's parent is %s, want the nearest subreaper %d", parent, os.Getppid())
	}
}

func wantPidFile(t *testing.T, name string, pid int) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != strconv.Itoa(pid) {
		t.Errorf("pid file holds %q, want %q without a newline", data, strconv.Itoa(pid))
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); left != nil {
		t.Errorf("left beside the pid file: %v", left)
	}
}

// Who looks at the host's processes sees what waits there, and later the program.
func TestNameOfTheInit(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "calls it runc:[2:INIT]")
	harness.SkipOnPeer(t, "crun", "calls it 3")
	for _, b := range []*harness.Bundle{sleeper(t), sleeper(t).MapIDs(100000, 65536)} {
		b.Create()
		comm := fmt.Sprintf("/proc/%d/comm", b.Pid())
		wantLines(t, readFile(t, comm), "ociruntime:init")
		b.Must("start", b.ID)
		harness.Eventually(t, "the program's name", func() bool { return readFile(t, comm) == "sleep\n" })
	}
}

func TestCreatePidFile(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	pidFile := filepath.Join(t.TempDir(), "init.pid")
	b.Create("--pid-file", pidFile)
	wantPidFile(t, pidFile, b.Pid())
	if parent := harness.StatusField(b.Pid(), "PPid"); parent != strconv.Itoa(os.Getppid()) {
		t.Errorf("the container's parent is %s, want the nearest subreaper %d", parent, os.Getppid())
	}
}

func TestCreateFromItsBundle(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "here").Save()
	cmd := b.Cmd("run", b.ID)
	cmd.Dir = b.Dir
	if res := b.RunCmd(cmd); res.Code != 0 || res.Stdout != "here\n" {
		t.Errorf("run without --bundle: %+v", res)
	}
}

func TestPauseResume(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := harness.NewBundle(t).Sh("i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done")
	b.Start()
	harness.Eventually(t, "counting", func() bool { return len(b.Output()) > 10 })
	b.Must("pause", b.ID)
	if s := b.State(); s.Status != "paused" {
		t.Errorf("status %s", s.Status)
	}
	frozen := b.Output()
	time.Sleep(100 * time.Millisecond)
	if now := b.Output(); now != frozen {
		t.Errorf("it went on counting while paused: %d bytes more", len(now)-len(frozen))
	}
	if res := b.Do("pause"); res.Code != 1 || !strings.Contains(res.Message(), "container not running") && !strings.Contains(res.Message(), "paused") {
		t.Errorf("pause of a paused container: %+v", res)
	}
	res := b.Exec("true")
	if res.Code != 255 || !strings.Contains(res.Message(), "cannot exec in a paused container") {
		t.Errorf("exec in a paused container: %+v", res)
	}
	if res := b.Do("delete"); res.Code != 1 {
		t.Errorf("delete of a paused container: %+v", res)
	}
	b.Must("resume", b.ID)
	harness.Eventually(t, "counting on", func() bool { return len(b.Output()) > len(frozen) })
	if s := b.State(); s.Status != specs.StateRunning {
		t.Errorf("status %s", s.Status)
	}
	if res := b.Do("resume"); res.Code != 1 || !strings.Contains(res.Message(), "container not paused") {
		t.Errorf("resume of a running container: %+v", res)
	}
}

func TestKillPaused(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := sleeper(t).Start()
	b.Must("pause", b.ID)
	b.Must("kill", b.ID, "KILL")
	b.WaitStatus(specs.StateStopped)
	b.Delete()
}

func TestDeleteForcePaused(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := sleeper(t).Start()
	b.Must("pause", b.ID)
	b.Must("delete", "--force", b.ID)
}

// pids is what `ps --format json` lists.
func pids(t *testing.T, b *harness.Bundle) []int {
	t.Helper()
	var list []int
	if err := json.Unmarshal([]byte(b.Must("ps", "--format", "json", b.ID)), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPs(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("sleep 1000 & sleep 1000; wait").Start()
	harness.Eventually(t, "three processes", func() bool { return len(pids(t, b)) == 3 })
	all := pids(t, b)
	if !slices.Contains(all, b.Pid()) {
		t.Errorf("%v lacks the container's process %d", all, b.Pid())
	}
	b.Must("exec", "--detach", b.ID, "sleep", "999")
	if n := len(pids(t, b)); n != 4 {
		t.Errorf("%d processes after exec, want 4", n)
	}
	table := strings.Split(strings.TrimSpace(b.Must("ps", b.ID)), "\n")
	if len(table) != 5 || !strings.Contains(table[0], "PID") {
		t.Errorf("table: %q", table)
	}
	if out := b.Must("ps", b.ID, "-o", "pid,args"); !strings.Contains(out, "sleep 999") {
		t.Errorf("ps -o pid,args: %q", out)
	}
	b.Kill()
	if out := b.Must("ps", "--format", "json", b.ID); out != "null\n" && out != "[]\n" {
		t.Errorf("ps of a stopped container: %q", out)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	if err := os.Mkdir(r.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	if out := strings.TrimSpace(r.Must("list", "--format", "json")); out != "null" && out != "[]" {
		t.Errorf("list of nothing: %q", out)
	}
	running, stopped := r.Bundle().Args("sleep", "1000").Start(), r.Bundle().Args("sleep", "1000").Start()
	stopped.Kill()

	var all []harness.State
	out := r.Must("list", "--format", "json")
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || strings.Count(out, "\n") != 1 {
		t.Fatalf("list: %s", out)
	}
	for _, s := range all {
		want := specs.StateRunning
		if s.ID == stopped.ID {
			want = specs.StateStopped
		}
		if s.Status != want || s.Owner != "root" || (s.Pid == 0) != (want == specs.StateStopped) {
			t.Errorf("list: %+v", s)
		}
	}
	quiet := strings.Fields(r.Must("list", "-q"))
	if len(quiet) != 2 || !slices.Contains(quiet, running.ID) || !slices.Contains(quiet, stopped.ID) {
		t.Errorf("list -q: %v", quiet)
	}
	table := r.Must("list")
	contains(t, table, "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", running.ID, running.Dir, "stopped")
	if res := r.Run("list", "--format", "xml"); res.Code != 1 || !strings.Contains(res.Message(), "invalid format option") {
		t.Errorf("list --format xml: %+v", res)
	}
}

func TestListSkipsABrokenState(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	good := r.Bundle().Args("sleep", "1000").Start()
	broken := filepath.Join(r.Root, "broken")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	res := r.Run("list", "-q")
	if res.Code != 0 || res.Stdout != good.ID+"\n" {
		t.Errorf("list beside a broken state: %+v", res)
	}
	if harness.Peer() == "" {
		r.Must("delete", "--force", "broken")
	} else if err := os.RemoveAll(broken); err != nil {
		t.Fatal(err)
	}
}

func TestConfigEditsAfterCreateHaveNoEffect(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "first").Create()
	b.Args("echo", "second").Save()
	b.Must("start", b.ID)
	harness.Eventually(t, "output", func() bool { return b.Output() != "" })
	if out := b.Output(); out != "first\n" {
		t.Errorf("output %q", out)
	}
	b.WaitStatus(specs.StateStopped)
	b.Delete()
}

// Only one of many simultaneous creates of an id may win, and the losers must
// not touch the winner.
func TestConcurrentCreate(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 removes the winner's directory and cgroups")
	b := sleeper(t).Save()
	var wg sync.WaitGroup
	results := make([]harness.Result, 6)
	for i := range results {
		wg.Go(func() { results[i] = b.RunCmd(b.Command("create")) })
	}
	wg.Wait()
	won := 0
	for _, res := range results {
		if res.Code == 0 {
			won++
		} else if !strings.Contains(res.Message(), "container with given ID already exists") {
			t.Errorf("a loser says: %s", res.Stderr)
		}
	}
	if won != 1 {
		t.Fatalf("%d creates of the same id succeeded", won)
	}
	b.Must("start", b.ID)
}

// Commands at the same time on one container: one start wins, and whatever
// happens meanwhile, delete --force removes it all.
func TestCommandsAtOnce(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Create()
	var wg sync.WaitGroup
	codes := make([]int, 5)
	for i := range codes {
		wg.Go(func() { codes[i] = b.Do("start").Code })
	}
	wg.Wait()
	if won := len(codes) - countNonZero(codes); won != 1 {
		t.Errorf("%d of 5 starts succeeded", won)
	}
	for _, args := range [][]string{{"state"}, {"ps"}, {"kill", "KILL"}, {"exec", "true"}, {"pause"}, {"resume"}, {"list"}} {
		wg.Go(func() {
			full := append([]string{args[0]}, b.ID)
			if args[0] == "list" {
				full = full[:1]
			}
			b.Runtime.Run(append(full, args[1:]...)...)
		})
	}
	deletes := make([]int, 4)
	for i := range deletes {
		wg.Go(func() { deletes[i] = b.Do("delete", "--force").Code })
	}
	wg.Wait()
	b.Must("delete", "--force", b.ID)
	if n := countNonZero(deletes); n != 0 && harness.Peer() == "" {
		t.Errorf("%d of 4 simultaneous delete --force failed", n)
	}
}

func countNonZero(codes []int) int {
	n := 0
	for _, c := range codes {
		if c != 0 {
			n++
		}
	}
	return n
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	var wg sync.WaitGroup
	for i := range 12 {
		b := r.Bundle().Sh(fmt.Sprintf("echo %d", i)).Save()
		wg.Go(func() {
			if res := b.Run(); res.Code != 0 || res.Stdout != fmt.Sprintln(i) {
				t.Errorf("container %d: %+v", i, res)
			}
		})
	}
	wg.Wait()
}

// The runtime killed at any point of create leaves something that
// `delete --force` removes whole.
func TestRuntimeKilledDuringCreate(t *testing.T) {
	t.Parallel()
	ours(t, "leaves what it cannot find again")
	for i := range 25 {
		b := sleeper(t)
		cmd := b.Command("create")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 700 * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		b.Must("delete", "--force", b.ID)
		if harness.SystemdCgroups() {
			// It may come to the request for a scope only after the delete. Without a process in
			// it, it removes the scope by itself.
			harness.Eventually(t, "an end of the scope", func() bool { return b.CgroupDirs() == nil })
		}
		if dirs := b.CgroupDirs(); dirs != nil {
			t.Errorf("killed after %d00 µs: left %v", i*7, dirs)
		}
	}
}

// A file that can't be written is found before the program runs.
func TestTraceFileCannotBeWritten(t *testing.T) {
	t.Parallel()
	ours(t, "has --trace")
	b := harness.NewBundle(t).Args("echo", "ran")
	if res := b.Run("--trace", "/missing/x"); res.Code != 1 || res.Stdout != "" || !strings.Contains(res.Message(), "--trace: open /missing/x") {
		t.Errorf("run: %+v", res)
	}
	b.Args("sleep", "1000").Save()
	b.Create()
	if res := b.Do("start", "--trace", "/missing/x"); res.Code != 1 || b.State().Status != specs.StateCreated {
		t.Errorf("start: %+v, status %s", res, b.State().Status)
	}
	b.Must("start", b.ID)
	res := b.Runtime.Run("exec", "--trace", "/missing/x", b.ID, "sh", "-c", "echo ran; sleep 1000")
	if res.Code != 255 || res.Stdout != "" || len(pids(t, b)) != 1 {
		t.Errorf("exec: %+v, %d processes", res, len(pids(t, b)))
	}
}

func TestRuntimeKilledDuringRun(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("echo ready; sleep 1000")
	out, wait := inBackground(t, b, "ready\n")
	if err := unix.Kill(out.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait()
	b.Must("delete", "--force", b.ID)
}

func TestQuietOnSuccess(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := sleeper(t)
	for _, res := range []harness.Result{
		b.TryCreate(), b.Do("start"), b.Runtime.Run("exec", "--detach", b.ID, "sleep", "100"),
		b.Do("pause"), b.Do("resume"), b.Runtime.Run("kill", b.ID, "KILL"),
	} {
		if res.Code != 0 || res.Stdout+res.Stderr != "" {
			t.Errorf("not quiet: %+v", res)
		}
	}
	b.WaitStatus(specs.StateStopped)
	if res := b.Do("delete"); res.Code != 0 || res.Stdout+res.Stderr != "" {
		t.Errorf("delete: %+v", res)
	}
}

func TestStateDirectoryModes(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	for name, max := range map[string]os.FileMode{b.Root: 0o700, filepath.Join(b.Root, b.ID): 0o711} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if extra := info.Mode().Perm() &^ max; extra != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	entries, err := os.ReadDir(filepath.Join(b.Root, b.ID))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
}
