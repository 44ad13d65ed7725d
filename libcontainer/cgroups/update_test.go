package cgroups

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func update(t *testing.T, cg *Cgroup, host *Layout, base, change string) error {
	t.Helper()
	set, err := CompileUpdate(Merge(parseResources(t, base), parseResources(t, change)), host)
	if err != nil {
		return err
	}
	return cg.Update(set)
}

func TestUpdateMemoryV1(t *testing.T) {
	host := needV1(t, "memory")
	const base = `{"memory":{"limit":67108864,"swap":67108864}}`
	cg := create(t, host, parseResources(t, base))
	for _, tc := range []struct{ change, limit, swap string }{
		// memory+swap must grow first
		{`{"memory":{"limit":134217728,"swap":134217728}}`, "134217728", "134217728"},
		// memory must shrink first
		{`{"memory":{"limit":33554432,"swap":50331648}}`, "33554432", "50331648"},
		{`{"memory":{"limit":-1}}`, "9223372036854771712", "9223372036854771712"},
		{`{"memory":{"limit":67108864,"swap":-1}}`, "67108864", "9223372036854771712"},
		// What dockerd sends for `docker update --restart`.
		{`{"memory":{"limit":0,"reservation":0,"kernel":0},"cpu":{"shares":0,"quota":0,"period":0},"blockIO":{"weight":0}}`, "67108864", "67108864"},
	} {
		if err := update(t, cg, host, base, tc.change); err != nil {
			t.Errorf("%s: %v", tc.change, err)
		}
		if got := fileOf(t, cg, "memory", "memory.limit_in_bytes"); got != tc.limit {
			t.Errorf("%s: limit %s, want %s", tc.change, got, tc.limit)
		}
		if got := fileOf(t, cg, "memory", "memory.memsw.limit_in_bytes"); got != tc.swap {
			t.Errorf("%s: memory+swap %s, want %s", tc.change, got, tc.swap)
		}
	}
}

func TestUpdateCPUV1(t *testing.T) {
	host := needV1(t, "cpu")
	const base = `{"cpu":{"quota":50000,"period":100000,"burst":40000}}`
	cg := create(t, host, parseResources(t, base))
	for _, tc := range []struct{ change, quota, period, burst string }{
		{`{"cpu":{"period":200000}}`, "50000", "200000", "40000"},
		// quota below the old burst
		{`{"cpu":{"quota":10000,"period":20000,"burst":0}}`, "10000", "20000", "0"},
		{`{"cpu":{"quota":-1,"burst":0}}`, "-1", "100000", "0"},
	} {
		if err := update(t, cg, host, base, tc.change); err != nil {
			t.Errorf("%s: %v", tc.change, err)
		}
		for file, want := range map[string]string{"cpu.cfs_quota_us": tc.quota, "cpu.cfs_period_us": tc.period, "cpu.cfs_burst_us": tc.burst} {
			if got := fileOf(t, cg, "cpu", file); got != want {
				t.Errorf("%s: %s = %s, want %s", tc.change, file, got, want)
			}
		}
	}
}

// A failed update leaves every limit as it was.
func TestUpdateRollsBack(t *testing.T) {
	host := needRoot(t)
	for _, name := range []string{"pids", "memory", "cpu", "cpuset"} {
		if host.version(name) == 0 {
			t.Skip("no controller ", name)
		}
	}
	const base = `{"pids":{"limit":10},"memory":{"limit":67108864},"cpu":{"shares":512,"quota":50000,"cpus":"0"}}`
	cg := create(t, host, parseResources(t, base))
	files := map[string][]string{ // the v1 and the v2 name
		"pids": {"pids.max"}, "memory": {"memory.limit_in_bytes", "memory.max"},
		"cpu":    {"cpu.shares", "cpu.weight"},
		"cpuset": {"cpuset.cpus"},
	}
	read := func() (all []string) {
		for _, name := range []string{"pids", "memory", "cpu", "cpuset"} {
			tree, file := name, files[name][0]
			if host.version(name) == 2 {
				tree, file = "", files[name][len(files[name])-1]
			}
			all = append(all, file+"="+fileOf(t, cg, tree, file))
		}
		return all
	}
	before := strings.Join(read(), " ")
	err := update(t, cg, host, base, `{"pids":{"limit":20},"memory":{"limit":33554432},"cpu":{"shares":256,"quota":20000,"cpus":"4000"}}`)
	if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.cpu.cpus: ") || strings.Contains(err.Error(), "set back") {
		t.Fatalf("an update to a CPU that isn't there: %v", err)
	}
	if after := strings.Join(read(), " "); after != before {
		t.Errorf("after a failed update: %s\nbefore: %s", after, before)
	}
}

