package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// resources gives access to linux.resources in a chain of edits.
func resources(change func(r *specs.LinuxResources)) func(s *specs.Spec) {
	return func(s *specs.Spec) { change(s.Linux.Resources) }
}

func wantValue(t *testing.T, b *harness.Bundle, controller, v1, v2, want string) {
	t.Helper()
	if got := b.CgroupValue(controller, v1, v2); got != want {
		t.Errorf("%s is %q, want %q", v1, got, want)
	}
}

func TestMemoryResources(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Reservation: ptr(int64(32 << 20)), Swap: ptr(int64(96 << 20))}
	})).Start()
	wantValue(t, b, "memory", "memory.limit_in_bytes", "memory.max", fmt.Sprint(64<<20))
	wantValue(t, b, "memory", "memory.soft_limit_in_bytes", "memory.low", fmt.Sprint(32<<20))
	if swap := map[bool]int{false: 96 << 20, true: 32 << 20}[harness.Unified()]; swapAccounting(b) {
		wantValue(t, b, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", fmt.Sprint(swap))
	}
}

func swapAccounting(b *harness.Bundle) bool {
	for _, name := range []string{"memory.memsw.limit_in_bytes", "memory.swap.max"} {
		if _, err := os.Stat(filepath.Join(b.CgroupDir("memory"), name)); err == nil {
			return true
		}
	}
	return false
}

// Zero means "unset" to the engines.
func TestZeroResources(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "runs").Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: ptr(int64(0)), Reservation: ptr(int64(0)), DisableOOMKiller: ptr(false)}
		r.CPU = &specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(0)), Period: ptr(uint64(0))}
		r.BlockIO = &specs.LinuxBlockIO{Weight: ptr(uint16(0))}
	}))
	wantLines(t, b.MustRun(), "runs")
}

func TestSwappiness(t *testing.T) {
	t.Parallel()
	if harness.NeedController(t, "memory").Unified {
		t.Skip("cgroup v2 has no swappiness")
	}
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Swappiness: ptr(uint64(13)), DisableOOMKiller: ptr(true)}
	})).Start()
	wantValue(t, b, "memory", "memory.swappiness", "", "13")
	contains(t, b.CgroupValue("memory", "memory.oom_control", ""), "oom_kill_disable 1")
	bad := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Swappiness: ptr(uint64(200))}
	}))
	bad.FailRun("swappiness")
}

func TestMemoryLimitKills(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := harness.NewBundle(t).Mount("tmpfs", "/tmp", "tmpfs").Args("dd", "if=/dev/zero", "of=/tmp/x", "bs=1M", "count=64").
		Edit(resources(func(r *specs.LinuxResources) {
			r.Memory = &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}
		}))
	if res := b.Run(); res.Code != 137 {
		t.Errorf("exit %d, want 137 for a process over its memory limit", res.Code)
	}
}

func TestMemoryErrors(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	for name, m := range map[string]specs.LinuxMemory{
		"swap below limit":   {Limit: ptr(int64(64 << 20)), Swap: ptr(int64(32 << 20))},
		"negative limit":     {Limit: ptr(int64(-5))},
		"swap without limit": {Swap: ptr(int64(32 << 20))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "swap without limit" && !harness.Unified() {
				t.Skip("cgroup v1 takes it")
			}
			b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.Memory = &m }))
			contains(t, strings.ToLower(b.FailRun()), "memory")
		})
	}
}

// The container's own init is small: a mebibyte is enough to start in, and
// the limit is in force before the process exists.
func TestTinyMemoryLimit(t *testing.T) {
	t.Parallel()
	ours(t, "needs more memory for its own init")
	harness.NeedController(t, "memory")
	limit := int64(1 << 20)
	b := harness.NewBundle(t).Args("true").Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: &limit, Swap: &limit}
	}))
	b.MustRun()
	limit = 512 << 10
	smaller := harness.NewBundle(t).Args("true").Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: &limit, Swap: &limit}
	}))
	if res := smaller.Run(); res.Code != 0 {
		t.Logf("512 KiB is not enough yet: %s", res.Message())
	}
}

