package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// kinds are the namespace types of config.json and their names in /proc.
var kinds = map[specs.LinuxNamespaceType]string{
	specs.PIDNamespace: "pid", specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts",
	specs.MountNamespace: "mnt", specs.CgroupNamespace: "cgroup", specs.UserNamespace: "user", specs.TimeNamespace: "time",
}

func TestNewNamespaces(t *testing.T) {
	t.Parallel()
	for kind, name := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if kind == specs.TimeNamespace {
				harness.SkipOnPeer(t, "runc", "1.1 has no time namespaces")
			}
			b := sleeper(t).Namespace(kind, "")
			if kind == specs.UserNamespace {
				b.MapIDs(100000, 65536)
			}
			b.Start()
			if namespace(t, b.Pid(), name) == namespace(t, os.Getpid(), name) {
				t.Error("the container is in the host's namespace")
			}
		})
	}
}

func TestAbsentNamespaceIsTheCallers(t *testing.T) {
	t.Parallel()
	for kind, name := range kinds {
		if kind == specs.MountNamespace {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t).NoNamespace(kind)
			if kind == specs.UTSNamespace {
				b.Spec.Hostname = ""
			}
			b.Start()
			if namespace(t, b.Pid(), name) != namespace(t, os.Getpid(), name) {
				t.Error("the container has a namespace of its own")
			}
		})
	}
}

func TestJoinNamespaces(t *testing.T) {
	t.Parallel()
	target := sleeper(t).Namespace(specs.CgroupNamespace, "").Start()
	pid := target.Pid()
	for _, kind := range []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace,
	} {
		name := kinds[kind]
		t.Run(name, func(t *testing.T) {
			b := sleeper(t).Namespace(kind, nsPath(pid, name))
			if kind == specs.UTSNamespace {
				b.Spec.Hostname = ""
			}
			b.Start()
			if namespace(t, b.Pid(), name) != namespace(t, pid, name) {
				t.Error("the container is not in the namespace of its path")
			}
			if kind == specs.PIDNamespace {
				if list := b.MustExec("ps"); strings.Count(list, "sleep 1000") != 2 {
					t.Errorf("processes in the joined namespace: %s", list)
				}
			}
		})
	}
}

