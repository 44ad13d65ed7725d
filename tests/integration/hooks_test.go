package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hook is a shell script as a hook. A container's own hooks run in its root
// filesystem, where /bin/sh is, too.
func hook(script string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}}
}

// hookKinds are the kinds in the order in which they run.
var hookKinds = []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

func addHook(s *specs.Spec, kind string, h specs.Hook) {
	if s.Hooks == nil {
		s.Hooks = &specs.Hooks{}
	}
	list := map[string]*[]specs.Hook{
		"prestart": &s.Hooks.Prestart, "createRuntime": &s.Hooks.CreateRuntime, "createContainer": &s.Hooks.CreateContainer,
		"startContainer": &s.Hooks.StartContainer, "poststart": &s.Hooks.Poststart, "poststop": &s.Hooks.Poststop,
	}[kind]
	*list = append(*list, h)
}

// A log that the hooks of both sides write to: the container has its
// directory at /log.
func hookLog(t *testing.T, b *harness.Bundle) (outside, inside string) {
	t.Helper()
	dir := harness.TempDir(t)
	b.Mount(dir, "/log", "bind", "bind")
	if err := os.MkdirAll(filepath.Join(b.Rootfs, "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "log"), "/log/log"
}

func logOf(kind, outside, inside string) string {
	if kind == "startContainer" {
		return inside
	}
	return outside
}

func TestHookOrder(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t)
	outside, inside := hookLog(t, b)
	for _, kind := range hookKinds {
		for i := range 2 {
			addHook(b.Spec, kind, hook(fmt.Sprintf("echo %s %d >>%s", kind, i, logOf(kind, outside, inside))))
		}
	}
	// poststart hooks run beside the program: it has the last word later.
	b.Sh("echo program >>/log/log; sleep 1000")
	b.Create()
	want := []string{"prestart 0", "prestart 1", "createRuntime 0", "createRuntime 1", "createContainer 0", "createContainer 1"}
	if harness.Peer() == "runc" {
		want = append(want, "poststart 0", "poststart 1")
	}
	wantLines(t, readFile(t, outside), want...)
	b.Must("start", b.ID)
	harness.Eventually(t, "program", func() bool { return strings.Contains(readFile(t, outside), "program") })
	log := readFile(t, outside)
	contains(t, log, "startContainer 0\nstartContainer 1\n", "poststart 0\n", "poststart 1\n")
	b.Kill()
	if now := readFile(t, outside); now != log {
		t.Errorf("hooks ran before delete: %q", strings.TrimPrefix(now, log))
	}
	b.Delete()
	if got := strings.TrimPrefix(readFile(t, outside), log); got != "poststop 0\npoststop 1\n" {
		t.Errorf("delete ran %q", got)
	}
}

// With run there is no start, and its hooks run all the same.
func TestHookOrderOfRun(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("echo program >>/log/log; sleep 1")
	outside, inside := hookLog(t, b)
	for _, kind := range hookKinds {
		addHook(b.Spec, kind, hook(fmt.Sprintf("echo %s >>%s", kind, logOf(kind, outside, inside))))
	}
	b.MustRun()
	if harness.Peer() == "runc" {
		contains(t, readFile(t, outside), "startContainer\n", "poststart\n", "poststop\n")
		return
	}
	// The program is beside the poststart hooks.
	log := strings.Replace(readFile(t, outside), "program\n", "", 1)
	wantLines(t, log, hookKinds...)
}

// A hook of start that fails ends run: nothing is left.
func TestFailingStartHooksOfRun(t *testing.T) {
	t.Parallel()
	ours(t, "run succeeds")
	for _, kind := range []string{"startContainer", "poststart"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			log := filepath.Join(harness.TempDir(t), "log")
			addHook(b.Spec, kind, hook("exit 3"))
			addHook(b.Spec, "poststop", hook("echo poststop >>"+log))
			res := b.Run()
			if res.Code == 0 {
				t.Error("run succeeded")
			}
			contains(t, res.Message(), "hooks."+kind+"[0]", "exit status 3")
			wantLines(t, readFile(t, log), "poststop")
			if dirs := b.CgroupDirs(); dirs != nil {
				t.Errorf("left %v", dirs)
			}
		})
	}
}