func TestWaitingInitIsSmall(t *testing.T) {
	t.Parallel()
	ours(t, "has a bigger init")
	b := sleeper(t).Create()
	pid := b.Pid()
	var pss, rss int
	for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/smaps_rollup", pid))) {
		fields := strings.Fields(line)
		switch fields[0] {
		case "Rss:":
			rss, _ = strconv.Atoi(fields[1])
		case "Pss:":
			pss, _ = strconv.Atoi(fields[1])
		}
	}
	t.Logf("the waiting init holds %d KiB resident (%d proportional)", rss, pss)
	if rss == 0 || rss >= 100 {
		t.Errorf("%d KiB resident, want less than 100", rss)
	}
	if threads := harness.StatusField(pid, "Threads"); threads != "1" {
		t.Errorf("%s threads", threads)
	}
	// The kernel charges up to 64 pages a CPU in advance. Cgroup v1 can be asked for them, which
	// each CPU then gives back when it comes to that.
	harness.Eventually(t, "a charge of less than 256 KiB", func() bool {
		_ = os.WriteFile(filepath.Join(b.CgroupDir("memory"), "memory.force_empty"), []byte("0"), 0)
		usage, err := strconv.Atoi(b.CgroupValue("memory", "memory.usage_in_bytes", "memory.current"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d KiB charged to the container's cgroup", usage>>10)
		return usage < 256<<10
	})
}

func TestCPUResources(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "cpu")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.CPU = &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(30000)), Period: ptr(uint64(100000)), Burst: ptr(uint64(10000))}
	})).Start()
	if harness.Unified() {
		wantValue(t, b, "cpu", "", "cpu.max", "30000 100000")
		wantValue(t, b, "cpu", "", "cpu.weight", "59")
	} else {
		wantValue(t, b, "cpu", "cpu.cfs_quota_us", "", "30000")
		wantValue(t, b, "cpu", "cpu.cfs_period_us", "", "100000")
		wantValue(t, b, "cpu", "cpu.shares", "", "512")
	}
	if harness.Peer() != "runc" {
		wantValue(t, b, "cpu", "cpu.cfs_burst_us", "cpu.max.burst", "10000")
	}
}

func TestCPUIdle(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "cpu")
	harness.SkipOnPeer(t, "runc", "1.1 has no cpu.idle")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Idle: ptr(int64(1))} })).Start()
	wantValue(t, b, "cpu", "cpu.idle", "cpu.idle", "1")
}

func TestCPUErrors(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "cpu")
	for name, c := range map[string]specs.LinuxCPU{
		"burst over quota": {Quota: ptr(int64(10000)), Period: ptr(uint64(100000)), Burst: ptr(uint64(20000))},
		"tiny quota":       {Quota: ptr(int64(1)), Period: ptr(uint64(100000))},
		"idle 2":           {Idle: ptr(int64(2))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "tiny quota" {
				harness.SkipOnPeer(t, "runc", "1.1 doesn't know the setting")
			}
			b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.CPU = &c }))
			contains(t, b.FailRun(), "cpu")
		})
	}
}

// 30 ms in every 100 ms hold a busy loop at 30 % of a CPU.
func TestCPUQuotaHolds(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "cpu")
	b := harness.NewBundle(t).Sh("while :; do :; done").Edit(resources(func(r *specs.LinuxResources) {
		r.CPU = &specs.LinuxCPU{Quota: ptr(int64(30000)), Period: ptr(uint64(100000))}
	})).Start()
	before, start := cpuTime(t, b.Pid()), time.Now()
	time.Sleep(2 * time.Second)
	used, passed := cpuTime(t, b.Pid())-before, time.Since(start)
	share := float64(used) / float64(passed)
	t.Logf("%.1f %% of a CPU", share*100)
	// A loaded machine can only take away from it.
	if share > 0.36 || share < 0.05 {
		t.Errorf("a busy loop got %.0f %% of a CPU, want 30 %%", share*100)
	}
}

