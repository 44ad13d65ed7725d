package systemd

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
)

var (
	v2Host = &cgroups.Layout{V2: &cgroups.Hierarchy{
		Mount: "/sys/fs/cgroup", Own: "/", Controllers: strings.Fields("cpuset cpu io memory hugetlb pids"),
	}}
	v1Host = &cgroups.Layout{V1: []cgroups.Hierarchy{
		{Mount: "/cg/cpu", Controllers: []string{"cpu"}}, {Mount: "/cg/memory", Controllers: []string{"memory"}},
		{Mount: "/cg/pids", Controllers: []string{"pids"}}, {Mount: "/cg/devices", Controllers: []string{"devices"}},
	}}
)

func ptr[T any](v T) *T { return &v }

// properties compiles resources and prints what systemd is told.
func properties(t *testing.T, res *specs.LinuxResources, host *cgroups.Layout) (early, late []string, set *cgroups.Settings) {
	t.Helper()
	set, err := cgroups.Compile(res, host)
	if err != nil {
		t.Fatal(err)
	}
	props, rest, err := Limits(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range props {
		early = append(early, p.String())
	}
	for _, p := range rest {
		late = append(late, p.String())
	}
	return early, late, set
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestLimitsV2(t *testing.T) {
	got, late, _ := properties(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 20)), Reservation: ptr(int64(1 << 19)), Swap: ptr(int64(3 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(1024)), Quota: ptr(int64(50000)), Cpus: "0-2,7", Mems: "1"},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(-1))},
	}, v2Host)
	want(t, got,
		"TasksMax = infinity  (linux.resources.pids.limit)",
		"MemoryMax = 1048576  (linux.resources.memory.limit)",
		"MemoryLow = 524288  (linux.resources.memory.reservation)",
		"MemorySwapMax = 2097152  (linux.resources.memory.swap)",
		"CPUWeight = 100  (linux.resources.cpu.shares)",
		"CPUQuotaPerSecUSec = 500000  (linux.resources.cpu.quota)",
		"CPUQuotaPeriodUSec = 100000  (linux.resources.cpu.quota)",
		"AllowedCPUs = 0-2,7  (linux.resources.cpu.cpus)",
		"AllowedMemoryNodes = 1  (linux.resources.cpu.mems)")
	want(t, late)
}

// What "unified" says comes last and wins.
func TestLimitsUnified(t *testing.T) {
	got, _, _ := properties(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 20))},
		Unified: map[string]string{
			"memory.max": "2M", "memory.high": "max", "memory.min": "4096", "memory.oom.group": "1", "cpu.max": "max 50000",
			"cpu.weight": "7", "io.max": "8:0 rbps=1", "pids.max": "9",
		},
	}, v2Host)
	want(t, got,
		`MemoryMax = 2097152  (linux.resources.unified["memory.max"])`,
		`CPUQuotaPerSecUSec = infinity  (linux.resources.unified["cpu.max"])`,
		`CPUQuotaPeriodUSec = 50000  (linux.resources.unified["cpu.max"])`,
		`CPUWeight = 7  (linux.resources.unified["cpu.weight"])`,
		`MemoryHigh = infinity  (linux.resources.unified["memory.high"])`,
		`MemoryMin = 4096  (linux.resources.unified["memory.min"])`,
		`OOMPolicy = "kill"  (linux.resources.unified["memory.oom.group"])`,
		`TasksMax = 9  (linux.resources.unified["pids.max"])`)
}

