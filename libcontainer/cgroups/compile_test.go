package cgroups

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The three kinds of host, with every controller that Linux has.
func v1Host() *Layout {
	l := &Layout{}
	for _, name := range []string{
		"name=systemd", "cpu,cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls,net_prio", "hugetlb", "rdma",
	} {
		l.V1 = append(l.V1, Hierarchy{Mount: root + "/" + name, Own: "/user/shell", Controllers: strings.Split(name, ",")})
	}
	return l
}

func v2Host() *Layout {
	return &Layout{V2: &Hierarchy{
		Mount: root, Own: "/user/shell",
		Controllers: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"},
	}}
}

// hybridHost has all on v1 but hugetlb.
func hybridHost() *Layout {
	l := v1Host()
	l.V1 = slices.DeleteFunc(l.V1, func(h Hierarchy) bool { return h.Controllers[0] == "hugetlb" })
	l.V2 = &Hierarchy{Mount: root + "/unified", Own: "/user/shell", Controllers: []string{"hugetlb"}}
	return l
}

func parseResources(t *testing.T, text string) *specs.LinuxResources {
	t.Helper()
	res := &specs.LinuxResources{}
	if err := json.Unmarshal([]byte(text), res); err != nil {
		t.Fatal(err)
	}
	return res
}

