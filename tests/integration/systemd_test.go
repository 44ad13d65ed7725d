package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// scoped is a container that sleeps in a scope of systemd's.
func scoped(t *testing.T) (b *harness.Bundle, unit string) {
	t.Helper()
	b = harness.Systemd(t).Args("sleep", "1000")
	return b, "t-" + b.ID + ".scope"
}

// unitProperties asks systemd about a unit.
func unitProperties(t *testing.T, unit string, names ...string) map[string]string {
	t.Helper()
	out, err := exec.Command("systemctl", "show", "-p", strings.Join(names, ","), unit).Output()
	if err != nil {
		t.Fatal(err)
	}
	props := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		props[name] = value
	}
	return props
}

func wantProperties(t *testing.T, unit string, want map[string]string) {
	t.Helper()
	var names []string
	for name := range want {
		names = append(names, name)
	}
	for name, got := range unitProperties(t, unit, names...) {
		if got != want[name] {
			t.Errorf("%s: %s is %q, want %q", unit, name, got, want[name])
		}
	}
}

func wantNoUnit(t *testing.T, unit string) {
	t.Helper()
	wantProperties(t, unit, map[string]string{"LoadState": "not-found", "ActiveState": "inactive"})
}

func daemonReload(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("systemctl", "daemon-reload").CombinedOutput(); err != nil {
		t.Fatalf("daemon-reload: %v: %s", err, out)
	}
}

func hasController(name string) bool {
	return slices.ContainsFunc(harness.Hierarchies(), func(h harness.Hierarchy) bool { return slices.Contains(h.Controllers, name) })
}

func TestSystemdScope(t *testing.T) {
	b, unit := scoped(t)
	b.Create()
	dir := "/system.slice/" + unit
	wantProperties(t, unit, map[string]string{
		"LoadState": "loaded", "ActiveState": "active", "Slice": "system.slice", "Delegate": "yes", "ControlGroup": dir, "Transient": "yes",
	})
	wantIn := func(pid int) {
		t.Helper()
		own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(own)) {
			// systemd manages either all the v1 hierarchies or the v2 tree.
			if strings.HasPrefix(line, "0::") == harness.Unified() && !strings.HasSuffix(line, ":"+dir+"\n") {
				t.Errorf("process %d is in %s", pid, line)
			}
		}
	}
	wantIn(b.Pid())
	for _, d := range b.CgroupDirs() {
		if pids := harness.CgroupPids(d); !slices.Equal(pids, []int{b.Pid()}) {
			t.Errorf("in %s are %v, want the init %d alone", d, pids, b.Pid())
		}
	}
	b.Do("start")
	pidFile := filepath.Join(b.Dir, "pid")
	b.Must("exec", "--detach", "--pid-file", pidFile, b.ID, "sleep", "100")
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	wantIn(pid)
	b.Must("delete", "--force", b.ID)
	wantNoUnit(t, unit)
	if left := b.CgroupDirs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// limit is one limit, as systemd shows it and as the kernel does.
type limit struct {
	controller, property, value string
	v1, file1, v2, file2        string
}

// limitsOf are those of the controllers that this host has.
func wantLimits(t *testing.T, b *harness.Bundle, unit string, limits []limit) {
	t.Helper()
	for _, l := range limits {
		if !hasController(l.controller) {
			continue
		}
		wantProperties(t, unit, map[string]string{l.property: l.value})
		want := l.file1
		if harness.NeedController(t, l.controller).Unified {
			want = l.file2
		}
		wantValue(t, b, l.controller, l.v1, l.v2, want)
	}
}

func v1or2(v1, v2 string) string {
	if harness.Unified() {
		return v2
	}
	return v1
}