// otherMounts is a process in a mount namespace of its own, with the same mounts as here, their
// propagation too.
func otherMounts(t *testing.T) (pid int) {
	t.Helper()
	other := exec.Command("sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	})
	return other.Process.Pid
}

// A mount namespace that is joined becomes the container's. What is mounted there is let go of, but
// neither on the host, whose mounts may be its peers, nor before the container's own root is
// complete.
func TestJoinMountNamespace(t *testing.T) {
	t.Parallel()
	shared := harness.TempDir(t)
	mountForTest(t, shared, "tmpfs", 0)
	if err := unix.Mount("", shared, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	mountForTest(t, filepath.Join(shared, "sub"), "tmpfs", 0)
	place := fmt.Sprintf("linux.namespaces[%d].path: ", len(harness.BaseSpec().Linux.Namespaces)-1)

	if harness.Peer() == "" {
		// Elsewhere this takes the host's root away.
		own := harness.NewBundle(t).Namespace(specs.MountNamespace, nsPath(os.Getpid(), "mnt"))
		own.FailRun(place, "is the runtime's own mount namespace: to share it, leave the entry out")

		pid := otherMounts(t)
		failing := harness.NewBundle(t).Namespace(specs.MountNamespace, nsPath(pid, "mnt"))
		failing.Mount("none", "/data", "no-such-fs").FailRun("no-such-fs")
		m := mountAt(t, mountsOf(t, readFile(t, fmt.Sprintf("/proc/%d/mountinfo", pid))), shared+"/sub")
		if len(m.propagation) != 1 || !strings.HasPrefix(m.propagation[0], "shared:") {
			t.Errorf("after a create that failed, a mount there is %q, not shared", m.propagation)
		}
	}
	for _, flags := range [][]string{nil, {"--no-pivot"}} {
		pid := otherMounts(t)
		b := sleeper(t).Namespace(specs.MountNamespace, nsPath(pid, "mnt")).Start(flags...)
		if namespace(t, b.Pid(), "mnt") != namespace(t, pid, "mnt") {
			t.Error("the container is not in the namespace of its path")
		}
		if got := b.MustExec("cat", "/proc/1/comm"); got != "sleep" {
			t.Errorf("exec: %q", got)
		}
		mountAt(t, mountsOf(t, readFile(t, "/proc/self/mountinfo")), shared+"/sub")
		mountAt(t, mountsOf(t, readFile(t, "/proc/self/mountinfo")), "/proc")
		b.Kill()
		b.Delete()
	}
}

func TestJoinUserNamespace(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 wants mappings beside the path")
	target := sleeper(t).MapIDs(100000, 65536).Start()
	pid := target.Pid()
	b := sleeper(t).MapIDs(100000, 65536).Namespace(specs.UserNamespace, nsPath(pid, "user"))
	b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = nil, nil
	b.Start()
	if namespace(t, b.Pid(), "user") != namespace(t, pid, "user") {
		t.Error("the container is not in the user namespace of its path")
	}
	if uid := strings.Fields(harness.StatusField(b.Pid(), "Uid"))[0]; uid != "100000" {
		t.Errorf("uid 0 inside is %s outside", uid)
	}
}

// A pod: one container holds the namespaces, the second one lives in them.
func TestPod(t *testing.T) {
	t.Parallel()
	pause := sleeper(t).Edit(func(s *specs.Spec) { s.Hostname = "pod" }).Start()
	pid := pause.Pid()
	app := harness.NewBundle(t).Sh("hostname; nc -lp 8080 & sleep 0.2; netstat -ltn | grep -c 8080; kill %1")
	for _, kind := range []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace} {
		app.Namespace(kind, nsPath(pid, kinds[kind]))
	}
	app.Spec.Hostname = ""
	wantLines(t, app.MustRun(), "pod", "1")
}

// A pod with a user namespace, as CRI makes it: the application joins the
// namespaces of the first container, the user namespace among them.
func TestPodWithUserNamespace(t *testing.T) {
	t.Parallel()
	pause := sleeper(t).MapIDs(100000, 65536).Edit(func(s *specs.Spec) { s.Hostname = "pod" }).Start()
	pid := pause.Pid()
	app := harness.NewBundle(t).Sh("hostname; id -u; ls /sys/class/net | head -n1; exec sleep 1000").MapIDs(100000, 65536)
	for _, kind := range []specs.LinuxNamespaceType{specs.UserNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace} {
		app.Namespace(kind, nsPath(pid, kinds[kind]))
	}
	if harness.Peer() != "runc" {
		app.Spec.Linux.UIDMappings, app.Spec.Linux.GIDMappings = nil, nil
	}
	app.Spec.Hostname = ""
	app.Start()
	harness.Eventually(t, "output", func() bool { return strings.Count(app.Output(), "\n") == 3 })
	wantLines(t, app.Output(), "pod", "0", "lo")
	if uid := strings.Fields(harness.StatusField(app.Pid(), "Uid"))[0]; uid != "100000" {
		t.Errorf("uid 0 inside is %s outside", uid)
	}
	wantLines(t, app.MustExec("id", "-u"), "0")
}

// A sysfs cannot be mounted where the network belongs to another user
// namespace; the host's is bound then, with the same restrictions.
func TestUserNamespaceWithTheHostsNetwork(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 gives up")
	b := harness.NewBundle(t).MapIDs(100000, 65536).NoNamespace(specs.NetworkNamespace)
	mounts := inside(t, b)
	if m := mountAt(t, mounts, "/sys"); m.kind != "sysfs" || !m.has("ro") || !m.has("nosuid") || !m.has("nodev") || !m.has("noexec") {
		t.Errorf("/sys: %+v", m)
	}
}

func TestTimeNamespacePath(t *testing.T) {
	harness.NeedsCap(t, "CAP_SYS_TIME", unix.CAP_SYS_TIME)
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no time namespaces")
	offsets := map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1000000}}
	target := sleeper(t).Namespace(specs.TimeNamespace, "")
	target.Spec.Linux.TimeOffsets = offsets
	target.Start()
	path := nsPath(target.Pid(), "time")

	b := sleeper(t).Namespace(specs.TimeNamespace, path)
	b.Start()
	if namespace(t, b.Pid(), "time") != namespace(t, target.Pid(), "time") {
		t.Error("the container is not in the time namespace of its path")
	}
	b = sleeper(t).Namespace(specs.TimeNamespace, path)
	b.Spec.Linux.TimeOffsets = offsets
	b.FailRun("timeOffsets")
}