var compileTests = []struct {
	name, json string
	v1, v2     []string // what explain prints; the common "  (linux.resources." stands as " <"
}{
	{name: "nothing", json: `{}`},
	{
		name: "zeroes that engines send for unset values",
		json: `{"memory":{"limit":0,"reservation":0,"swap":0,"kernel":0,"kernelTCP":0,"disableOOMKiller":false},
				"cpu":{"shares":0,"quota":0,"period":0,"realtimeRuntime":0,"realtimePeriod":0,"cpus":"","mems":""},
				"blockIO":{"weight":0,"leafWeight":0},"network":{"classID":0,"priorities":[]}}`,
	},
	{
		name: "memory limit",
		json: `{"memory":{"limit":1048576,"reservation":524288}}`,
		v1:   []string{"memory.limit_in_bytes = 1048576 <memory.limit)", "memory.soft_limit_in_bytes = 524288 <memory.reservation)"},
		v2:   []string{"memory.max = 1048576 <memory.limit)", "memory.low = 524288 <memory.reservation)"},
	},
	{
		name: "memory and swap",
		json: `{"memory":{"limit":1000,"swap":1500}}`,
		v1:   []string{"memory.limit_in_bytes = 1000 <memory.limit)", "memory.memsw.limit_in_bytes = 1500 <memory.swap)"},
		v2:   []string{"memory.max = 1000 <memory.limit)", "memory.swap.max = 500 <memory.swap)"},
	},
	{
		name: "no swap at all",
		json: `{"memory":{"limit":1000,"swap":1000}}`,
		v1:   []string{"memory.limit_in_bytes = 1000 <memory.limit)", "memory.memsw.limit_in_bytes = 1000 <memory.swap)"},
		v2:   []string{"memory.max = 1000 <memory.limit)", "memory.swap.max = 0 <memory.swap; skipped where missing)"},
	},
	{
		name: "unlimited memory takes swap along",
		json: `{"memory":{"limit":-1}}`,
		v1:   []string{"memory.limit_in_bytes = -1 <memory.limit)", "memory.memsw.limit_in_bytes = -1 <memory.limit; skipped where missing)"},
		v2:   []string{"memory.max = max <memory.limit)", "memory.swap.max = max <memory.limit; skipped where missing)"},
	},
	{
		name: "unlimited swap",
		json: `{"memory":{"limit":1000,"swap":-1,"reservation":-1}}`,
		v1: []string{
			"memory.limit_in_bytes = 1000 <memory.limit)", "memory.soft_limit_in_bytes = -1 <memory.reservation)",
			"memory.memsw.limit_in_bytes = -1 <memory.swap; skipped where missing)",
		},
		v2: []string{
			"memory.max = 1000 <memory.limit)", "memory.low = max <memory.reservation)",
			"memory.swap.max = max <memory.swap; skipped where missing)",
		},
	},
	{
		name: "cpu",
		json: `{"cpu":{"shares":1024,"quota":50000,"period":200000,"burst":1000,"cpus":"0-1","mems":"0"}}`,
		v1: []string{
			"cpu.shares = 1024 <cpu.shares)", "cpu.cfs_period_us = 200000 <cpu.period)",
			"cpu.cfs_quota_us = 50000 <cpu.quota)", "cpu.cfs_burst_us = 1000 <cpu.burst; skipped where missing)",
			"cpuset.cpus = 0-1 <cpu.cpus), else cpus = 0-1 <cpu.cpus)", "cpuset.mems = 0 <cpu.mems), else mems = 0 <cpu.mems)",
		},
		v2: []string{
			"cpu.weight = 100 <cpu.shares)", "cpu.max = 50000 200000 <cpu.quota)", "cpu.max.burst = 1000 <cpu.burst)",
			"cpuset.cpus = 0-1 <cpu.cpus)", "cpuset.mems = 0 <cpu.mems)",
		},
	},
	{
		name: "cpu without a quota",
		json: `{"cpu":{"quota":-1}}`,
		v1:   []string{"cpu.cfs_quota_us = -1 <cpu.quota)"},
		v2:   []string{"cpu.max = max 100000 <cpu.quota)"},
	},
	{
		name: "cpu period alone",
		json: `{"cpu":{"period":50000}}`,
		v1:   []string{"cpu.cfs_period_us = 50000 <cpu.period)"},
		v2:   []string{"cpu.max = max 50000 <cpu.period)"},
	},
	{
		name: "an idle cgroup has no weight",
		json: `{"cpu":{"idle":1,"shares":512}}`,
		v1:   []string{"cpu.idle = 1 <cpu.idle)"},
		v2:   []string{"cpu.idle = 1 <cpu.idle)"},
	},
	{
		name: "not idle any more, then a weight",
		json: `{"cpu":{"idle":0,"shares":2}}`,
		v1:   []string{"cpu.idle = 0 <cpu.idle; skipped where missing)", "cpu.shares = 2 <cpu.shares)"},
		v2:   []string{"cpu.idle = 0 <cpu.idle; skipped where missing)", "cpu.weight = 1 <cpu.shares)"},
	},
	{
		name: "pids",
		json: `{"pids":{"limit":100}}`,
		v1:   []string{"pids.max = 100 <pids.limit)"},
		v2:   []string{"pids.max = 100 <pids.limit)"},
	},
	{
		name: "no pids limit",
		json: `{"pids":{"limit":-1}}`,
		v1:   []string{"pids.max = max <pids.limit)"},
		v2:   []string{"pids.max = max <pids.limit)"},
	},
	{
		name: "zero pids is a limit (D20)",
		json: `{"pids":{"limit":0}}`,
		v1:   []string{"pids.max = 0 <pids.limit)"},
		v2:   []string{"pids.max = 0 <pids.limit; once the init is in)"},
	},
	{
		name: "block I/O",
		json: `{"blockIO":{"weight":505,"weightDevice":[{"major":8,"minor":0,"weight":10}],
				"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],"throttleWriteBpsDevice":[{"major":8,"minor":16,"rate":0}],
				"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":3}],"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":4294967296}]}}`,
		v1: []string{
			"blkio.bfq.weight = 505 <blockIO.weight), else blkio.weight = 505 <blockIO.weight)",
			"blkio.bfq.weight_device = 8:0 10 <blockIO.weightDevice[0].weight), else blkio.weight_device = 8:0 10 <blockIO.weightDevice[0].weight)",
			"blkio.throttle.read_bps_device = 8:0 600 <blockIO.throttleReadBpsDevice[0])",
			"blkio.throttle.write_bps_device = 8:16 0 <blockIO.throttleWriteBpsDevice[0])",
			"blkio.throttle.read_iops_device = 8:0 3 <blockIO.throttleReadIOPSDevice[0])",
			"blkio.throttle.write_iops_device = 8:0 4294967295 <blockIO.throttleWriteIOPSDevice[0])",
		},
		v2: []string{
			"io.bfq.weight = 505 <blockIO.weight), else io.weight = 5000 <blockIO.weight)",
			"io.bfq.weight = 8:0 10 <blockIO.weightDevice[0].weight), else io.weight = 8:0 1 <blockIO.weightDevice[0].weight)",
			"io.max = 8:0 rbps=600 <blockIO.throttleReadBpsDevice[0])",
			"io.max = 8:16 wbps=max <blockIO.throttleWriteBpsDevice[0])",
			"io.max = 8:0 riops=3 <blockIO.throttleReadIOPSDevice[0])",
			"io.max = 8:0 wiops=4294967296 <blockIO.throttleWriteIOPSDevice[0])",
		},
	},
	{
		name: "huge pages",
		json: `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304},{"pageSize":"1024MB","limit":0}]}`,
		v1: []string{
			"hugetlb.2MB.limit_in_bytes = 4194304 <hugepageLimits[0])", "hugetlb.2MB.rsvd.limit_in_bytes = 4194304 <hugepageLimits[0]; skipped where missing)",
			"hugetlb.1GB.limit_in_bytes = 0 <hugepageLimits[1])", "hugetlb.1GB.rsvd.limit_in_bytes = 0 <hugepageLimits[1]; skipped where missing)",
		},
		v2: []string{
			"hugetlb.2MB.max = 4194304 <hugepageLimits[0])", "hugetlb.2MB.rsvd.max = 4194304 <hugepageLimits[0]; skipped where missing)",
			"hugetlb.1GB.max = 0 <hugepageLimits[1])", "hugetlb.1GB.rsvd.max = 0 <hugepageLimits[1]; skipped where missing)",
		},
	},
	{
		name: "rdma, in the order of the names",
		json: `{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000},"mlx4_0":{"hcaObjects":1000}}}`,
		v1: []string{
			`rdma.max = mlx4_0 hca_object=1000 <rdma["mlx4_0"])`, `rdma.max = mlx5_1 hca_handle=3 hca_object=10000 <rdma["mlx5_1"])`,
		},
		v2: []string{
			`rdma.max = mlx4_0 hca_object=1000 <rdma["mlx4_0"])`, `rdma.max = mlx5_1 hca_handle=3 hca_object=10000 <rdma["mlx5_1"])`,
		},
	},
}