// What systemd knows of a limit is what the kernel enforces, also after systemd has set all files
// anew.
func TestSystemdLimits(t *testing.T) {
	b, unit := scoped(t)
	b.Edit(resources(func(r *specs.LinuxResources) {
		if hasController("memory") {
			r.Memory = &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Reservation: ptr(int64(32 << 20))}
		}
		if hasController("cpu") {
			// Less than a hundredth of a CPU is more than systemd can say: it is rounded up.
			r.CPU = &specs.LinuxCPU{Shares: ptr(uint64(2048)), Quota: ptr(int64(33333)), Period: ptr(uint64(100000))}
		}
		if hasController("cpuset") {
			r.CPU.Cpus, r.CPU.Mems = "0", "0"
		}
		if hasController("pids") {
			r.Pids = &specs.LinuxPids{Limit: ptr(int64(50))}
		}
		if hasController("io") && harness.Unified() {
			r.BlockIO = &specs.LinuxBlockIO{Weight: ptr(uint16(500))}
		}
	})).Start()
	mem := v1or2("MemoryLimit", "MemoryMax")
	limits := []limit{
		{"memory", mem, "67108864", "memory.limit_in_bytes", "67108864", "memory.max", "67108864"},
		{"cpu", v1or2("CPUShares", "CPUWeight"), v1or2("2048", "174"), "cpu.shares", "2048", "cpu.weight", "174"},
		{"cpu", "CPUQuotaPerSecUSec", "340ms", "cpu.cfs_quota_us", "34000", "cpu.max", "34000 100000"},
		{"pids", "TasksMax", "50", "pids.max", "50", "pids.max", "50"},
	}
	if harness.Unified() {
		limits = append(limits,
			limit{"memory", "MemoryLow", "33554432", "", "", "memory.low", "33554432"},
			limit{"cpuset", "AllowedCPUs", "0", "", "", "cpuset.cpus", "0"},
			limit{"cpuset", "AllowedMemoryNodes", "0", "", "", "cpuset.mems", "0"})
	}
	wantLimits(t, b, unit, limits)
	daemonReload(t)
	wantLimits(t, b, unit, limits)
	if !hasController("memory") || !hasController("pids") {
		return
	}
	b.Must("update", "--memory", "128M", "--pids-limit", "60", b.ID)
	limits[0].value, limits[0].file1, limits[0].file2 = "134217728", "134217728", "134217728"
	limits[3].value, limits[3].file1, limits[3].file2 = "60", "60", "60"
	wantLimits(t, b, unit, limits)
	daemonReload(t)
	wantLimits(t, b, unit, limits)
}

// Device rules outlive a reload of systemd's.
func TestSystemdDevices(t *testing.T) {
	b, unit := scoped(t)
	b.Caps("CAP_MKNOD", "CAP_DAC_OVERRIDE").Edit(resources(func(r *specs.LinuxResources) {
		r.Devices = []specs.LinuxDeviceCgroup{
			{Allow: false, Access: "rwm"},
			{Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "r"},
		}
	})).Start()
	b.MustExec("mknod", "/dev/fuse", "c", "10", "229")
	b.MustExec("mknod", "/dev/port", "c", "1", "4")
	check := func(when string) {
		t.Helper()
		script := "echo x >/dev/null && head -c1 /dev/zero >/dev/null && echo fine; (: </dev/fuse) && echo reads; (: >/dev/fuse) || echo kept; (: </dev/port) || echo kept"
		if got := strings.Fields(b.MustExec("sh", "-c", script+" 2>/dev/null")); !slices.Equal(got, []string{"fine", "reads", "kept", "kept"}) {
			t.Errorf("%s: %v", when, got)
		}
	}
	check("at first")
	daemonReload(t)
	check("after daemon-reload")
	if err := exec.Command("systemctl", "set-property", "--runtime", unit, "CPUWeight=50").Run(); err != nil {
		t.Error(err)
	}
	check("after set-property")
}

func TestSystemdAnnotations(t *testing.T) {
	b, unit := scoped(t)
	b.Spec.Annotations = map[string]string{
		"org.systemd.property.TimeoutStopSec": "uint32 7",
		"org.systemd.property.KillSignal":     "37",
		"org.systemd.property.CollectMode":    "'inactive-or-failed'",
		"org.systemd.property.Description":    "'of my own'",
	}
	b.Create()
	wantProperties(t, unit, map[string]string{
		"TimeoutStopUSec": "7s", "KillSignal": "37", "CollectMode": "inactive-or-failed", "Description": "of my own",
	})
	for key, value := range map[string]string{
		"org.systemd.property.TimeoutStopSec": "'soon'", "org.systemd.property.KillSignal": "(", "org.systemd.property.Nonsense": "7",
	} {
		bad, _ := scoped(t)
		bad.Spec.Annotations = map[string]string{key: value}
		contains(t, bad.TryCreate().Message(), strings.TrimPrefix(key, "org.systemd.property."))
	}
}

// The placeholder that systemd needs leaves room for a single process.
func TestSystemdOneProcess(t *testing.T) {
	harness.NeedController(t, "pids")
	for _, want := range []int64{1, 0} {
		b := harness.Systemd(t).Args("true").Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: &want} }))
		b.Create()
		wantValue(t, b, "pids", "pids.max", "pids.max", fmt.Sprint(want))
		wantProperties(t, "t-"+b.ID+".scope", map[string]string{"TasksMax": "1"})
		b.Do("start")
	}
}