func TestHookState(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 says other states")
	b := sleeper(t).Edit(func(s *specs.Spec) { s.Annotations = map[string]string{"org.example": "yes"} })
	dir := harness.TempDir(t)
	b.Mount(dir, "/log", "bind", "bind")
	b.Writable()
	for _, kind := range hookKinds {
		addHook(b.Spec, kind, hook("cat >"+logOf(kind, dir, "/log")+"/"+kind))
	}
	b.Start()
	pid := b.Pid()
	b.Kill()
	b.Delete()
	for _, c := range []struct {
		kind, status string
		pid          int
	}{
		{"prestart", "created", pid}, {"createRuntime", "creating", pid}, {"createContainer", "creating", 1},
		{"startContainer", "created", 1}, {"poststart", "running", pid}, {"poststop", "stopped", 0},
	} {
		var s specs.State
		text := readFile(t, filepath.Join(dir, c.kind))
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Errorf("%s: %v in %q", c.kind, err, text)
			continue
		}
		if string(s.Status) != c.status || s.Pid != c.pid || s.ID != b.ID || s.Bundle != b.Dir || s.Annotations["org.example"] != "yes" || s.Version == "" {
			t.Errorf("%s: %+v, want status %s and pid %d", c.kind, s, c.status, c.pid)
		}
	}
}

// Where the hooks run: the first two and the last two on the host,
// createContainer in the container's namespaces before the pivot, and
// startContainer in the container.
func TestHookNamespaces(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(func(s *specs.Spec) { s.Hostname = "inside" })
	dir := harness.TempDir(t)
	b.Mount(dir, "/log", "bind", "bind").Writable()
	for _, kind := range hookKinds {
		target := logOf(kind, dir, "/log") + "/" + kind
		addHook(b.Spec, kind, hook("{ readlink /proc/self/ns/mnt; readlink /proc/self/ns/uts; readlink /proc/self/ns/net; pwd; ls -d "+dir+" 2>/dev/null; true; } >"+target))
	}
	b.Start()
	pid := b.Pid()
	host := namespace(t, os.Getpid(), "mnt") + "\n" + namespace(t, os.Getpid(), "uts") + "\n" + namespace(t, os.Getpid(), "net") + "\n"
	container := namespace(t, pid, "mnt") + "\n" + namespace(t, pid, "uts") + "\n" + namespace(t, pid, "net") + "\n"
	b.Kill()
	b.Delete()
	for kind, want := range map[string]string{
		"prestart": host, "createRuntime": host, "createContainer": container, "startContainer": container, "poststart": host, "poststop": host,
	} {
		if got := readFile(t, filepath.Join(dir, kind)); !strings.HasPrefix(got, want) {
			t.Errorf("%s ran in %q, want %q", kind, got, want)
		}
	}
	if got := readFile(t, filepath.Join(dir, "createContainer")); !strings.HasSuffix(got, b.Rootfs+"\n"+dir+"\n") {
		t.Errorf("createContainer doesn't see the host's root, or its cwd is not the rootfs: %q", got)
	}
}

// What a createContainer hook mounts into the root filesystem is there in the
// container, and nowhere else.
func TestCreateContainerHookMounts(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("grep -c ' /mnt ' /proc/self/mountinfo")
	if err := os.Mkdir(filepath.Join(b.Rootfs, "mnt"), 0o755); err != nil {
		t.Fatal(err)
	}
	addHook(b.Spec, "createContainer", hook("mount -t tmpfs hook "+b.Rootfs+"/mnt"))
	wantLines(t, b.MustRun(), "1")
	if strings.Contains(readFile(t, "/proc/self/mountinfo"), b.Rootfs+"/mnt") {
		t.Error("the hook's mount is on the host")
	}
}

// In a user namespace the hook is root there, and may mount.
func TestCreateContainerHookInUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("ls /mnt").MapIDs(100000, 65536)
	if err := os.Mkdir(filepath.Join(b.Rootfs, "mnt"), 0o755); err != nil {
		t.Fatal(err)
	}
	addHook(b.Spec, "createContainer", hook("mount -t tmpfs hook "+b.Rootfs+"/mnt && touch "+b.Rootfs+"/mnt/$(id -u)-$(id -g)"))
	wantLines(t, b.MustRun(), "0-0")
}