func TestCompile(t *testing.T) {
	for _, tc := range compileTests {
		t.Run(tc.name, func(t *testing.T) {
			for _, h := range []struct {
				name string
				host *Layout
				want []string
			}{{"v1", v1Host(), tc.v1}, {"v2", v2Host(), tc.v2}} {
				set, err := CompileUpdate(parseResources(t, tc.json), h.host)
				if err != nil {
					t.Errorf("%s: %v", h.name, err)
					continue
				}
				checkLines(t, h.name, set.Lines(), h.want)
				if len(set.Warnings) > 0 {
					t.Errorf("%s: warnings %q", h.name, set.Warnings)
				}
			}
		})
	}
}

func checkLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "  (linux.resources.", " <")
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got:\n  %s\nwant:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestCompileOnlyV1(t *testing.T) {
	const text = `{"memory":{"swappiness":0,"disableOOMKiller":true,"useHierarchy":true},
		"cpu":{"realtimeRuntime":950000,"realtimePeriod":1000000},"blockIO":{"leafWeight":20,"weightDevice":[{"major":8,"minor":0,"leafWeight":30}]},
		"network":{"classID":1048577,"priorities":[{"name":"eth0","priority":500}]}}`
	set, err := CompileUpdate(parseResources(t, text), v1Host())
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, "v1", set.Lines(), []string{
		"memory.swappiness = 0 <memory.swappiness)", "memory.oom_control = 1 <memory.disableOOMKiller)",
		"blkio.leaf_weight = 20 <blockIO.leafWeight)", "blkio.leaf_weight_device = 8:0 30 <blockIO.weightDevice[0].leafWeight)",
		"cpu.rt_period_us = 1000000 <cpu.realtimePeriod)", "cpu.rt_runtime_us = 950000 <cpu.realtimeRuntime)",
		"net_cls.classid = 1048577 <network.classID)", "net_prio.ifpriomap = eth0 500 <network.priorities[0])",
	})
}