// A limit below what is used is refused with the numbers that an administrator needs.
func TestUpdateBelowUsage(t *testing.T) {
	host := needRoot(t)
	if host.version("memory") == 0 {
		t.Skip("no memory controller here")
	}
	cg := create(t, host, nil)
	// The shell keeps 20 MB in a variable before it says that it is ready.
	spawn(t, cg, "sleep 60", "x=$(head -c 20000000 /dev/zero | tr '\\0' x)")
	err := update(t, cg, host, `{}`, `{"memory":{"limit":1048576,"checkBeforeUpdate":true}}`)
	if err == nil || !strings.Contains(err.Error(), "linux.resources.memory.limit: ") ||
		!strings.Contains(err.Error(), "unable to set memory limit to 1048576 (current usage: ") {
		t.Errorf("a limit below the usage: %v", err)
	}
}

func TestMerge(t *testing.T) {
	const base = `{"devices":[{"allow":false}],"memory":{"limit":100,"swap":200,"swappiness":10},"cpu":{"shares":5,"quota":1000,"period":2000,"cpus":"0"},
		"pids":{"limit":3},"blockIO":{"weight":100},"hugepageLimits":[{"pageSize":"2MB","limit":1}],"network":{"classID":1},
		"rdma":{"a":{"hcaHandles":1}},"unified":{"memory.high":"1"}}`
	for _, tc := range []struct{ change, want string }{
		{`{}`, base},
		{`{"memory":{"limit":0},"cpu":{"shares":0,"quota":0,"period":0,"cpus":""},"blockIO":{"weight":0},"pids":{}}`, base},
		{`{"devices":[{"allow":true}]}`, base},
		{`{"memory":{"limit":-1}}`, strings.Replace(base, `"limit":100,"swap":200,`, `"limit":-1,`, 1)},
		{`{"memory":{"swappiness":0}}`, strings.Replace(base, `"swappiness":10`, `"swappiness":0`, 1)},
		{`{"cpu":{"quota":7,"idle":0}}`, strings.Replace(base, `"quota":1000,`, `"quota":7,"idle":0,`, 1)},
		{`{"pids":{"limit":0}}`, strings.Replace(base, `"pids":{"limit":3}`, `"pids":{"limit":0}`, 1)},
		{
			`{"hugepageLimits":[{"pageSize":"2MB","limit":5},{"pageSize":"1GB","limit":6}]}`,
			strings.Replace(base, `{"pageSize":"2MB","limit":1}`, `{"pageSize":"2MB","limit":5},{"pageSize":"1GB","limit":6}`, 1),
		},
		{`{"rdma":{"b":{"hcaObjects":2}},"unified":{"memory.high":"9"}}`, strings.Replace(strings.Replace(base, `"a":{"hcaHandles":1}`, `"a":{"hcaHandles":1},"b":{"hcaObjects":2}`, 1), `"memory.high":"1"`, `"memory.high":"9"`, 1)},
	} {
		b := parseResources(t, base)
		got, want := asJSON(t, Merge(b, parseResources(t, tc.change))), asJSON(t, parseResources(t, tc.want))
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", tc.change, got, want)
		}
		if after := asJSON(t, b); after != asJSON(t, parseResources(t, base)) {
			t.Errorf("%s changed its base: %s", tc.change, after)
		}
	}
	if got := asJSON(t, Merge(nil, nil)); got != "{}" {
		t.Errorf("nothing and nothing: %s", got)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStats(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		spawn(t, cg, "sleep 60", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
		s, err := cg.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if s.CPU.Usage.Total == 0 || s.CPU.Usage.User+s.CPU.Usage.Kernel == 0 || s.CPU.Usage.User > s.CPU.Usage.Total*2 {
			t.Errorf("cpu after some work: %+v", s.CPU.Usage)
		}
		if host.version("memory") != 0 && (s.Memory.Usage.Usage == 0 || s.Memory.Usage.Limit == 0 || len(s.Memory.Raw) == 0) {
			t.Errorf("memory: %+v", s.Memory)
		}
		if host.version("pids") != 0 && s.Pids.Current == 0 {
			t.Errorf("pids: %+v", s.Pids)
		}
		if host.version("cpuset") != 0 && len(s.CPUSet.CPUs) == 0 {
			t.Errorf("cpuset: %+v", s.CPUSet)
		}
		if err := cg.KillAll(); err != nil {
			t.Fatal(err)
		}
		if err := cg.Remove(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		if s, err = cg.Stats(); err != nil || s.CPU.Usage.Total != 0 {
			t.Errorf("stats of a removed cgroup: %+v, %v", s, err)
		}
	})
}