// cpuTime is what a process has used, by utime and stime of /proc/PID/stat.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat := readFile(t, fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func TestCpuset(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "cpuset")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Cpus: "0", Mems: "0"} })).Start()
	if got := harness.StatusField(b.Pid(), "Cpus_allowed_list"); got != "0" {
		t.Errorf("CPUs %s", got)
	}
	bad := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Cpus: "cheese"} }))
	bad.FailRun()
}

func TestPidsResources(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "pids")
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(3))} })).Start()
	wantValue(t, b, "pids", "pids.max", "pids.max", "3")
	unlimited := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(-1))} })).Start()
	wantValue(t, unlimited, "pids", "pids.max", "pids.max", "max")
	bomb := harness.NewBundle(t).Sh("for i in 1 2 3 4 5 6; do sleep 1 & done 2>/dev/null; echo survived").
		Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(3))} }))
	if res := bomb.Run(); res.Code == 0 {
		t.Errorf("seven processes under a limit of three: %+v", res)
	}
}

// Engines that are built with the types of before 1.3 send 0 for a limit that nobody has set.
func TestPidsLimitOfZeroByVersion(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "pids")
	withoutSystemd(t, "systemd has a limit of its own where none is given")
	limited := func(version string, limit int64) *harness.Bundle {
		return sleeper(t).Edit(func(s *specs.Spec) {
			s.Version, s.Linux.Resources.Pids = version, &specs.LinuxPids{Limit: ptr(limit)}
		})
	}
	const zero = `{"pids":{"limit":0}}`
	old := limited("1.2.1", 0).Start()
	wantValue(t, old, "pids", "pids.max", "pids.max", "max")
	old.MustExec("sh", "-c", "true | true")
	old = limited("1.0.2-dev", 9).Start()
	for _, flags := range [][]string{{"-r", "-"}, {"--pids-limit", "0"}} {
		mustUpdate(t, old, zero, flags...)
		wantValue(t, old, "pids", "pids.max", "pids.max", "9")
	}
	harness.SkipOnPeer(t, "runc", "1.1 knows nothing of version 1.3")
	now := limited("1.3.0", 0).Start()
	wantValue(t, now, "pids", "pids.max", "pids.max", "0")
	now = limited("1.10.0", 9).Start()
	mustUpdate(t, now, zero, "-r", "-")
	wantValue(t, now, "pids", "pids.max", "pids.max", "0")
}

func TestPidsLimitOfOne(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "pids")
	b := harness.NewBundle(t).Args("echo", "runs").
		Edit(resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(1))} }))
	wantLines(t, b.MustRun(), "runs")
}

func TestBlockIO(t *testing.T) {
	t.Parallel()
	major, minor := rootDisk(t)
	h := harness.NeedController(t, map[bool]string{false: "blkio", true: "io"}[harness.Unified()])
	limit := specs.LinuxThrottleDevice{Rate: 1 << 20}
	limit.Major, limit.Minor = major, minor
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.BlockIO = &specs.LinuxBlockIO{
			ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{limit}, ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{limit},
		}
	})).Start()
	want := fmt.Sprintf("%d:%d %d", major, minor, 1<<20)
	if h.Unified {
		contains(t, b.CgroupValue("io", "", "io.max"), "rbps=1048576", "wiops=1048576")
		return
	}
	wantValue(t, b, "blkio", "blkio.throttle.read_bps_device", "", want)
	wantValue(t, b, "blkio", "blkio.throttle.write_iops_device", "", want)
}

