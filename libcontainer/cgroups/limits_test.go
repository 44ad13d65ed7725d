package cgroups

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLimitsV1(t *testing.T) {
	host := needV1(t, "memory", "cpu", "cpuset", "pids", "devices", "blkio")
	cg := create(t, host, parseResources(t, `{
		"memory":{"limit":67108864,"reservation":33554432,"swap":134217728,"swappiness":30,"disableOOMKiller":true},
		"cpu":{"shares":512,"quota":50000,"period":200000,"burst":1000,"cpus":"0","mems":"0"},
		"pids":{"limit":0},
		"blockIO":{"weight":500},
		"devices":[{"allow":false},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]}`))
	for _, f := range []struct{ controller, name, want string }{
		{"memory", "memory.limit_in_bytes", "67108864"},
		{"memory", "memory.soft_limit_in_bytes", "33554432"},
		{"memory", "memory.memsw.limit_in_bytes", "134217728"},
		{"memory", "memory.swappiness", "30"},
		{"cpu", "cpu.shares", "512"},
		{"cpu", "cpu.cfs_quota_us", "50000"},
		{"cpu", "cpu.cfs_period_us", "200000"},
		{"cpu", "cpu.cfs_burst_us", "1000"},
		{"cpuset", "cpuset.cpus", "0"},
		{"cpuset", "cpuset.mems", "0"},
		{"pids", "pids.max", "0"},
	} {
		if got := fileOf(t, cg, f.controller, f.name); got != f.want {
			t.Errorf("%s = %q, want %q", f.name, got, f.want)
		}
	}
	if got := fileOf(t, cg, "memory", "memory.oom_control"); !strings.Contains(got, "oom_kill_disable 1") {
		t.Errorf("memory.oom_control = %q", got)
	}
	list := strings.Split(fileOf(t, cg, "devices", "devices.list"), "\n")
	if !slices.Contains(list, "c 10:229 rw") || !slices.Contains(list, "c 1:3 rwm") || slices.Contains(list, "a *:* rwm") {
		t.Errorf("devices.list = %q", list)
	}
	// No process may fork here, but the first one gets in.
	cmd := spawn(t, cg, "exec sleep 60")
	if pids, err := cg.Pids(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("Pids = %v, %v", pids, err)
	}
}

func TestLimitsV2(t *testing.T) {
	host := v2Only(t)
	disk := blockDevice(t)
	for _, tc := range []struct{ controller, json, file, want string }{
		{"hugetlb", `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`, "hugetlb.2MB.max", "4194304"},
		{"hugetlb", `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`, "hugetlb.2MB.rsvd.max", "4194304"},
		{"hugetlb", `{"unified":{"hugetlb.2MB.max":"2097152"}}`, "hugetlb.2MB.max", "2097152"},
		{"", `{"unified":{"cgroup.max.depth":"3"}}`, "cgroup.max.depth", "3"},
		{"memory", `{"memory":{"limit":67108864}}`, "memory.max", "67108864"},
		{"memory", `{"memory":{"limit":67108864,"swap":134217728}}`, "memory.swap.max", "67108864"},
		{"memory", `{"memory":{"limit":67108864,"swap":67108864}}`, "memory.swap.max", "0"},
		{"memory", `{"memory":{"reservation":67108864}}`, "memory.low", "67108864"},
		{"memory", `{"memory":{"limit":67108864},"unified":{"memory.max":"max"}}`, "memory.max", "max"},
		{"cpu", `{"cpu":{"shares":512}}`, "cpu.weight", "59"},
		{"cpu", `{"cpu":{"quota":50000,"period":200000,"burst":1000}}`, "cpu.max", "50000 200000"},
		{"cpu", `{"cpu":{"quota":50000,"burst":1000}}`, "cpu.max.burst", "1000"},
		{"cpu", `{"cpu":{"period":50000}}`, "cpu.max", "max 50000"},
		{"cpu", `{"cpu":{"idle":1,"shares":512}}`, "cpu.idle", "1"},
		{"cpuset", `{"cpu":{"cpus":"0","mems":"0"}}`, "cpuset.cpus", "0"},
		{"cpuset", `{"cpu":{"cpus":"0","mems":"0"}}`, "cpuset.mems", "0"},
		{"pids", `{"pids":{"limit":7}}`, "pids.max", "7"},
		{"io", `{"blockIO":{"throttleReadBpsDevice":[{` + disk + `,"rate":1048576}],"throttleWriteIOPSDevice":[{` + disk + `,"rate":77}]}}`, "io.max", "rbps=1048576 wbps=max riops=max wiops=77"},
	} {
		t.Run(tc.file, func(t *testing.T) {
			if tc.controller != "" && host.version(tc.controller) != 2 {
				t.Skipf("controller %s is not on cgroup v2 here", tc.controller)
			}
			cg := create(t, host, parseResources(t, tc.json))
			got := fileOf(t, cg, "", tc.file)
			if tc.file == "io.max" {
				_, got, _ = strings.Cut(got, " ")
			}
			if got != tc.want {
				t.Errorf("%s = %q, want %q", tc.json, got, tc.want)
			}
		})
	}
}

