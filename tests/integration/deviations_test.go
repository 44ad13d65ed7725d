package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Places where runc 1.5.1 departs from the runtime-spec, and what this runtime
// does instead. The numbers are stable handles. Elsewhere: D6 TestHookState,
// D7 TestFailingStartHooks, D8 TestExecFormatErrors, D26
// TestDevicesInUserNamespace, D27 TestDeleteCreated (below), D30 TestUmask.

// Configurations that must be refused, by the place in config.json.
func TestDeviationsRefused(t *testing.T) {
	t.Parallel()
	ours(t, "accepts them")
	timeout := func(n int) specs.Hook { h := hook("true"); h.Timeout = &n; return h }
	seccomp := func(s specs.LinuxSeccomp) func(*specs.Spec) {
		return func(spec *specs.Spec) { spec.Linux.Seccomp = &s }
	}
	rdt := func(r specs.LinuxIntelRdt) func(*specs.Spec) {
		return func(spec *specs.Spec) { spec.Linux.IntelRdt = &r }
	}
	for _, c := range []struct {
		number, place string
		change        func(s *specs.Spec)
	}{
		{"D2", "process.rlimits[1]", func(s *specs.Spec) {
			s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 5, Hard: 5})
		}},
		{"D3 zero", "hooks.createRuntime[0].timeout", func(s *specs.Spec) { addHook(s, "createRuntime", timeout(0)) }},
		{"D3 negative", "hooks.poststop[0].timeout", func(s *specs.Spec) { addHook(s, "poststop", timeout(-1)) }},
		{"D4", "hooks.prestart[0].path", func(s *specs.Spec) { addHook(s, "prestart", specs.Hook{Path: "bin/true"}) }},
		{"D9", "linux.devices[0]", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/etc/passwd", Type: "c", Major: 1, Minor: 3}}
		}},
		{"D10", "linux.personality.flags", func(s *specs.Spec) {
			s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux, Flags: []specs.LinuxPersonalityFlag{"NO_RANDOMIZE"}}
		}},
		{"D11 rule", "linux.seccomp", seccomp(specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Syscalls:      []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActKill, ErrnoRet: ptr(uint(1))}},
		})},
		{"D11 default", "linux.seccomp", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, DefaultErrnoRet: ptr(uint(1))})},
		{"D12", "linux.seccomp", seccomp(specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{}, Action: specs.ActErrno}},
		})},
		{"D13", "linux.seccomp", seccomp(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerMetadata: "x"})},
		{"D14", "linux.resources.blockIO.weightDevice[0]", func(s *specs.Spec) {
			d := specs.LinuxWeightDevice{}
			d.Major, d.Minor = 8, 0
			s.Linux.Resources.BlockIO = &specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{d}}
		}},
		{"D16 missing", "ociVersion", func(s *specs.Spec) { s.Version = "" }},
		{"D16 no version", "ociVersion", func(s *specs.Spec) { s.Version = "banana" }},
		{"D16 major", "ociVersion", func(s *specs.Spec) { s.Version = "2.0.0" }},
		{"D17", "annotations", func(s *specs.Spec) { s.Annotations = map[string]string{"": "x"} }},
		{"D19 masked", "linux.maskedPaths[0]", func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"proc/keys"} }},
		{"D19 readonly", "linux.readonlyPaths[0]", func(s *specs.Spec) { s.Linux.ReadonlyPaths = []string{"proc/sys"} }},
		{"D21", "linux.intelRdt", rdt(specs.LinuxIntelRdt{ClosID: "x", L3CacheSchema: "L3:0=f"})},
		{"D23", "linux.intelRdt", rdt(specs.LinuxIntelRdt{MemBwSchema: "L3:0=f"})},
		{"D36", "linux.namespaces[1].path", func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "proc/self/ns/net" }},
		{"D37", "linux.resources.rdma", func(s *specs.Spec) {
			s.Linux.Resources.Rdma = map[string]specs.LinuxRdma{"mlx5_1": {HcaHandles: ptr(uint32(3))}}
		}},
	} {
		t.Run(c.number, func(t *testing.T) {
			t.Parallel()
			sleeper(t).Edit(c.change).FailRun(c.place)
		})
	}
}

// D16, the other half: every 1.x is taken.
func TestOCIVersions(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"1.0.0", "1.0.2-dev", "1.2.1", "1.3.0", "1.99.0", "1.3.0+dev"} {
		wantLines(t, harness.NewBundle(t).Args("echo", "runs").Edit(func(s *specs.Spec) { s.Version = v }).MustRun(), "runs")
	}
}