// rootDisk finds a whole block device.
func rootDisk(t *testing.T) (major, minor int64) {
	t.Helper()
	devices, _ := filepath.Glob("/sys/block/*/dev")
	for _, name := range devices {
		if _, err := fmt.Sscanf(readFile(t, name), "%d:%d", &major, &minor); err == nil && major != 1 && major != 7 {
			return major, minor
		}
	}
	t.Skip("no block device here")
	return 0, 0
}

func TestHugepages(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "hugetlb")
	bad := sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "3MB", Limit: 1 << 30}}
	}))
	message := bad.FailRun()
	if harness.Peer() == "" {
		contains(t, message, "linux.resources.hugepageLimits[0]", "3MB")
	}
}

func TestUnified(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.Unified = map[string]string{"pids.max": "17"} }))
	if harness.Unified() {
		harness.NeedController(t, "pids")
		b.Start()
		wantValue(t, b, "pids", "", "pids.max", "17")
		return
	}
	b.FailRun("unified")
}

// Which devices a process may use is decided by the rules, the last match wins,
// and the default devices stay.
func TestDeviceRules(t *testing.T) {
	harness.NeedController(t, "devices")
	harness.NeedsCap(t, "CAP_SYS_RAWIO", unix.CAP_SYS_RAWIO) // to open /dev/mem
	harness.NeedsCap(t, "CAP_SYSLOG", unix.CAP_SYSLOG)       // to open /dev/kmsg
	t.Parallel()
	script := `
		for d in null zero full random urandom tty; do
			head -c1 /dev/$d >/dev/null 2>&1 || [ $d = tty ] || echo "no $d"
		done
		mknod /tmp/mem c 1 1 && { head -c1 /tmp/mem >/dev/null 2>&1 && echo mem; }
		mknod /tmp/kmsg c 1 11 && { head -c0 /tmp/kmsg 2>/dev/null && echo kmsg; }
		echo done`
	deny := specs.LinuxDeviceCgroup{Allow: false, Access: "rwm"}
	kmsg := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "rwm"}
	for _, c := range []struct {
		rules []specs.LinuxDeviceCgroup
		want  []string
	}{
		{[]specs.LinuxDeviceCgroup{deny}, []string{"done"}},
		{[]specs.LinuxDeviceCgroup{deny, kmsg}, []string{"kmsg", "done"}},
		{[]specs.LinuxDeviceCgroup{kmsg, deny}, []string{"done"}},
	} {
		b := harness.NewBundle(t).Sh(script).Caps("CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYSLOG").Mount("tmpfs", "/tmp", "tmpfs", "dev")
		b.Spec.Linux.Resources.Devices = c.rules
		wantLines(t, b.MustRun(), c.want...)
	}
}

func TestDeviceRuleErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Type: "q", Access: "rwm"}}
	b.FailRun()
	b = sleeper(t)
	b.Spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Access: "rwx"}}
	harness.SkipOnPeer(t, "runc", "1.1 takes unknown access letters")
	b.FailRun("linux.resources.devices[0]")
}

// After create, every hierarchy has the process where cgroupsPath says.
func TestCgroupsPath(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Create()
	pid := b.Pid()
	if len(b.CgroupDirs()) == 0 {
		t.Fatal("no cgroups")
	}
	for _, dir := range b.CgroupDirs() {
		if !slices.Contains(harness.CgroupPids(dir), pid) {
			t.Errorf("the process is not in %s", dir)
		}
	}
	for _, line := range mountedCgroups(readFile(t, fmt.Sprintf("/proc/%d/cgroup", pid))) {
		name, path, _ := strings.Cut(line, ":")
		if path != b.Spec.Linux.CgroupsPath {
			t.Errorf("%q: in %s, want %s", name, path, b.Spec.Linux.CgroupsPath)
		}
	}
}

func TestCgroupsPathWithDots(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	path := b.Spec.Linux.CgroupsPath
	b.Spec.Linux.CgroupsPath = "/../../x/.." + path
	b.Save()
	b.Spec.Linux.CgroupsPath = path
	b.Start()
	if len(b.CgroupDirs()) == 0 {
		t.Error("dots in cgroupsPath led elsewhere")
	}
}