// On v2 the init is born in the cgroup, which a limit of zero processes would not let happen.
func TestZeroPidsV2(t *testing.T) {
	host := v2Only(t)
	if host.version("pids") != 2 {
		t.Skip("no pids controller on cgroup v2 here")
	}
	cg := create(t, host, parseResources(t, `{"pids":{"limit":0}}`))
	spawn(t, cg, "exec sleep 60")
	if err := cg.Finish(); err != nil {
		t.Fatal(err)
	}
	if got := fileOf(t, cg, "", "pids.max"); got != "0" {
		t.Errorf("pids.max = %q", got)
	}
}

// On a hybrid host a controller that v1 lacks is limited in the cgroup2 tree.
func TestLimitsHybrid(t *testing.T) {
	v2Only(t) // restores the root's controllers
	host := needV1(t, "memory")
	if host.version("hugetlb") != 2 {
		t.Skip("no hugetlb controller on cgroup v2 here")
	}
	cg := create(t, host, parseResources(t, `{"memory":{"limit":67108864},"hugepageLimits":[{"pageSize":"2MB","limit":0}]}`))
	if got := fileOf(t, cg, "", "hugetlb.2MB.max"); got != "0" {
		t.Errorf("hugetlb.2MB.max = %q", got)
	}
	if got := fileOf(t, cg, "memory", "memory.limit_in_bytes"); got != "67108864" {
		t.Errorf("memory.limit_in_bytes = %q", got)
	}
}

func TestDeviceFilter(t *testing.T) {
	host := v2Only(t)
	rules := `{"devices":[{"allow":false},{"allow":true,"type":"c","major":1,"minor":11,"access":"r"},{"allow":false,"type":"c","major":1,"minor":5}]}`
	cg := create(t, host, parseResources(t, rules))
	check := func(script string, want bool) {
		t.Helper()
		if got := tries(t, cg, script); got != want {
			t.Errorf("%s: succeeded = %v, want %v", script, got, want)
		}
	}
	check(": >/dev/null", true)
	check(": </dev/kmsg", true)
	check(": 2>&1 >/dev/kmsg", false)
	check(": </dev/zero", false) // a default device that the config denies by name
	check(": </dev/urandom", true)

	// A cgroup that is used again gets the new filter instead of the old one, not beside it.
	set, err := Compile(parseResources(t, `{"devices":[{"allow":true}]}`), host)
	if err != nil {
		t.Fatal(err)
	}
	if err := apply(cg, set); err != nil {
		t.Fatal(err)
	}
	check(": </dev/zero", true)
	check(": 2>&1 >/dev/kmsg", true)

	// The verifier must not take the rules for branches: it gives up on programs with too many ways
	// through them.
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, `,{"allow":%t,"type":"c","major":%d,"minor":7,"access":"w"}`, i%2 == 0, i)
	}
	if set, err = Compile(parseResources(t, `{"devices":[{"allow":false}`+many.String()+`]}`), host); err != nil {
		t.Fatal(err)
	}
	if err := apply(cg, set); err != nil {
		t.Fatal(err)
	}
}

func TestDevicesV1(t *testing.T) {
	host := needV1(t, "devices")
	cg := create(t, host, parseResources(t, `{"devices":[{"allow":false}]}`))
	if !tries(t, cg, ": </dev/zero") {
		t.Error("a default device is denied")
	}
	if tries(t, cg, ": </dev/kmsg") {
		t.Error("a device that no rule allows can be opened")
	}
}

func TestLateWritesWait(t *testing.T) {
	c := &Cgroup{}
	a := applier{c: c}
	set, err := Compile(parseResources(t, `{"pids":{"limit":0}}`), v2Host())
	if err != nil {
		t.Fatal(err)
	}
	set.Devices = nil
	if err := a.apply(set); err != nil {
		t.Fatal(err)
	}
	// Only now, with an init inside, is pids.max written: which fails here, where there is no
	// cgroup to write to.
	if err := c.Finish(); err == nil || !strings.HasPrefix(err.Error(), "linux.resources.pids.limit: ") {
		t.Errorf("Finish: %v", err)
	}
}