func TestTimeOffsets(t *testing.T) {
	harness.NeedsCap(t, "CAP_SYS_TIME", unix.CAP_SYS_TIME)
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no time namespaces")
	for _, pidNamespace := range []bool{true, false} {
		b := harness.NewBundle(t).Args("cat", "/proc/uptime", "/proc/self/timens_offsets").Namespace(specs.TimeNamespace, "")
		b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{
			"boottime": {Secs: 1000000, Nanosecs: 500}, "monotonic": {Secs: -1, Nanosecs: 7},
		}
		if !pidNamespace {
			b.NoNamespace(specs.PIDNamespace)
		}
		out := b.MustRun()
		var uptime float64
		if _, err := fmt.Sscan(out, &uptime); err != nil {
			t.Fatal(err)
		}
		if uptime < 1000000 {
			t.Errorf("uptime %v with boottime 1000000 s ahead (own pid namespace: %v)", uptime, pidNamespace)
		}
		words := strings.Fields(out)
		contains(t, strings.Join(words[2:], " "), "monotonic -1 7", "boottime 1000000 500")
	}
}

func TestTimeOffsetErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Namespace(specs.TimeNamespace, "")
	b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"realtime": {Secs: 1}}
	message := b.FailRun()
	if harness.Peer() == "" {
		contains(t, message, "linux.timeOffsets", "realtime")
	}
	b = sleeper(t)
	b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1}}
	if harness.Peer() == "" {
		contains(t, b.FailRun(), "linux.timeOffsets")
	}
}

func TestUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("id -u; id -g; cat /proc/self/uid_map; stat -c %u:%g /bin/busybox; sleep 1000").MapIDs(100000, 65536)
	b.Start()
	harness.Eventually(t, "output", func() bool { return strings.Count(b.Output(), "\n") >= 4 })
	lines := strings.Split(b.Output(), "\n")
	lines[2] = strings.Join(strings.Fields(lines[2]), " ")
	wantLines(t, strings.Join(lines, "\n"), "0", "0", "0 100000 65536", "0:0")
	if got := strings.Fields(harness.StatusField(b.Pid(), "Uid")); got[0] != "100000" {
		t.Errorf("uid 0 inside is %v outside", got)
	}
	if got := strings.Fields(harness.StatusField(b.Pid(), "Gid")); got[0] != "100000" {
		t.Errorf("gid 0 inside is %v outside", got)
	}
}

func TestUserNamespaceUsers(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("id -u; id -g; id -G").MapIDs(100000, 65536)
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{1002, 5}}
	wantLines(t, b.MustRun(), "1000", "1001", "1001 5 1002")
}

func TestUserNamespaceWithManyRanges(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("sh", "-c", "wc -l </proc/self/uid_map").MapIDs(100000, 10)
	for i := uint32(1); i < 20; i++ {
		m := specs.LinuxIDMapping{ContainerID: i * 100, HostID: 200000 + i*100, Size: 10}
		b.Spec.Linux.UIDMappings = append(b.Spec.Linux.UIDMappings, m)
		b.Spec.Linux.GIDMappings = append(b.Spec.Linux.GIDMappings, m)
	}
	wantLines(t, b.MustRun(), "20")
}