func TestCgroupsPathUnset(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Linux.CgroupsPath = ""
	b.Start()
	for _, line := range mountedCgroups(readFile(t, fmt.Sprintf("/proc/%d/cgroup", b.Pid()))) {
		if !strings.Contains(line, b.ID) {
			t.Errorf("%s has no name of the container in it", line)
		}
	}
	b.Must("delete", "--force", b.ID)
	for _, h := range harness.Hierarchies() {
		if found, _ := filepath.Glob(filepath.Join(h.Dir, "*", b.ID)); found != nil {
			t.Errorf("left %v", found)
		}
	}
}

// A container without resources joins its cgroup and leaves its limits alone.
func TestNoResources(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "runs")
	b.Spec.Linux.Resources = nil
	wantLines(t, b.MustRun(), "runs")
}

// A container may make cgroups below its own; delete takes them along.
func TestCgroupsBelow(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	for _, dir := range b.CgroupDirs() {
		if err := os.MkdirAll(filepath.Join(dir, "below/deeper"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.Must("delete", "--force", b.ID)
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("left %v", dirs)
	}
}

func TestWritableCgroupMount(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Namespace(specs.CgroupNamespace, "")
	for i := range b.Spec.Mounts {
		if b.Spec.Mounts[i].Type == "cgroup" {
			b.Spec.Mounts[i].Options = []string{"nosuid", "noexec", "nodev"}
		}
	}
	dir := "/sys/fs/cgroup"
	if !harness.Unified() {
		harness.NeedController(t, "pids")
		dir += "/pids"
	}
	b.Sh("mkdir " + dir + "/mine && echo made; cat /proc/self/cgroup | grep -v ':/$'")
	if res := b.Run(); res.Stdout != "made\n" {
		t.Errorf("a container with its own writable cgroup: %+v", res)
	}
}

// Creating into a cgroup where others run would mix two containers up.
func TestOccupiedCgroup(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 only warns, and removes the first one's cgroups")
	first := sleeper(t).Start()
	second := first.Bundle().Args("sleep", "1000")
	second.Spec.Linux.CgroupsPath = first.Spec.Linux.CgroupsPath
	res := second.TryCreate()
	second.Spec.Linux.CgroupsPath = "/nowhere" // the other one's is not its to clean up
	if res.Code == 0 {
		t.Error("a second container was created in the same cgroup")
	}
	if s := first.State(); s.Status != specs.StateRunning {
		t.Errorf("the first container is %s", s.Status)
	}
	if len(first.CgroupDirs()) == 0 {
		t.Error("the first container's cgroups are gone")
	}
}

func TestExecJoinsTheCgroup(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	b.Must("exec", "--detach", b.ID, "sleep", "999")
	for _, dir := range b.CgroupDirs() {
		if n := len(harness.CgroupPids(dir)); n != 2 {
			t.Errorf("%d processes in %s, want 2", n, dir)
		}
	}
}

func TestExecIntoASubCgroup(t *testing.T) {
	t.Parallel()
	h := harness.NeedController(t, "pids")
	b := sleeper(t).Start()
	sub := filepath.Join(b.CgroupDir("pids"), "sub")
	flag := "pids:sub"
	if h.Unified {
		flag = "sub"
	}
	if res := b.Runtime.Run("exec", "--cgroup", flag, b.ID, "true"); res.Code == 0 {
		t.Error("a cgroup that doesn't exist was accepted")
	}
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	b.Must("exec", "--detach", "--cgroup", flag, b.ID, "sleep", "999")
	if n := len(harness.CgroupPids(sub)); n != 1 {
		t.Errorf("%d processes in the sub-cgroup, want 1", n)
	}
	if res := b.Runtime.Run("exec", "--cgroup", strings.Replace(flag, "sub", "../..", 1), b.ID, "true"); res.Code == 0 {
		t.Error("a cgroup outside of the container's was accepted")
	}
}

// The core files of a cgroup are no limits: with cgroup.procs a configuration could pull a process
// of the host into the container's cgroup, where delete kills it.
func TestUnifiedCoreFiles(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "it writes to every file of the cgroup")
	host := exec.Command("sleep", "1000")
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Process.Kill(); _ = host.Wait() })
	cgroupFile := fmt.Sprintf("/proc/%d/cgroup", host.Process.Pid)
	before := readFile(t, cgroupFile)
	running := sleeper(t).Start()
	for file, value := range map[string]string{
		"cgroup.procs": fmt.Sprint(host.Process.Pid), "cgroup.threads": fmt.Sprint(host.Process.Pid),
		"cgroup.freeze": "1", "cgroup.kill": "1", "cgroup.type": "threaded", "cgroup.subtree_control": "",
		"../cgroup.procs": fmt.Sprint(host.Process.Pid), "x/cgroup.procs": fmt.Sprint(host.Process.Pid),
	} {
		b := sleeper(t).Edit(resources(func(r *specs.LinuxResources) { r.Unified = map[string]string{file: value} }))
		b.FailRun("linux.resources.unified[" + strconv.Quote(file) + "]")
		res := update(running, fmt.Sprintf(`{"unified":{%q:%q}}`, file, value), "-r", "-")
		if res.Code == 0 {
			t.Errorf("update takes %s", file)
		}
		contains(t, res.Stderr, file)
	}
	if s := running.State().Status; s != specs.StateRunning {
		t.Errorf("after refused updates the container is %s", s)
	}
	if after := readFile(t, cgroupFile); after != before {
		t.Errorf("the process of the host was moved to\n%s", after)
	}
}