// A network set up by a createRuntime hook, by the pid that it is given.
func TestCreateRuntimeHookSetsUpTheNetwork(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("ip", "-o", "-4", "addr", "show", "dev", "hook0")
	addHook(b.Spec, "createRuntime", hook(`pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/')
		nsenter -t $pid -n ip link add hook0 type veth peer name hook1 && nsenter -t $pid -n ip addr add 10.99.1.2/24 dev hook0`))
	contains(t, b.MustRun(), "10.99.1.2/24")
}

func TestHookEnvironment(t *testing.T) {
	t.Parallel()
	dir := harness.TempDir(t)
	b := harness.NewBundle(t).Args("true")
	none, given, empty := filepath.Join(dir, "none"), filepath.Join(dir, "given"), filepath.Join(dir, "empty")
	env := func(path string) []string { return []string{"sh", "-c", "/usr/bin/env >" + path} }
	addHook(b.Spec, "createRuntime", specs.Hook{Path: "/bin/sh", Args: env(none)})
	addHook(b.Spec, "createRuntime", specs.Hook{Path: "/bin/sh", Args: env(given), Env: []string{"A=1"}})
	b.Save()
	// Go leaves an empty env out of the JSON: it has to be put in by hand.
	config := strings.Replace(readFile(t, filepath.Join(b.Dir, "config.json")), `"createRuntime": [`,
		fmt.Sprintf(`"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "/usr/bin/env >%s"], "env": []},`, empty), 1)
	b.SaveRaw(config)
	cmd := b.Command("run")
	cmd.Env = []string{"FROM_CALLER=yes", "PATH=" + os.Getenv("PATH")}
	if res := b.RunCmd(cmd); res.Code != 0 {
		t.Fatalf("run: %+v", res)
	}
	contains(t, readFile(t, none), "FROM_CALLER=yes\n")
	contains(t, readFile(t, given), "A=1\n")
	for _, name := range []string{given, empty} {
		if strings.Contains(readFile(t, name), "FROM_CALLER") {
			t.Errorf("%s inherited the caller's environment", name)
		}
	}
}

func TestHookArgs(t *testing.T) {
	t.Parallel()
	dir := harness.TempDir(t)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$# $0\" >"+dir+"/out\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Args("true")
	addHook(b.Spec, "createRuntime", specs.Hook{Path: script})
	b.MustRun()
	wantLines(t, readFile(t, dir+"/out"), "0 "+script)
}

// args[0] of a hook is its argv[0], which a program with many names looks at.
func TestHookArgv0(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	outside, inside := hookLog(t, b)
	for _, kind := range hookKinds {
		addHook(b.Spec, kind, specs.Hook{Path: "/bin/busybox", Args: []string{"sh", "-c", "echo " + kind + " $0 $1 >>" + logOf(kind, outside, inside), "zero", "one"}})
	}
	b.Start()
	b.Kill()
	b.Delete()
	for _, kind := range hookKinds {
		contains(t, readFile(t, outside), kind+" zero one\n")
	}
}

// The runtime's own hooks run in the bundle, whatever directory the command was called in.
func TestHookDirectory(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 runs the poststop hooks of delete where it is called")
	b := sleeper(t)
	log := harness.TempDir(t) + "/log"
	kinds := []string{"prestart", "createRuntime", "poststart", "poststop"}
	var want []string
	for _, kind := range kinds {
		addHook(b.Spec, kind, hook("echo "+kind+" $PWD >>"+log))
		want = append(want, kind+" "+b.Dir)
	}
	b.Start()
	b.Kill()
	b.Delete()
	wantLines(t, readFile(t, log), want...)
	_ = os.Remove(log)
	b.MustRun("--detach")
	b.Kill()
	b.Delete()
	wantLines(t, readFile(t, log), want...)
}

// A failing hook ends the container: nothing is left, and the poststop hooks ran.
func TestFailingHooks(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"prestart", "createRuntime", "createContainer"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			log := filepath.Join(harness.TempDir(t), "log")
			addHook(b.Spec, kind, hook("echo OUT; echo ERR >&2; exit 3"))
			addHook(b.Spec, kind, hook("echo second >>"+log))
			addHook(b.Spec, "poststop", hook("echo poststop >>"+log))
			message := b.FailRun("hook #0", "exit status 3")
			if harness.Peer() == "" {
				contains(t, message, "hooks."+kind+"[0]", "/bin/sh")
			}
			if harness.Peer() != "runc" {
				contains(t, message, "OUT", "ERR")
			}
			wantLines(t, readFile(t, log), "poststop")
		})
	}
}

