package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestExec(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(func(s *specs.Spec) { s.Hostname = "box" }).Start()
	if out := b.MustExec("sh", "-c", "hostname; id -u; ps | grep -c 'sleep 1000'"); !strings.HasPrefix(out, "box\n0\n") {
		t.Errorf("inside: %q", out)
	}
	for _, kind := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup", "user"} {
		if got, want := b.MustExec("readlink", "/proc/self/ns/"+kind), namespace(t, b.Pid(), kind); got != want {
			t.Errorf("%s: exec is in %s, want %s", kind, got, want)
		}
	}
}

func TestExecExitCodes(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	for script, want := range map[string]int{"exit 0": 0, "exit 42": 42, "kill -TERM $$": 143, "kill -KILL $$": 137} {
		if res := b.Exec("sh", "-c", script); res.Code != want {
			t.Errorf("%q: exit %d, want %d", script, res.Code, want)
		}
	}
}

func TestExecStdin(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	cmd := b.Cmd("exec", b.ID, "sh", "-c", "cat; echo err >&2")
	cmd.Stdin = strings.NewReader("through\n")
	if res := b.RunCmd(cmd); res.Code != 0 || res.Stdout != "through\n" || res.Stderr != "err\n" {
		t.Errorf("exec: %+v", res)
	}
}

func TestExecFlags(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	run := func(flags []string, args ...string) string {
		t.Helper()
		return strings.TrimSuffix(b.Must(slices.Concat([]string{"exec"}, flags, []string{b.ID}, args)...), "\n")
	}
	if got := run([]string{"--cwd", "/etc"}, "pwd"); got != "/etc" {
		t.Errorf("--cwd: %s", got)
	}
	for _, flag := range []string{"--env", "-e"} {
		if got := run([]string{flag, "A=1", flag, "B=2 3"}, "sh", "-c", "echo $A $B $TERM"); got != "1 2 3 xterm" {
			t.Errorf("%s: %s", flag, got)
		}
	}
	if got := run([]string{"--user", "1000:1001"}, "sh", "-c", "id -u; id -g"); got != "1000\n1001" {
		t.Errorf("--user: %q", got)
	}
	if got := run([]string{"-u", "1000"}, "sh", "-c", "id -u; id -g"); got != "1000\n0" {
		t.Errorf("-u: %q", got)
	}
	if got := run([]string{"--additional-gids", "7", "--additional-gids", "8"}, "grep", "Groups", "/proc/self/status"); got != "Groups:\t7 8 " {
		t.Errorf("--additional-gids: %q", got)
	}
	status := run([]string{"--cap", "CAP_NET_RAW", "--cap", "CAP_CHOWN"}, "cat", "/proc/self/status")
	// Those of config.json plus the two: AUDIT_WRITE 29, KILL 5, NET_BIND_SERVICE 10.
	want := capMask(29, 5, 10, capChown, capNetRaw)
	contains(t, status, "CapEff:\t"+want, "CapPrm:\t"+want, "CapBnd:\t"+want, "CapInh:\t"+capMask(), "CapAmb:\t"+capMask(), "NoNewPrivs:\t1")
	if got := run([]string{"--no-new-privs=true"}, "true"); got != "" {
		t.Errorf("--no-new-privs: %q", got)
	}
	// The container's command keeps its flags.
	if got := run(nil, "sh", "-c", "echo $0 $1", "--user", "-x"); got != "--user -x" {
		t.Errorf("flags of the command: %q", got)
	}
}

func TestExecNoNewPrivs(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(process(func(p *specs.Process) { p.NoNewPrivileges = false })).Start()
	for _, c := range []struct {
		flags []string
		want  string
	}{{nil, "0"}, {[]string{"--no-new-privs"}, "1"}} {
		out := b.Must(slices.Concat([]string{"exec"}, c.flags, []string{b.ID, "grep", "NoNewPrivs", "/proc/self/status"})...)
		if out != "NoNewPrivs:\t"+c.want+"\n" {
			t.Errorf("%v: %s", c.flags, out)
		}
	}
}

func TestExecProcessFile(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 sets neither the umask nor the soft limit")
	b := sleeper(t).Start()
	p := specs.Process{
		Args: []string{"sh", "-c", "id -u; id -g; pwd; echo $X; umask; ulimit -n; grep -E 'CapEff|NoNewPrivs|Groups' /proc/self/status"},
		Env:  []string{"PATH=/bin", "X=y"}, Cwd: "/tmp",
		User:         specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{9}, Umask: ptr(uint32(0o77))},
		Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}, Permitted: []string{"CAP_CHOWN"}, Effective: []string{"CAP_CHOWN"}},
		Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 78}},
	}
	name := filepath.Join(t.TempDir(), "process.json")
	writeJSON(t, name, p)
	out := b.Must("exec", "--process", name, b.ID)
	wantLines(t, out, "5", "6", "/tmp", "y", "0077", "77", "Groups:\t9 ", "CapEff:\t"+capMask(), "NoNewPrivs:\t0")

	pidFile := filepath.Join(t.TempDir(), "pid")
	p.Args = []string{"sleep", "777"}
	writeJSON(t, name, p)
	b.Must("exec", "--process", name, "--detach", "--pid-file", pidFile, b.ID)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(readFile(t, pidFile), &pid); err != nil {
		t.Fatal(err)
	}
	wantPidFile(t, pidFile, pid)
	if cmdline := readFile(t, fmt.Sprintf("/proc/%d/cmdline", pid)); cmdline != "sleep\x00777\x00" {
		t.Errorf("the pid file's process is %q", cmdline)
	}
	if parent := harness.StatusField(pid, "PPid"); parent != fmt.Sprint(os.Getppid()) {
		t.Errorf("the process's parent is %s, want the nearest subreaper %d", parent, os.Getppid())
	}
}

func writeJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExecErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	if res := b.Runtime.Run("exec", b.ID); res.Code == 0 {
		t.Error("exec without a command succeeded")
	}
	if res := b.Runtime.Run("exec", "--cwd", "relative", b.ID, "true"); res.Code == 0 {
		t.Error("a relative --cwd was accepted")
	}
	for _, user := range []string{"x", "1:x", "-1", "1:2:3", "4294967296", "1x"} {
		if user == "4294967296" && harness.Peer() == "runc" {
			continue // 1.1 lets it wrap to 0
		}
		if res := b.Runtime.Run("exec", "--user", user, b.ID, "true"); res.Code == 0 {
			t.Errorf("--user %s was accepted", user)
		}
	}
	if res := b.Runtime.Run("exec", "--process", "/no/such", b.ID); res.Code == 0 {
		t.Error("a missing --process file was accepted")
	}
	// There is no such security module on this host, or no such profile.
	for _, flag := range []string{"--apparmor", "--process-label"} {
		if res := b.Runtime.Run("exec", flag, "nosuch", b.ID, "true"); res.Code != 255 {
			t.Errorf("exec %s nosuch: exit %d, want 255", flag, res.Code)
		}
	}
	b.Kill()
	res := b.Exec("true")
	if res.Code != 255 || !strings.Contains(res.Message(), "cannot exec in a stopped container") {
		t.Errorf("exec in a stopped container: %+v", res)
	}
}

func TestExecInCreatedContainer(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Create()
	wantLines(t, b.MustExec("sh", "-c", "echo inside; cat /etc/group | wc -l"), "inside", "3")
	if s := b.State(); s.Status != specs.StateCreated {
		t.Errorf("status %s", s.Status)
	}
	b.Must("start", b.ID)
}

func TestExecInUserNamespace(t *testing.T) {
	t.Parallel()
	b := sleeper(t).MapIDs(100000, 65536).Start()
	wantLines(t, b.MustExec("sh", "-c", "id -u; id -G; cut -c1-9 /proc/self/setgroups; grep CapEff /proc/self/status"),
		"0", "0", "allow", "CapEff:\t"+capMask(29, 5, 10))
	out := b.Must("exec", "--user", "1000:1000", b.ID, "id", "-u")
	wantLines(t, out, "1000")
}

func TestExecInTimeNamespace(t *testing.T) {
	harness.NeedsCap(t, "CAP_SYS_TIME", unix.CAP_SYS_TIME)
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no time namespaces")
	b := sleeper(t).Namespace(specs.TimeNamespace, "")
	b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 5000000}}
	b.Start()
	var uptime float64
	if _, err := fmt.Sscan(b.MustExec("cat", "/proc/uptime"), &uptime); err != nil || uptime < 5000000 {
		t.Errorf("uptime %v, %v", uptime, err)
	}
}

func TestExecWithoutNamespaces(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Hostname = ""
	b.Spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	b.Start()
	wantLines(t, b.MustExec("ls", "/etc"), "group", "passwd")
}

func TestExecDetachedEndsWithTheContainer(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	pidFile := filepath.Join(t.TempDir(), "pid")
	b.Must("exec", "-d", "--pid-file", pidFile, b.ID, "sleep", "555")
	var pid int
	if _, err := fmt.Sscan(readFile(t, pidFile), &pid); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	harness.Eventually(t, "end of the exec'd process", func() bool { return !harness.Alive(pid) })
}

func TestExecForwardsSignals(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	cmd := b.Cmd("exec", b.ID, "sh", "-c", "trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.01; done")
	out := &background{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "ready", func() bool { return strings.Contains(out.String(), "ready") })
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 || !strings.Contains(out.String(), "term") {
		t.Errorf("exit %d, output %q", code, out)
	}
}

func TestExecConcurrently(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if res := b.Exec("echo", fmt.Sprint(i)); res.Code != 0 || res.Stdout != fmt.Sprintln(i) {
				t.Errorf("exec %d: %+v", i, res)
			}
		})
	}
	wg.Wait()
}