// A container with a cgroup of its own may nest others in it until their paths are longer than
// PATH_MAX. delete removes them nevertheless.
func TestCgroupsDeepBelow(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	t.Cleanup(func() { removeDeep(b.CgroupDirs()) })
	name := strings.Repeat("n", 200)
	for _, dir := range b.CgroupDirs() {
		at := openDir(t, dir)
		for range 30 {
			if err := unix.Mkdirat(at, name, 0o755); err != nil {
				t.Fatal(err)
			}
			next, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			unix.Close(at)
			if err != nil {
				t.Fatal(err)
			}
			at = next
		}
		unix.Close(at)
	}
	b.Must("ps", b.ID)
	b.Must("delete", "--force", b.ID)
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("left %v", dirs)
	}
}

func openDir(t *testing.T, dir string) int {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// removeDeep is for a runtime that could not: find(1) removes relative to directories.
func removeDeep(dirs []string) {
	for _, dir := range dirs {
		_ = exec.Command("find", dir, "-mindepth", "1", "-depth", "-type", "d", "-delete").Run()
	}
}

// Of two creates at once on one cgroupsPath one succeeds, and forced deletion of the other one's id
// leaves it alone.
func TestCreateAtOnceInOneCgroup(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "it looks for processes once, before its own is there")
	for range 10 {
		first, second := sleeper(t), sleeper(t)
		path := first.Spec.Linux.CgroupsPath
		own := second.Spec.Linux.CgroupsPath
		second.Spec.Linux.CgroupsPath = path
		results := make(chan harness.Result)
		for _, b := range []*harness.Bundle{first, second} {
			cmd := b.Command("create")
			go func() { results <- b.RunCmd(cmd) }()
		}
		one, two := <-results, <-results
		second.Spec.Linux.CgroupsPath = own // what is in the other one's is not its to clean up
		if (one.Code == 0) == (two.Code == 0) {
			t.Fatalf("two creates in one cgroup: exit %d and %d: %s%s", one.Code, two.Code, one.Stderr, two.Stderr)
		}
		contains(t, one.Stderr+two.Stderr, "linux.cgroupsPath: ")
		winner, loser := first, second
		// The one that failed may be there, too: with what it could not remove.
		if res := first.Runtime.Run("state", first.ID); !strings.Contains(res.Stdout, `"status": "created"`) {
			winner, loser = second, first
		}
		loser.Must("delete", "--force", loser.ID)
		if s := winner.State().Status; s != specs.StateCreated {
			t.Errorf("after the other's deletion the container is %s", s)
		}
		winner.Must("delete", "--force", winner.ID)
	}
}