// D5: the second poststop hook runs although the first one failed, and delete
// goes on.
func TestFailingPoststopHook(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "stops at the first")
	b := sleeper(t)
	log := filepath.Join(harness.TempDir(t), "log")
	addHook(b.Spec, "poststop", hook("exit 1"))
	addHook(b.Spec, "poststop", hook("echo second >"+log))
	b.Start()
	b.Kill()
	if res := b.Do("delete"); res.Code != 0 {
		t.Errorf("delete: %+v", res)
	}
	wantLines(t, readFile(t, log), "second")
	if res := b.Do("state"); res.Code == 0 {
		t.Error("the container is still there")
	}
}

// D15: a device rule without access means all of it.
func TestDeviceRuleWithoutAccess(t *testing.T) {
	harness.NeedsCap(t, "CAP_SYSLOG", unix.CAP_SYSLOG) // to open /dev/kmsg
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "refuses it")
	b := harness.NewBundle(t).Caps("CAP_MKNOD", "CAP_SYSLOG").Mount("tmpfs", "/tmp", "tmpfs", "dev").
		Sh("mknod /tmp/kmsg c 1 11 && head -c0 /tmp/kmsg && echo allowed")
	b.Spec.Linux.Resources.Devices = append(b.Spec.Linux.Resources.Devices,
		specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11))})
	wantLines(t, b.MustRun(), "allowed")
}

// D18: a duplicate name is worth a warning; the container runs.
func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	ours(t, "is silent")
	log := filepath.Join(t.TempDir(), "log")
	b := harness.NewBundle(t).Sh("hostname").Save()
	b.SaveRaw(strings.Replace(readFile(t, filepath.Join(b.Dir, "config.json")), `"hostname":`, `"hostname": "first", "hostname":`, 1))
	b.Flags = []string{"--log", log}
	b.MustRun()
	contains(t, readFile(t, log), "warning", "hostname")
}

// D20: a limit of zero processes is zero, not one.
func TestPidsLimitOfZero(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "pids")
	harness.SkipOnPeer(t, "runc", "leaves it unset")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(0))} })).Start()
	wantValue(t, b, "pids", "pids.max", "pids.max", "0")
}

// D24: a writable view of an own cgroup belongs to the container's user.
func TestCgroupOwnership(t *testing.T) {
	t.Parallel()
	if !harness.Unified() {
		t.Skip("only with cgroup v2: delegation on v1 is unsafe")
	}
	harness.NeedController(t, "memory")
	b := sleeper(t).MapIDs(100000, 65536).Namespace(specs.CgroupNamespace, "")
	for i := range b.Spec.Mounts {
		if b.Spec.Mounts[i].Type == "cgroup" {
			b.Spec.Mounts[i].Options = nil
		}
	}
	b.Start()
	wantLines(t, b.MustExec("stat", "-c", "%u", "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory.max"), "0", "0", "65534")
}

// D25: in a user namespace, too, a device has the owner that it was given.
func TestDeviceOwnerInUserNamespace(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "makes root the owner")
	b := harness.NewBundle(t).Args("stat", "-c", "%u:%g %a", "/dev/mine").MapIDs(100000, 65536)
	before := readStat(t, "/dev/zero")
	b.Spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/mine", Type: "c", Major: 1, Minor: 5, FileMode: ptr(os.FileMode(0o640)), UID: ptr(uint32(7)), GID: ptr(uint32(8))},
	}
	wantLines(t, b.MustRun(), "7:8 640")
	if after := readStat(t, "/dev/zero"); after != before {
		t.Errorf("the host's device changed from %s to %s", before, after)
	}
}

func readStat(t *testing.T, name string) string {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%v %+v", info.Mode(), info.Sys())[:40]
}

// D27, kept as runc has it since engines clean up that way: delete of a
// created container ends it.
func TestDeleteCreated(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Create()
	pid := b.Pid()
	b.Delete()
	if harness.Alive(pid) {
		t.Error("the process is still there")
	}
}

// D28: a container may be created without a process; start then fails.
func TestNoProcess(t *testing.T) {
	t.Parallel()
	ours(t, "refuses it")
	b := harness.NewBundle(t)
	b.Spec.Process = nil
	b.Create()
	if s := b.State(); s.Status != specs.StateCreated {
		t.Errorf("status %s", s.Status)
	}
	if res := b.Do("start"); res.Code != 1 || !strings.Contains(res.Message(), "process") {
		t.Errorf("start: %+v", res)
	}
	b.Must("delete", "--force", b.ID)
}