func TestLimitsV1(t *testing.T) {
	res := &specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Limit: ptr(int64(1 << 20)), Swap: ptr(int64(2 << 20))},
		CPU:     &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(1000)), Period: ptr(uint64(1000000))},
		Pids:    &specs.LinuxPids{Limit: ptr(int64(20))},
		Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}, {Allow: true, Type: "b", Major: ptr(int64(8)), Access: "r"}},
	}
	got, _, set := properties(t, res, v1Host)
	head := []string{
		"TasksMax = 20  (linux.resources.pids.limit)",
		"MemoryLimit = 1048576  (linux.resources.memory.limit)",
		"CPUShares = 512  (linux.resources.cpu.shares)",
	}
	want(t, got[:len(head)], head...)
	want(t, got[len(head):],
		`DevicePolicy = "strict"  (linux.resources.devices[0])`,
		"DeviceAllow = block-8 r, char-* m, block-* m, /dev/char/1:3 rwm, /dev/char/1:5 rwm, /dev/char/1:7 rwm, /dev/char/1:8 rwm, "+
			"/dev/char/1:9 rwm, /dev/char/5:0 rwm, /dev/char/5:2 rwm, char-136 rwm, /dev/char/10:200 rwm  (default)",
		"CPUQuotaPerSecUSec = 10000  (linux.resources.cpu.quota)",
		"CPUQuotaPeriodUSec = 1000000  (linux.resources.cpu.quota)")
	// A thousandth of a CPU became a hundredth, in the control file too.
	for _, w := range set.Writes {
		if w.File == "cpu.cfs_quota_us" && w.Value != "10000" {
			t.Errorf("%s", w)
		}
	}
}

// What is lost at a reload is not lost in silence.
func TestDeviceRulesWithoutWords(t *testing.T) {
	for name, c := range map[string]struct {
		rules []specs.LinuxDeviceCgroup
		want  []string
	}{
		"exceptions from allow": {
			[]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}, {Allow: false, Type: "b", Major: ptr(int64(8)), Access: "w"}},
			[]string{"linux.resources.devices[1]: systemd can't keep this rule on cgroup v1: `systemctl daemon-reload` undoes it"},
		},
		"exceptions from deny": {[]specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}, {Allow: true, Type: "b", Major: ptr(int64(8)), Access: "r"}}, nil},
		"all":                  {[]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, nil},
	} {
		_, _, set := properties(t, &specs.LinuxResources{Devices: c.rules}, v1Host)
		if !slices.Equal(set.Warnings, c.want) {
			t.Errorf("%s: warns %q, want %q", name, set.Warnings, c.want)
		}
	}
}

// systemd keeps quotas in percent: what it would change by itself at a reload is changed at once.
func TestQuotaIsRoundedUp(t *testing.T) {
	for _, c := range []struct {
		quota  int64
		period uint64
		file   string
	}{{33333, 100000, "34000 100000"}, {100000, 100000, "100000 100000"}, {1001, 1_000_000, "10000 1000000"}, {150001, 100000, "151000 100000"}, {1 << 42, 100000, "4398046512000 100000"}} {
		_, _, set := properties(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &c.quota, Period: &c.period}}, v2Host)
		if got := set.Writes[0].Value; got != c.file {
			t.Errorf("%d/%d: %s, want %s", c.quota, c.period, got, c.file)
		}
	}
}

// With room for a single process the init could not be born beside the placeholder.
func TestLateLimits(t *testing.T) {
	for limit, text := range map[int64]string{0: "0", 1: "1"} {
		early, late, set := properties(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}, v2Host)
		want(t, early)
		want(t, late, "TasksMax = 1  (linux.resources.pids.limit)")
		if w := set.Writes[0]; !w.Late || w.Value != text {
			t.Errorf("%s", w)
		}
	}
}

func TestUnsuitableLimits(t *testing.T) {
	for file, value := range map[string]string{
		"memory.max": "lots", "pids.max": "-7", "cpuset.cpus": "2-1", "cpuset.mems": "9999", "cpu.max": "1 0", "memory.high": "99999999999999T",
	} {
		set, err := cgroups.Compile(&specs.LinuxResources{Unified: map[string]string{file: value}}, v2Host)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Limits(set); err == nil || !strings.HasPrefix(err.Error(), "linux.resources.unified[") {
			t.Errorf("%s = %s: error %v", file, value, err)
		}
	}
}