// In a new cgroup below a frozen one the init would never come to its first step, and on cgroup v1
// not even end.
func TestCreateBelowAFrozenCgroup(t *testing.T) {
	t.Parallel()
	ours(t, "other words")
	b := sleeper(t)
	withoutSystemd(t, "a unit lies below no cgroup that others have made")
	b.Spec.Linux.CgroupsPath += "/below"
	parent, thaw := frozenParent(t, b)
	b.FailRun("linux.cgroupsPath: ", "frozen", parent)
	thaw()
	b.Start()
}

// A cgroup above the container's may be frozen while it runs.
func TestDeleteForceBelowAFrozenCgroup(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "it can't")
	b := sleeper(t)
	withoutSystemd(t, "a unit lies below no cgroup that others have made")
	b.Spec.Linux.CgroupsPath += "/below"
	b.Start()
	frozenParent(t, b)
	b.Must("delete", "--force", b.ID)
}

// A container stands still with the cgroup that it lies in. It is not for resume to thaw that one,
// and what exec starts would stand still at once.
func TestFrozenAbove(t *testing.T) {
	t.Parallel()
	ours(t, "resume says that it has done it")
	b := sleeper(t)
	withoutSystemd(t, "a unit lies below no cgroup that others have made")
	b.Spec.Linux.CgroupsPath += "/below"
	b.Start()
	_, thaw := frozenParent(t, b)
	if s := b.State().Status; s != "paused" {
		t.Errorf("below a frozen cgroup the container is %s", s)
	}
	for _, c := range []struct{ args, words string }{
		{"resume ID", "a cgroup above it is frozen, and must be thawed first"}, {"exec ID true", "paused container"},
	} {
		res := b.Runtime.Run(strings.Fields(strings.Replace(c.args, "ID", b.ID, 1))...)
		if res.Code == 0 {
			t.Errorf("%s succeeds", c.args)
		}
		contains(t, res.Stderr, c.words)
	}
	thaw()
	if s := b.State().Status; s != specs.StateRunning {
		t.Errorf("once the cgroup above is thawed, the container is %s", s)
	}
	b.Must("exec", b.ID, "true")
}

// What waits for start may be paused, and is not running yet.
func TestStartPaused(t *testing.T) {
	t.Parallel()
	ours(t, "other words")
	b := sleeper(t).Create()
	b.Must("pause", b.ID)
	res := b.Runtime.Run("start", b.ID)
	if res.Code == 0 {
		t.Error("a paused container was started")
	}
	contains(t, res.Stderr, "cannot start a paused container")
	b.Must("resume", b.ID)
	b.Must("start", b.ID)
	if s := b.State().Status; s != specs.StateRunning {
		t.Errorf("after start the container is %s", s)
	}
}