func TestExecIgnorePaused(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := sleeper(t).Start()
	b.Must("pause", b.ID)
	cmd := b.Cmd("exec", "--ignore-paused", b.ID, "echo", "thawed")
	out := &background{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.Must("resume", b.ID)
	_ = cmd.Wait()
	if out.String() != "thawed\n" {
		t.Errorf("output %q, exit %d", out, cmd.ProcessState.ExitCode())
	}
}

// exec under the container's own tight limits.
func TestExecUnderTightLimits(t *testing.T) {
	t.Parallel()
	ours(t, "needs more threads and memory itself")
	harness.NeedController(t, "pids")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		// The container's own, the new one, and for a moment its parent: who drops privileges
		// before the container sees it has to be in the cgroup by then.
		r.Pids = &specs.LinuxPids{Limit: ptr(int64(3))}
		r.Memory = &specs.LinuxMemory{Limit: ptr(int64(2 << 20))}
	})).Start()
	wantLines(t, b.MustExec("echo", "fits"), "fits")

	b = sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(2))} })).Start()
	res := b.Exec("true")
	if res.Code != 255 || !strings.Contains(res.Stderr, "linux.resources.pids.limit") {
		t.Errorf("exec without room for its parent: %+v", res)
	}
}

func TestExecUmaskAndRlimitsComeFromConfig(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 sets neither the umask nor the soft limit")
	b := sleeper(t).Edit(process(func(p *specs.Process) {
		p.User.Umask = ptr(uint32(0o27))
		p.Cwd = "/etc"
		p.OOMScoreAdj = ptr(321)
	})).Start()
	wantLines(t, b.MustExec("sh", "-c", "umask; pwd; ulimit -n; cat /proc/self/oom_score_adj"), "0027", "/etc", "1024", "321")
}

// exec ends up in the container's root, also where joining namespaces doesn't
// lead there, or leads to the host's.
func TestExecIsInTheContainersRoot(t *testing.T) {
	t.Parallel()
	b := sleeper(t).File("/mark", "of the container\n", 0o644).Start("--no-pivot")
	wantLines(t, b.MustExec("cat", "/mark"), "of the container")

	harness.SkipOnPeer(t, "runc", "it needs /proc in the container, and leaks a mount without a mount namespace")
	b = sleeper(t).File("/mark", "of the container\n", 0o644)
	b.Spec.Mounts, b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = nil, nil, nil
	b.Spec.Root.Readonly = false
	b.NoNamespace(specs.MountNamespace).Start()
	wantLines(t, b.MustExec("cat", "/mark"), "of the container")
}

// A limit on the processes of the user counts the one that is executed, and none that help to get
// there.
func TestExecUnderTightProcessLimit(t *testing.T) {
	t.Parallel()
	const uid = 54321 // nobody else's
	b := sleeper(t).Edit(process(func(p *specs.Process) {
		p.User = specs.User{UID: uid, GID: uid}
		p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NPROC", Soft: 1, Hard: 1}}
	})).Start()
	wantLines(t, b.MustExec("sh", "-c", "echo fits; ulimit -Hu; ulimit -u"), "fits", "1", "1")
}

// A pid file that can't be replaced is no reason to try once more.
func TestExecPidFileOnAMountPoint(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	file, socket := filepath.Join(harness.TempDir(t), "pid"), harness.NewSocket(t)
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(file, file, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(file, 0); err != nil {
			t.Error(err)
		}
	})
	res := b.Runtime.Run("exec", "--pidfd-socket", socket.Path, "--pid-file", file, b.ID, "true")
	if res.Code != 255 || !strings.Contains(res.Message(), "--pid-file") || !strings.Contains(res.Message(), "device or resource busy") {
		t.Errorf("exit %d: %s", res.Code, res.Stderr)
	}
	socket.Receive()
	if socket.Waiting() {
		t.Error("a second process was started")
	}
}

// A manager outside of the container may have moved its processes and removed its cgroup.
func TestExecAfterTheInitHasMoved(t *testing.T) {
	t.Parallel()
	ours(t, "runc asks for the container's own cgroup")
	b := sleeper(t).NoNamespace(specs.CgroupNamespace).Start()
	init := b.Pid()
	var moved []string
	t.Cleanup(func() {
		b.Must("delete", "--force", b.ID)
		for _, dir := range moved {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		}
	})
	for _, dir := range b.CgroupDirs() {
		to := dir + "-moved"
		if err := os.Mkdir(to, 0o755); err != nil {
			t.Fatal(err)
		}
		moved = append(moved, to)
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if value, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				if err := os.WriteFile(filepath.Join(to, file), value, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(strconv.Itoa(init)), 0); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "an empty cgroup", func() bool {
			err := os.Remove(dir)
			return err == nil || errors.Is(err, os.ErrNotExist) // systemd may have been first
		})
	}
	want, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", init))
	if err != nil {
		t.Fatal(err)
	}
	if got := b.MustExec("cat", "/proc/self/cgroup"); got != strings.TrimSuffix(string(want), "\n") {
		t.Errorf("exec is in\n%s\nthe init in\n%s", got, want)
	}
}