func TestSystemdSlices(t *testing.T) {
	b, _ := scoped(t)
	name := strings.ReplaceAll(b.ID, "-", "_")
	b.Spec.Linux.CgroupsPath = "t" + name + "-deep.slice:pre:" + b.ID
	t.Cleanup(func() { _ = exec.Command("systemctl", "stop", "t"+name+".slice").Run() })
	b.Create()
	unit := "pre-" + b.ID + ".scope"
	wantProperties(t, unit, map[string]string{
		"Slice": "t" + name + "-deep.slice", "ControlGroup": "/t" + name + ".slice/t" + name + "-deep.slice/" + unit,
	})
	b.Delete()
	wantNoUnit(t, unit)
}

func TestSystemdDefaultPath(t *testing.T) {
	b, _ := scoped(t)
	b.Spec.Linux.CgroupsPath = ""
	b.Create()
	unit := "ociruntime-" + b.ID + ".scope"
	wantProperties(t, unit, map[string]string{"ControlGroup": "/system.slice/" + unit})
	b.Delete()
	wantNoUnit(t, unit)
}

// A unit of somebody else's is left alone.
func TestSystemdUnitExists(t *testing.T) {
	b, unit := scoped(t)
	cmd := exec.Command("systemd-run", "--scope", "--unit="+unit, "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// At once: a dead process that nobody has waited for keeps its v1 cgroup from being removed.
	dead := make(chan error, 1)
	go func() { dead <- cmd.Wait() }()
	defer func() {
		_ = exec.Command("systemctl", "stop", unit).Run()
		<-dead
		for deadline := time.Now().Add(harness.Patience(20 * time.Second)); len(b.CgroupDirs()) > 0 && time.Now().Before(deadline); {
			// In a container, systemd doesn't see when a v1 cgroup may be removed.
			for _, d := range b.CgroupDirs() {
				_ = os.Remove(d)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	active := func() string { return unitProperties(t, unit, "ActiveState")["ActiveState"] }
	for deadline := time.Now().Add(harness.Patience(20 * time.Second)); active() != "active" && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	contains(t, b.TryCreate().Message(), unit)
	if got := active(); got != "active" {
		t.Errorf("the other's unit is %s", got)
	}
}

// A create that fails leaves no unit, and the same name can be used again at once.
func TestSystemdFailure(t *testing.T) {
	b, unit := scoped(t)
	b.Mount("/nonexistent", "/x", "", "bind")
	b.FailRun("mounts")
	wantNoUnit(t, unit)
	b.Spec.Mounts = b.Spec.Mounts[:len(b.Spec.Mounts)-1]
	for range 3 {
		b.Save().Create()
		b.Delete()
		wantNoUnit(t, unit)
	}
}

// A runtime that is killed while the container is being made leaves nothing that delete does not
// remove.
func TestSystemdRuntimeKilled(t *testing.T) {
	b, unit := scoped(t)
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -9 $PPID"}}}}
	if res := b.TryCreate(); res.Code != 137 {
		t.Errorf("exit %d, want that of a killed process", res.Code)
	}
	b.Must("delete", "--force", b.ID)
	wantNoUnit(t, unit)
	if left := b.CgroupDirs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A container that was killed for its memory leaves a failed unit to systemd, and delete none.
func TestSystemdOutOfMemory(t *testing.T) {
	harness.NeedController(t, "memory")
	b, unit := scoped(t)
	b.Mount("tmpfs", "/tmp", "tmpfs").Sh("dd if=/dev/zero of=/tmp/x bs=1M count=64").Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}
	})).Start()
	b.WaitStatus("stopped")
	b.Delete()
	wantNoUnit(t, unit)
}

func TestSystemdManyAtOnce(t *testing.T) {
	const n = 20
	var all sync.WaitGroup
	bundles := make([]*harness.Bundle, n)
	for i := range bundles {
		bundles[i], _ = scoped(t)
	}
	for _, b := range bundles {
		all.Go(func() {
			if res := b.TryCreate(); res.Code != 0 {
				t.Errorf("create: %s", res.Stderr)
			}
			if res := b.Do("delete", "--force"); res.Code != 0 {
				t.Errorf("delete: %s", res.Stderr)
			}
		})
	}
	all.Wait()
	args := []string{"list-units", "--all", "--no-legend"}
	for _, b := range bundles {
		args = append(args, "t-"+b.ID+".scope")
	}
	out, err := exec.Command("systemctl", args...).Output()
	if err != nil || len(out) > 0 {
		t.Errorf("left: %s (%v)", out, err)
	}
}

func TestSystemdPaths(t *testing.T) {
	for _, path := range []string{"/absolute/path", "a:b", "system.slice:x:a/b", "system:x:y", "a--b.slice:x:y"} {
		b, _ := scoped(t)
		b.Spec.Linux.CgroupsPath = path
		contains(t, b.TryCreate().Message(), "linux.cgroupsPath")
	}
}

func TestSystemdExplain(t *testing.T) {
	harness.NeedController(t, "pids")
	b, unit := scoped(t)
	b.Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(50))} })).Save()
	contains(t, b.Must("explain", "--bundle", b.Dir), unit, "system.slice", "TasksMax = 50")
	wantNoUnit(t, unit)
}