func TestFailingStartHooks(t *testing.T) {
	t.Parallel()
	ours(t, "start succeeds, or the hook runs in create")
	for _, kind := range []string{"startContainer", "poststart"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t)
			log := filepath.Join(harness.TempDir(t), "log")
			addHook(b.Spec, kind, hook("echo OUT; echo ERR >&2; exit 3"))
			addHook(b.Spec, "poststop", hook("echo poststop >>"+log))
			b.Create()
			pid := b.Pid()
			res := b.Do("start")
			if res.Code == 0 {
				t.Fatal("start succeeded")
			}
			contains(t, res.Message(), "hooks."+kind+"[0]", "exit status 3", "OUT", "ERR")
			wantLines(t, readFile(t, log), "poststop")
			harness.Eventually(t, "end of the process", func() bool { return !harness.Alive(pid) })
			if dirs := b.CgroupDirs(); dirs != nil {
				t.Errorf("left %v", dirs)
			}
		})
	}
}

func TestMissingHook(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	addHook(b.Spec, "createRuntime", specs.Hook{Path: "/no/such/hook"})
	b.FailRun("/no/such/hook")
}

// The deadline takes the hook's children along.
func TestHookTimeout(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 waits for the hook's children")
	b := sleeper(t)
	h := hook("sleep 60 & sleep 60; wait")
	h.Timeout = ptr(1)
	addHook(b.Spec, "createRuntime", h)
	start := time.Now()
	message := b.FailRun()
	if passed := time.Since(start); passed > 30*time.Second || passed < time.Second {
		t.Errorf("a timeout of one second took %v", passed)
	}
	contains(t, message, "time")
}

// A time-out may be as long as a number of config.json can say.
func TestHookLongTimeout(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int{9223372036, 9223372037, 1<<63 - 1} {
		b := harness.NewBundle(t).Args("echo", "runs")
		h := hook("sleep 0.1")
		h.Timeout = ptr(seconds)
		addHook(b.Spec, "createRuntime", h)
		wantLines(t, b.MustRun(), "runs")
	}
}

func TestHookThatDoesNotRead(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "runs").Edit(func(s *specs.Spec) {
		s.Annotations = map[string]string{"org.example.long": strings.Repeat("x", 200000)}
	})
	addHook(b.Spec, "createRuntime", hook("exec <&-; true"))
	wantLines(t, b.MustRun(), "runs")
}

// A hook with children that live on and hold its output must not hang create.
func TestHookThatLeavesAChild(t *testing.T) {
	t.Parallel()
	ours(t, "waits for the pipe")
	dir := harness.TempDir(t)
	b := harness.NewBundle(t).Args("echo", "runs")
	addHook(b.Spec, "createRuntime", hook("sleep 20 & echo $! >"+dir+"/pid"))
	start := time.Now()
	wantLines(t, b.MustRun(), "runs")
	if passed := time.Since(start); passed > 8*time.Second {
		t.Errorf("it took %v", passed)
	}
	var pid int
	if _, err := fmt.Sscan(readFile(t, dir+"/pid"), &pid); err == nil {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}

func TestHooksOfAnotherUsersContainer(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Caps()
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	dir := harness.TempDir(t)
	addHook(b.Spec, "createContainer", hook("id -u >"+dir+"/id"))
	b.Start()
	wantLines(t, readFile(t, dir+"/id"), "0")
}

// createContainer hooks run in the user namespace of the container, too.
func TestHooksInUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "runs").MapIDs(100000, 65536)
	dir := harness.TempDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	addHook(b.Spec, "createRuntime", hook("readlink /proc/self/ns/user >"+dir+"/runtime"))
	addHook(b.Spec, "createContainer", hook("readlink /proc/self/ns/user >"+dir+"/container"))
	wantLines(t, b.MustRun(), "runs")
	host := namespace(t, os.Getpid(), "user")
	if got := strings.TrimSpace(readFile(t, dir+"/runtime")); got != host {
		t.Errorf("createRuntime ran in %s", got)
	}
	if got := strings.TrimSpace(readFile(t, dir+"/container")); got == host {
		t.Error("createContainer ran in the host's user namespace")
	}
}