func TestUserNamespaceErrors(t *testing.T) {
	t.Parallel()
	noMaps := sleeper(t).Namespace(specs.UserNamespace, "")
	noMaps.FailRun()
	noNamespace := sleeper(t)
	noNamespace.Spec.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1}}
	if harness.Peer() == "" {
		contains(t, noNamespace.FailRun(), "linux.uidMappings")
	}
	unmapped := sleeper(t).MapIDs(100000, 10)
	unmapped.Spec.Process.User.UID = 1000
	message := unmapped.FailRun()
	if harness.Peer() == "" {
		contains(t, message, "process.user.uid", "1000")
	}
}

func TestNamespaceErrors(t *testing.T) {
	t.Parallel()
	duplicate := sleeper(t)
	duplicate.Spec.Linux.Namespaces = append(duplicate.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.IPCNamespace})
	duplicate.FailRun("ipc")

	unknown := sleeper(t).Namespace("cheese", "")
	unknown.FailRun("cheese")

	missing := sleeper(t).Namespace(specs.NetworkNamespace, "/proc/self/ns/nosuch")
	missing.FailRun()

	wrong := sleeper(t).Namespace(specs.NetworkNamespace, "/proc/self/ns/ipc")
	message := wrong.FailRun()
	if harness.Peer() == "" {
		contains(t, message, "linux.namespaces[", "/proc/self/ns/ipc")
	}
}

func TestHostname(t *testing.T) {
	t.Parallel()
	host, _ := os.Hostname()
	b := harness.NewBundle(t).Sh("hostname; cat /proc/sys/kernel/domainname").Edit(func(s *specs.Spec) {
		s.Hostname, s.Domainname = "inside", "example.org"
	})
	if harness.Peer() == "runc" {
		b.Spec.Domainname = ""
		wantLines(t, b.MustRun(), "inside", "(none)")
	} else {
		wantLines(t, b.MustRun(), "inside", "example.org")
	}
	if now, _ := os.Hostname(); now != host {
		t.Errorf("the host's name became %q", now)
	}
}