// D1 and D29: each option that `features` names is one that mounts take.
func TestEveryMountOptionOfFeatures(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 knows fewer")
	b := harness.NewBundle(t)
	var f struct{ MountOptions []string }
	if err := json.Unmarshal([]byte(b.Must("features")), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.MountOptions) < 60 {
		t.Errorf("%d mount options", len(f.MountOptions))
	}
	source := harness.TempDir(t)
	b.Mount("tmpfs", "/tmp", "tmpfs")
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1000}}
	for _, o := range f.MountOptions {
		switch o {
		case "remount":
			b.Mount("tmpfs", "/tmp", "tmpfs", o)
		case "tmpcopyup":
			b.Mount("tmpfs", "/tmp/"+o, "tmpfs", o)
		case "idmap", "ridmap":
			b.Mount(source, "/tmp/"+o, "bind", "rbind", o)
			m := &b.Spec.Mounts[len(b.Spec.Mounts)-1]
			m.UIDMappings, m.GIDMappings = maps, maps
		default:
			b.Mount(source, "/tmp/"+o, "bind", "rbind", o)
			b.Mount("tmpfs", "/tmp/tmpfs-"+strings.TrimPrefix(o, "r"), "tmpfs", "defaults")
		}
	}
	b.Args("true").MustRun()
}

// D31: what cgroup v2 can't do is an error, not silence.
func TestSettingsThatV2Lacks(t *testing.T) {
	t.Parallel()
	if !harness.Unified() {
		t.Skip("only with cgroup v2")
	}
	ours(t, "drops them")
	for _, name := range []string{"cpu", "io", "memory"} {
		harness.NeedController(t, name)
	}
	for place, change := range map[string]func(r *specs.LinuxResources){
		"memory.swappiness":       func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Swappiness: ptr(uint64(10))} },
		"memory.disableOOMKiller": func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{DisableOOMKiller: ptr(true)} },
		"cpu.realtimeRuntime":     func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{RealtimeRuntime: ptr(int64(1000))} },
		"blockIO.leafWeight":      func(r *specs.LinuxResources) { r.BlockIO = &specs.LinuxBlockIO{LeafWeight: ptr(uint16(100))} },
	} {
		sleeper(t).Edit(resources(change)).FailRun("linux.resources." + place)
	}
}

// D32: root.path may be a symbolic link.
func TestRootIsALink(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "refuses it")
	b := harness.NewBundle(t).Args("echo", "runs")
	if err := os.Symlink("rootfs", filepath.Join(b.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	b.Spec.Root.Path = "link"
	wantLines(t, b.MustRun(), "runs")
}

// D34: exec takes what config.json said at create.
func TestExecUsesTheSavedProcess(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "reads config.json again")
	b := sleeper(t).Edit(process(func(p *specs.Process) { p.Env = append(p.Env, "WHEN=create") })).Start()
	b.Spec.Process.Env = append(b.Spec.Process.Env, "WHEN=later")
	b.Save()
	wantLines(t, b.MustExec("sh", "-c", "echo $WHEN"), "create")
	if err := os.Remove(filepath.Join(b.Dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	wantLines(t, b.MustExec("sh", "-c", "echo $WHEN"), "create")
}

// D35: annotations are a map, whatever their keys look like.
func TestStrangeAnnotations(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "keeps them as text")
	annotations := map[string]string{"bundle": "/nowhere", "a=b": "c=d", "empty": "", "line": "one\ntwo", "org.opencontainers.x": "y"}
	b := sleeper(t).Edit(func(s *specs.Spec) { s.Annotations = annotations }).Start()
	s := b.State()
	if s.Bundle != b.Dir || fmt.Sprint(s.Annotations) != fmt.Sprint(annotations) {
		t.Errorf("state: %+v", s)
	}
	b.MustExec("true")
}

// D38: a device that the last matching rule denies by name is denied, though
// it is one of the defaults; a general denial leaves the defaults alone.
func TestDenialOfADefaultDevice(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "devices")
	harness.SkipOnPeer(t, "runc", "allows it again")
	b := harness.NewBundle(t).Sh("head -c1 /dev/zero 2>/dev/null | wc -c; head -c1 /dev/urandom | wc -c")
	b.Spec.Linux.Resources.Devices = append(b.Spec.Linux.Resources.Devices,
		specs.LinuxDeviceCgroup{Allow: false, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(5)), Access: "rwm"})
	wantLines(t, b.MustRun(), "0", "1")
}