func TestCompileUnified(t *testing.T) {
	const text = `{"memory":{"limit":1000},"unified":{"memory.max":"2000","io.max":"8:0 rbps=1\n8:16 wbps=2\n","cgroup.max.depth":"3","misc.max":""}}`
	set, err := CompileUpdate(parseResources(t, text), v2Host())
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, "v2", set.Lines(), []string{
		"memory.max = 1000 <memory.limit)",
		`cgroup.max.depth = 3 <unified["cgroup.max.depth"])`,
		`io.max = 8:0 rbps=1 <unified["io.max"])`,
		`io.max = 8:16 wbps=2 <unified["io.max"])`,
		`memory.max = 2000 <unified["memory.max"])`,
		`misc.max =  <unified["misc.max"])`,
	})
}

func TestCompileErrors(t *testing.T) {
	for _, tc := range []struct {
		json, v1, v2 string // error texts, "" for none; v2 "=" for the same as v1
	}{
		{`{"memory":{"limit":-2}}`, "linux.resources.memory.limit: must be a number of bytes, or -1 for no limit, not -2", "="},
		{`{"memory":{"swap":-7}}`, "linux.resources.memory.swap: must be a number of bytes, or -1 for no limit, not -7", "="},
		{`{"memory":{"swap":100}}`, "linux.resources.memory.swap: is the limit of memory and swap together: it needs a memory limit", "="},
		{`{"memory":{"limit":-1,"swap":100}}`, "linux.resources.memory.swap: must be -1 as the memory limit is, not 100", "="},
		{`{"memory":{"limit":100,"swap":99}}`, "linux.resources.memory.swap: is the limit of memory and swap together: 99 is less than the memory limit 100", "="},
		{`{"memory":{"swappiness":200}}`, "linux.resources.memory.swappiness: must be between 0 and 100, not 200", "="},
		{`{"memory":{"swappiness":60}}`, "", "linux.resources.memory.swappiness: cgroup v2 has no swappiness of its own for a cgroup"},
		{`{"memory":{"disableOOMKiller":true}}`, "", "linux.resources.memory.disableOOMKiller: cgroup v2 cannot disable the OOM killer"},
		{`{"cpu":{"shares":1}}`, "linux.resources.cpu.shares: 1: the minimum allowed cpu-shares is 2", ""},
		{`{"cpu":{"shares":262145}}`, "linux.resources.cpu.shares: 262145: the maximum allowed cpu-shares is 262144", ""},
		{`{"cpu":{"quota":1000,"burst":1001}}`, "linux.resources.cpu.burst: must not be more than the quota 1000: 1001", "="},
		{`{"cpu":{"idle":2}}`, "linux.resources.cpu.idle: must be 0 or 1, not 2", "="},
		{`{"cpu":{"realtimeRuntime":1}}`, "", "linux.resources.cpu.realtimeRuntime: cgroup v2 has no real-time limits"},
		{`{"cpu":{"realtimePeriod":1}}`, "", "linux.resources.cpu.realtimePeriod: cgroup v2 has no real-time limits"},
		{`{"blockIO":{"weight":9}}`, "linux.resources.blockIO.weight: must be between 10 and 1000, not 9", "="},
		{`{"blockIO":{"weight":1001}}`, "linux.resources.blockIO.weight: must be between 10 and 1000, not 1001", "="},
		{`{"blockIO":{"leafWeight":10}}`, "", "linux.resources.blockIO.leafWeight: cgroup v2 has no leaf weight"},
		{`{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}`, "linux.resources.blockIO.weightDevice[0]: must have a weight or leafWeight", "="},
		{`{"blockIO":{"weightDevice":[{"major":8,"minor":-1,"weight":10}]}}`, "linux.resources.blockIO.weightDevice[0].minor: must be between 0 and 1048575, not -1", "="},
		{`{"blockIO":{"throttleReadBpsDevice":[{"major":-8,"minor":0,"rate":1}]}}`, "linux.resources.blockIO.throttleReadBpsDevice[0].major: must be between 0 and 4095, not -8", "="},
		{`{"hugepageLimits":[{"pageSize":"2","limit":1}]}`, `linux.resources.hugepageLimits[0].pageSize: must be a size as in 64KB, 2MB or 1GB, not "2"`, "="},
		{`{"hugepageLimits":[{"pageSize":"02MB","limit":1}]}`, `linux.resources.hugepageLimits[0].pageSize: must be a size as in 64KB, 2MB or 1GB, not "02MB"`, "="},
		{`{"hugepageLimits":[{"pageSize":"+2MB","limit":1}]}`, `linux.resources.hugepageLimits[0].pageSize: must be a size as in 64KB, 2MB or 1GB, not "+2MB"`, "="},
		{`{"hugepageLimits":[{"pageSize":"2TB","limit":1}]}`, `linux.resources.hugepageLimits[0].pageSize: must be a size as in 64KB, 2MB or 1GB, not "2TB"`, "="},
		{`{"hugepageLimits":[{"pageSize":"MB","limit":1}]}`, `linux.resources.hugepageLimits[0].pageSize: must be a size as in 64KB, 2MB or 1GB, not "MB"`, "="},
		{`{"rdma":{"mlx":{}}}`, `linux.resources.rdma["mlx"]: must have hcaHandles or hcaObjects`, "="},
		{`{"rdma":{"a b":{"hcaHandles":1}}}`, `linux.resources.rdma["a b"]: not the name of an RDMA device: "a b"`, "="},
		{`{"network":{"priorities":[{"name":"","priority":1}]}}`, `linux.resources.network.priorities[0].name: not the name of a network device: ""`, "="},
		{`{"unified":{"memory.max":"1"}}`, "linux.resources.unified: cannot use unified on cgroup v1", ""},
		{`{"unified":{"../memory.max":"1"}}`, `linux.resources.unified["../memory.max"]: must be the name of a file in the cgroup's directory`, "="},
		{`{"unified":{"":"1"}}`, `linux.resources.unified[""]: must be the name of a file in the cgroup's directory`, "="},
		{`{"unified":{"cgroup.procs":"1"}}`, `linux.resources.unified["cgroup.procs"]: is not a limit: of cgroup.* only max.depth, max.descendants and pressure can be set`, "="},
		{`{"unified":{"x.y":"1"}}`, "linux.resources.unified: cannot use unified on cgroup v1", `linux.resources.unified["x.y"]: can't be set: controller "x" not available on cgroup v2`},
		{`{"devices":[{"allow":true,"type":"x"}]}`, `linux.resources.devices[0].type: must be a, c or b, not "x"`, "="},
		{`{"devices":[{"allow":true,"access":"rx"}]}`, `linux.resources.devices[0].access: must be of the letters r, w and m, not "rx"`, "="},
		{`{"devices":[{"allow":false},{"allow":true,"type":"c","major":-2}]}`, `linux.resources.devices[1].major: not the number of a device: -2`, "="},
		{
			`{"devices":[{"allow":true,"type":"c","major":9},{"allow":false,"type":"c","major":9,"minor":3,"access":"r"}]}`,
			"linux.resources.devices[1]: deny c 9:3 r after allow c 9:* rwm (linux.resources.devices[0]): cgroup v1 cannot make an exception inside a wider device rule", "",
		},
	} {
		if tc.v2 == "=" {
			tc.v2 = tc.v1
		}
		for _, h := range []struct {
			name, want string
			host       *Layout
		}{{"v1", tc.v1, v1Host()}, {"v2", tc.v2, v2Host()}} {
			_, err := Compile(parseResources(t, tc.json), h.host)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != h.want {
				t.Errorf("%s on %s:\n got %q\nwant %q", tc.json, h.name, got, h.want)
			}
		}
	}
}