func TestHostnameWithoutItsNamespace(t *testing.T) {
	t.Parallel()
	sleeper(t).NoNamespace(specs.UTSNamespace).FailRun("hostname")
	b := sleeper(t).NoNamespace(specs.UTSNamespace).Edit(func(s *specs.Spec) { s.Hostname, s.Domainname = "", "x" })
	if harness.Peer() == "" {
		b.FailRun("domainname")
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	out := harness.NewBundle(t).Sh("ls /sys/class/net /proc/sys/net/ipv4/conf; ip -o addr; ping -c1 -W1 127.0.0.1 >/dev/null && echo pong").
		Caps("CAP_NET_RAW").MustRun()
	contains(t, out, "lo", "127.0.0.1/8", "pong")
	if strings.Contains(out, "eth0") {
		t.Errorf("the host's interface is visible: %s", out)
	}
}

func TestProcessesAreInvisible(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("sleep 999 & ps -o pid,args | grep -v -e PID -e ps -e grep; echo /proc/[0-9]* | wc -w")
	out := b.MustRun()
	if strings.Contains(out, "integration.test") || len(strings.Split(out, "\n")) > 4 {
		t.Errorf("processes inside: %s", out)
	}
}

// System V shared memory and message queues belong to the ipc namespace,
// abstract sockets to the network namespace.
func TestIPCIsInvisible(t *testing.T) {
	t.Parallel()
	id, err := unix.SysvShmGet(0x0c1, 4096, unix.IPC_CREAT|0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := unix.SysvShmCtl(id, unix.IPC_RMID, nil); err != nil {
			t.Error(err)
		}
	}()
	own := harness.NewBundle(t).Sh("tail -n +2 /proc/sysvipc/shm | wc -l; ls /dev/mqueue | wc -l")
	wantLines(t, own.MustRun(), "0", "0")
	shared := harness.NewBundle(t).Sh("tail -n +2 /proc/sysvipc/shm | wc -l").NoNamespace(specs.IPCNamespace)
	if out := strings.TrimSpace(shared.MustRun()); out == "0" {
		t.Error("the host's shared memory is invisible without an ipc namespace")
	}
}

func TestAbstractSocketsAreInvisible(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("@%s-abstract", filepath.Base(harness.Work()))
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	if err := unix.Bind(l, &unix.SockaddrUnix{Name: name}); err != nil {
		t.Fatal(err)
	}
	script := "grep -c '" + name + "' /proc/net/unix; true"
	wantLines(t, harness.NewBundle(t).Sh(script).MustRun(), "0")
	wantLines(t, harness.NewBundle(t).Sh(script).NoNamespace(specs.NetworkNamespace).MustRun(), "1")
}

func TestCgroupNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("cut -d: -f3 /proc/self/cgroup | sort -u").Namespace(specs.CgroupNamespace, "")
	wantLines(t, b.MustRun(), "/")
	shared := harness.NewBundle(t).Args("cat", "/proc/self/cgroup").NoNamespace(specs.CgroupNamespace)
	for _, line := range mountedCgroups(shared.MustRun()) {
		if !strings.HasSuffix(line, shared.Spec.Linux.CgroupsPath) {
			t.Errorf("cgroup inside: %s", line)
		}
	}
}

func TestSysctl(t *testing.T) {
	t.Parallel()
	host, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Sh("cd /proc/sys; cat kernel/shmmni net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range fs/mqueue/queues_max")
	b.Spec.Linux.Sysctl = map[string]string{
		"kernel.shmmni": "1234", "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647",
		"fs.mqueue.queues_max": "77",
	}
	wantLines(t, strings.ReplaceAll(b.MustRun(), "\t", " "), "1234", "0", "0 2147483647", "77")
	if now, _ := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); string(now) != string(host) {
		t.Errorf("the host's own value became %s", now)
	}
}

func TestSysctlSeparators(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 knows dots only")
	b := harness.NewBundle(t).Sh("cat /proc/sys/net/ipv4/conf/lo/forwarding")
	b.Spec.Linux.Sysctl = map[string]string{"net/ipv4/conf/lo/forwarding": "1"}
	wantLines(t, b.MustRun(), "1")
}

func TestSysctlErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key     string
		without specs.LinuxNamespaceType
	}{
		{"kernel.panic", ""}, {"vm.swappiness", ""}, {"kernel.hostname", ""}, {"fs.file-max", ""},
		{"kernel.shmmni", specs.IPCNamespace}, {"net.ipv4.ip_forward", specs.NetworkNamespace},
		{"kernel/../vm/swappiness", ""},
	} {
		b := sleeper(t)
		if c.without != "" {
			b.NoNamespace(c.without)
		}
		b.Spec.Linux.Sysctl = map[string]string{c.key: "1"}
		message := b.FailRun("sysctl")
		if harness.Peer() == "" {
			contains(t, message, c.key)
		}
	}
}

// Tools that people use to look at namespaces see the container's.
func TestLsnsAndNsenter(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(func(s *specs.Spec) { s.Hostname = "entered" }).Start()
	pid := fmt.Sprint(b.Pid())
	out, err := exec.Command("lsns", "--noheadings", "--output", "TYPE", "--task", pid).Output()
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(out), "mnt", "uts", "ipc", "pid", "net")
	out, err = exec.Command("nsenter", "--target", pid, "--all", "/bin/sh", "-c", "hostname; ls /; echo $$").CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	contains(t, string(out), "entered\n", "proc\n")
}