// frozenParent freezes the cgroup above the container's, until thaw or the end of the test.
func frozenParent(t *testing.T, b *harness.Bundle) (dir string, thaw func()) {
	t.Helper()
	dir = filepath.Dir(b.CgroupDir("freezer"))
	file, frozen, thawed := filepath.Join(dir, "freezer.state"), "FROZEN", "THAWED"
	if harness.Unified() {
		file, frozen, thawed = filepath.Join(dir, "cgroup.freeze"), "1", "0"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(frozen), 0); err != nil {
		t.Fatal(err)
	}
	thaw = func() {
		if err := os.WriteFile(file, []byte(thawed), 0); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
	t.Cleanup(func() {
		thaw()
		b.Runtime.Run("delete", "--force", b.ID)
		for _, h := range harness.Hierarchies() {
			_ = os.Remove(filepath.Join(h.Dir, filepath.Dir(b.Spec.Linux.CgroupsPath)))
		}
	})
	return dir, thaw
}

// Where no hierarchy can restrict devices, a container that could open all of them is not made.
func TestDevicesThatNothingRestricts(t *testing.T) {
	t.Parallel()
	ours(t, "crun may start it")
	b := sleeper(t).Sh("true")
	cmd := b.Command("run")
	const hide = `for d in /sys/fs/cgroup/devices /sys/fs/cgroup/unified; do ! mountpoint -q $d || umount -l $d || exit 99; done
[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || umount -l /sys/fs/cgroup || exit 99
exec "$@"`
	cmd.Args = append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-c", hide, "sh", cmd.Path}, cmd.Args[1:]...)
	path, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("no unshare on this host")
	}
	cmd.Path = path
	res := b.RunCmd(cmd)
	if res.Code != 1 || !strings.Contains(res.Stderr, "linux.resources.devices: neither the devices controller of cgroup v1 nor cgroup2 is mounted") {
		t.Errorf("exit %d: %s", res.Code, res.Stderr)
	}
}

// A cgroup that was removed and made anew for another container, or that another one has found
// empty and taken, is no longer the first one's to kill in.
func TestDeleteForceSparesTheNextInTheCgroup(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "it kills whoever is there")
	withoutSystemd(t, "systemd keeps the name of a unit for the one that is stopped")
	for _, remade := range []bool{true, false} {
		first := sleeper(t).Start()
		first.Kill()
		if remade {
			for _, dir := range first.CgroupDirs() {
				harness.Eventually(t, "an empty cgroup", func() bool { return os.Remove(dir) == nil })
			}
		}
		second := first.Bundle().Args("sleep", "1000")
		second.Spec.Linux.CgroupsPath = first.Spec.Linux.CgroupsPath
		second.Start()
		pid, dirs := second.Pid(), len(second.CgroupDirs())
		if out := first.Must("ps", "--format", "json", first.ID); out != "null\n" {
			t.Errorf("remade %v: the first one's processes: %s", remade, out)
		}
		first.Must("delete", "--force", first.ID)
		if !harness.Alive(pid) || second.State().Status != specs.StateRunning || len(second.CgroupDirs()) != dirs {
			t.Errorf("remade %v: the second container is not as it was", remade)
		}
		second.Must("delete", "--force", second.ID)
		if left := second.CgroupDirs(); left != nil {
			t.Errorf("remade %v: left %v", remade, left)
		}
	}
}

// A cgroup2 tree mounted over those of v1 is what there is: the mounts below it are still listed in
// mountinfo, and lead nowhere.
func TestCgroup2OverV1(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "it looks at mountinfo alone")
	withoutSystemd(t, "systemd makes the cgroups, not this command")
	if harness.Unified() {
		t.Skip("no cgroup v1 here")
	}
	b := sleeper(t).Sh("cat /proc/self/cgroup")
	b.Spec.Linux.Resources = nil
	b.Spec.Mounts = slices.DeleteFunc(b.Spec.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" })
	cmd := b.Command("run")
	cmd.Args = append([]string{
		"unshare", "--mount", "--propagation", "private", "sh", "-c", `mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$0" "$@"`, cmd.Path,
	}, cmd.Args[1:]...)
	path, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("no unshare on this host")
	}
	cmd.Path = path
	res := b.RunCmd(cmd)
	if want := "0::" + b.Spec.Linux.CgroupsPath + "\n"; res.Code != 0 || !strings.Contains(res.Stdout, want) {
		t.Errorf("exit %d: %s%s, want %s", res.Code, res.Stdout, res.Stderr, want)
	}
}