// users is a container of a user with a systemd of his own, and a way to run commands as him. Where
// they run is a cgroup below that systemd, or one of root's.
func users(t *testing.T, below bool) (b *harness.Bundle, run func(args ...string) harness.Result) {
	t.Helper()
	const uid = 1000
	b = harness.Systemd(t).Args("sleep", "1000")
	manager := fmt.Sprintf("/sys/fs/cgroup/user.slice/user-%d.slice/user@%d.service", uid, uid)
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/systemd/private", uid)); err != nil || !harness.Unified() {
		t.Skip("no user with a systemd of his own and cgroup v2 here: make hostsd-test or make vm-test")
	}
	own := harness.TempDir(t)
	if err := os.Chown(own, uid, uid); err != nil {
		t.Fatal(err)
	}
	b.Root = filepath.Join(own, "root")
	b.Spec.Linux.CgroupsPath = "user.slice:t:" + b.ID
	b.NoNamespace(specs.NetworkNamespace).Namespace(specs.UserNamespace, "")
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: uid, Size: 1}}
	b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = ids, ids
	b.Spec.Linux.Resources = nil
	for i, m := range b.Spec.Mounts {
		switch m.Destination {
		case "/sys":
			b.Spec.Mounts[i] = specs.Mount{Destination: "/sys", Type: "none", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
		case "/dev/pts":
			b.Spec.Mounts[i].Options = []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
		}
	}
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if below {
		dir := filepath.Join(manager, b.ID)
		for _, name := range []string{"", "/cgroup.procs"} {
			if name == "" {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chown(dir+name, uid, uid); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close(); _ = os.Remove(dir) })
		attr.UseCgroupFD, attr.CgroupFD = true, int(f.Fd())
	}
	return b, func(args ...string) harness.Result {
		t.Helper()
		cmd := b.Cmd(args...)
		cmd.SysProcAttr = attr
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", uid)}
		return b.RunCmd(cmd)
	}
}

// A user's systemd makes his containers' scopes, and moves processes there for him where he may not
// do so himself: from a login session.
func TestSystemdOfAUser(t *testing.T) {
	for name, below := range map[string]bool{"below": true, "outside": false} {
		t.Run(name, func(t *testing.T) {
			b, run := users(t, below)
			limited := hasController("pids")
			if limited {
				b.Spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(30))}}
			}
			b.Save()
			must := func(args ...string) string {
				t.Helper()
				res := run(args...)
				if res.Code != 0 {
					t.Fatalf("%v: %s", args, res.Stderr)
				}
				return res.Stdout
			}
			must("create", "--bundle", b.Dir, b.ID)
			must("start", b.ID)
			dir := "/user.slice/user-1000.slice/user@1000.service/user.slice/t-" + b.ID + ".scope"
			pids := harness.CgroupPids("/sys/fs/cgroup" + dir)
			if len(pids) != 1 {
				t.Errorf("in %s are %v", dir, pids)
			}
			if limited {
				if text, err := os.ReadFile("/sys/fs/cgroup" + dir + "/pids.max"); err != nil || string(text) != "30\n" {
					t.Errorf("pids.max is %q (%v)", text, err)
				}
				must("update", "--pids-limit", "40", b.ID)
				if text, err := os.ReadFile("/sys/fs/cgroup" + dir + "/pids.max"); err != nil || string(text) != "40\n" {
					t.Errorf("after update pids.max is %q (%v)", text, err)
				}
			}
			must("exec", "--detach", b.ID, "sleep", "1000")
			if pids := harness.CgroupPids("/sys/fs/cgroup" + dir); len(pids) != 2 {
				t.Errorf("after exec in %s are %v", dir, pids)
			}
			must("pause", b.ID)
			contains(t, must("state", b.ID), "paused")
			must("resume", b.ID)
			must("delete", "--force", b.ID)
			if _, err := os.Stat("/sys/fs/cgroup" + dir); err == nil {
				t.Errorf("%s is left", dir)
			}
		})
	}
}