func TestCompileMissingController(t *testing.T) {
	none := &Layout{}
	for text, want := range map[string]string{
		`{"memory":{"limit":1}}`:                            "linux.resources.memory: the memory cgroup controller is not available on this host",
		`{"pids":{"limit":1}}`:                              "linux.resources.pids.limit: the pids cgroup controller is not available on this host",
		`{"cpu":{"shares":2}}`:                              "linux.resources.cpu: the cpu cgroup controller is not available on this host",
		`{"cpu":{"cpus":"0"}}`:                              "linux.resources.cpu.cpus: the cpuset cgroup controller is not available on this host",
		`{"blockIO":{"weight":10}}`:                         "linux.resources.blockIO: the io cgroup controller is not available on this host",
		`{"hugepageLimits":[{"pageSize":"2MB","limit":1}]}`: "linux.resources.hugepageLimits[0]: the hugetlb cgroup controller is not available on this host",
		`{"rdma":{"m":{"hcaHandles":1}}}`:                   `linux.resources.rdma["m"]: the rdma cgroup controller is not available on this host`,
		`{"network":{"classID":1}}`:                         "linux.resources.network.classID: the net_cls cgroup controller is not available on this host",
	} {
		if _, err := Compile(parseResources(t, text), none); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestCompileWarnings(t *testing.T) {
	set, err := Compile(parseResources(t, `{"memory":{"kernel":1,"kernelTCP":2},"network":{"classID":3}}`), v2Host())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"linux.resources.memory.kernel: ignored, Linux has no such limit any more",
		"linux.resources.memory.kernelTCP: ignored, Linux has no such limit any more",
		"linux.resources.network: ignored, cgroup v2 has no network controllers",
	}
	if !slices.Equal(set.Warnings, want) || len(set.Writes) > 0 {
		t.Errorf("warnings %q, writes %v", set.Warnings, set.Writes)
	}
}

func TestCompileHybrid(t *testing.T) {
	const text = `{"memory":{"limit":1000},"hugepageLimits":[{"pageSize":"2MB","limit":0}],"unified":{"hugetlb.1GB.max":"0"}}`
	set, err := CompileUpdate(parseResources(t, text), hybridHost())
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, "hybrid", set.Lines(), []string{
		"memory.limit_in_bytes = 1000 <memory.limit)", "hugetlb.2MB.max = 0 <hugepageLimits[0])",
		"hugetlb.2MB.rsvd.max = 0 <hugepageLimits[0]; skipped where missing)", `hugetlb.1GB.max = 0 <unified["hugetlb.1GB.max"])`,
	})
	for i, v2 := range []bool{false, true, true, true} {
		if set.Writes[i].V2 != v2 {
			t.Errorf("%s: V2 = %v", set.Writes[i], set.Writes[i].V2)
		}
	}
	_, err = CompileUpdate(parseResources(t, `{"unified":{"memory.max":"1"}}`), hybridHost())
	if err == nil || !strings.Contains(err.Error(), `controller "memory" not available on cgroup v2`) {
		t.Errorf("unified key of a v1 controller: %v", err)
	}
}

func TestCompileDevices(t *testing.T) {
	const text = `{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]}`
	set, err := Compile(parseResources(t, text), v1Host())
	if err != nil {
		t.Fatal(err)
	}
	lines := set.Lines()
	if len(set.Devices) > 0 || lines[0] != "devices.deny = a  (linux.resources.devices[0])" ||
		lines[1] != "devices.allow = c 10:229 rw  (linux.resources.devices[1])" || !slices.Contains(lines, "devices.allow = c 1:3 rwm  (default)") {
		t.Errorf("v1: %q", lines)
	}
	if set, err = Compile(parseResources(t, text), v2Host()); err != nil {
		t.Fatal(err)
	}
	lines = set.Lines()
	if len(set.Writes) > 0 || !strings.HasPrefix(lines[0], "device filter") || lines[1] != "  deny a *:* rwm  (linux.resources.devices[0])" ||
		!slices.Contains(lines, "  allow c 1:3 rwm  (default)") {
		t.Errorf("v2: %q", lines)
	}
	// Podman's update carries a deny-all that is not meant.
	if set, err = CompileUpdate(parseResources(t, text), v2Host()); err != nil || len(set.Devices) > 0 {
		t.Errorf("update: %v, %v", set.Devices, err)
	}
}
