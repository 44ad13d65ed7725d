package cgroups

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// v2Only treats the machine's cgroup2 tree as if it were a pure v2 host's, and leaves the root's controllers as they were.
func v2Only(t testing.TB) *Layout {
	t.Helper()
	host := needRoot(t)
	if host.V2 == nil {
		t.Skip("no cgroup2 tree is mounted here")
	}
	file := filepath.Join(host.V2.Mount, "cgroup.subtree_control")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, _ := os.ReadFile(file)
		for _, name := range strings.Fields(string(now)) {
			if !slices.Contains(strings.Fields(string(before)), name) {
				if err := os.WriteFile(file, []byte("-"+name), 0); err != nil {
					t.Error(err)
				}
			}
		}
	})
	return &Layout{V2: host.V2}
}

func needV1(t testing.TB, controllers ...string) *Layout {
	t.Helper()
	host := needRoot(t)
	for _, name := range controllers {
		if host.version(name) != 1 {
			t.Skipf("controller %s is not on cgroup v1 here", name)
		}
	}
	return host
}

// onEach runs the test on the host as it is and, on a hybrid one, with each half alone.
func onEach(t *testing.T, f func(t *testing.T, host *Layout)) {
	host := needRoot(t)
	t.Run("host", func(t *testing.T) { f(t, host) })
	if len(host.V1) > 0 && host.V2 != nil {
		t.Run("v1", func(t *testing.T) { f(t, &Layout{V1: host.V1}) })
		t.Run("v2", func(t *testing.T) { f(t, v2Only(t)) })
	}
}

// leftovers are directories that a test's cgroup name still has anywhere.
func leftovers(t *testing.T, host *Layout, name string) []string {
	t.Helper()
	var found []string
	for _, h := range append(slices.Clone(host.V1), *cmpV2(host)) {
		if _, err := os.Stat(filepath.Join(h.Mount, name)); err == nil {
			found = append(found, filepath.Join(h.Mount, name))
		}
	}
	return found
}

func cmpV2(host *Layout) *Hierarchy {
	if host.V2 != nil {
		return host.V2
	}
	return &Hierarchy{Mount: "/nowhere"}
}

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

// A new v1 cpuset is empty, and no process can enter it, until it and its parents get values.
func TestCpusetInherits(t *testing.T) {
	host := needV1(t, "cpuset")
	cg := create(t, host, nil)
	parent, err := os.ReadFile(filepath.Join(cg.Paths()["cpuset"], "../../cpuset.cpus"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fileOf(t, cg, "cpuset", "cpuset.cpus"); got == "" || got != strings.TrimSpace(string(parent)) {
		t.Errorf("cpuset.cpus = %q, the root has %q", got, parent)
	}
	if fileOf(t, cg, "cpuset", "cpuset.mems") == "" {
		t.Error("cpuset.mems is empty")
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

// blockDevice is the JSON of some disk of this machine.
func blockDevice(t *testing.T) string {
	t.Helper()
	devs, _ := filepath.Glob("/sys/block/[vsn]*/dev")
	if len(devs) == 0 {
		return `"major":8,"minor":0`
	}
	major, minor, _ := strings.Cut(strings.TrimSpace(readText(t, devs[0])), ":")
	return `"major":` + major + `,"minor":` + minor
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

func TestCreateErrors(t *testing.T) {
	host := needRoot(t)
	v2 := &Layout{}
	if host.V2 != nil {
		v2 = v2Only(t)
	}
	for _, tc := range []struct {
		name, json, want string
		host             *Layout
	}{
		{"no such CPU", `{"cpu":{"cpus":"4000"}}`, "linux.resources.cpu.cpus: write 4000 to ", host},
		{"no such page size", `{"hugepageLimits":[{"pageSize":"3MB","limit":0}]}`, "not offered by this kernel: it has no huge pages of 3MB", v2},
		{"no such file", `{"unified":{"cgroup.nonsense":"1"}}`, `linux.resources.unified["cgroup.nonsense"]: open `, v2},
		{"bad value", `{"unified":{"cgroup.max.depth":"deep"}}`, `linux.resources.unified["cgroup.max.depth"]: write deep to `, v2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set, err := Compile(parseResources(t, tc.json), tc.host)
			if err != nil {
				t.Skip(err)
			}
			name := uniqueName(t)
			cg, err := Create(tc.host, Config{Path: name + "/a/b", ID: "b", Settings: set})
			if err == nil {
				t.Errorf("created: %v; want an error with %q", cg.Paths(), tc.want)
				cg.Remove(time.Second)
			} else if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") ||
				strings.Contains(err.Error(), "no such file") {
				t.Errorf("error %q, want one line with %q", err, tc.want)
			}
			if found := leftovers(t, host, name); len(found) > 0 {
				t.Errorf("left behind: %v", found)
			}
		})
	}
}

func TestCreateRefusesUsedCgroup(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		rel := strings.TrimPrefix(cg.nodes[0].path, host.nodeMount(cg))
		cfg := Config{Path: rel, ID: "x"}
		spawn(t, cg, "exec sleep 60")
		_, err := Create(host, cfg)
		if err == nil || !strings.Contains(err.Error(), "cgroup is not empty: 1 process(es) found") {
			t.Fatalf("used cgroup: %v", err)
		}
		if err := cg.KillAll(); err != nil {
			t.Fatal(err)
		}
		if _, err := cg.Wait(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		if err := cg.Freeze(); err != nil {
			t.Fatal(err)
		}
		if _, err = Create(host, cfg); err == nil || !strings.Contains(err.Error(), "frozen") {
			t.Fatalf("frozen cgroup: %v", err)
		}
		if err := cg.Thaw(); err != nil {
			t.Fatal(err)
		}
		again, err := Create(host, cfg)
		if err != nil {
			t.Fatalf("empty cgroup: %v", err)
		}
		again.Close()
	})
}

// nodeMount is the mount of the hierarchy of cg's first directory.
func (l *Layout) nodeMount(cg *Cgroup) string {
	if cg.nodes[0].v2 {
		return l.V2.Mount
	}
	return l.V1[0].Mount
}

// tries runs a command in the cgroup and reports whether it succeeded.
func tries(t *testing.T, cg *Cgroup, script string) bool {
	t.Helper()
	return spawn(t, cg, script).Wait() == nil
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
	if err := cg.Apply(set); err != nil {
		t.Fatal(err)
	}
	check(": </dev/zero", true)
	check(": 2>&1 >/dev/kmsg", true)

	// The verifier must not take the rules for branches: it gives up on programs with too many ways through them.
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, `,{"allow":%t,"type":"c","major":%d,"minor":7,"access":"w"}`, i%2 == 0, i)
	}
	if set, err = Compile(parseResources(t, `{"devices":[{"allow":false}`+many.String()+`]}`), host); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := cg.Apply(set); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("loading 500 rules took %s", took)
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
	// Only now, with an init inside, is pids.max written: which fails here, where there is no cgroup to write to.
	if err := c.Finish(); err == nil || !strings.HasPrefix(err.Error(), "linux.resources.pids.limit: ") {
		t.Errorf("Finish: %v", err)
	}
}

func TestRemoveNested(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		for _, p := range cg.Paths() {
			for _, sub := range []string{"/one", "/one/two", "/three"} {
				if err := unix.Mkdir(p+sub, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
					t.Fatal(err)
				}
			}
		}
		if err := cg.Remove(time.Second); err != nil {
			t.Fatal(err)
		}
		if cg.Exists() {
			t.Error("something is left")
		}
	})
}

// Remove waits for processes that are about to end, and otherwise names those that stay.
func TestRemoveWaits(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		cmd := spawn(t, cg, "exec sleep 60")
		err := cg.Remove(20 * time.Millisecond)
		if want := fmt.Sprintf("processes remain: %d (", cmd.Process.Pid); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("Remove of a cgroup in use: %v, want %q in it", err, want)
		}
		if empty, err := cg.Wait(time.Millisecond); empty || err != nil {
			t.Errorf("Wait = %v, %v", empty, err)
		}
		timer := time.AfterFunc(50*time.Millisecond, func() { cmd.Process.Kill() })
		defer timer.Stop()
		start := time.Now()
		if err := cg.Remove(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestSub(t *testing.T) {
	host := needV1(t, "memory", "cpu")
	cg := create(t, host, nil)
	for _, name := range []string{"memory", "cpu"} {
		if err := unix.Mkdir(cg.Paths()[name]+"/inner", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sub, err := cg.Sub(map[string]string{"memory": "/../inner"})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if got, want := sub.Paths()["memory"], cg.Paths()["memory"]+"/inner"; got != want {
		t.Errorf("memory path %q, want %q", got, want)
	}
	if sub.Paths()["cpu"] != cg.Paths()["cpu"] {
		t.Error("a controller that was not named has moved")
	}
	cmd := spawn(t, sub, "exec sleep 60")
	if pids, err := sub.v1("memory").pids(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("the process is not in the sub-cgroup: %v, %v", pids, err)
	}
	if pids, err := cg.Pids(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("Pids of the container = %v, %v", pids, err)
	}
	now, err := OfProcess(host, cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range sub.Paths() {
		if now.Paths()[name] != p {
			t.Errorf("OfProcess %q = %q, want %q", name, now.Paths()[name], p)
		}
	}
	for _, paths := range []map[string]string{{"memory": "missing"}, {"nonsense": "inner"}} {
		if _, err := cg.Sub(paths); err == nil || !strings.HasPrefix(err.Error(), "--cgroup: ") {
			t.Errorf("Sub(%v): %v", paths, err)
		}
	}
}

func TestJoin(t *testing.T) {
	cg := create(t, needRoot(t), nil)
	other := create(t, needRoot(t), nil)
	cmd := spawn(t, other, "exec sleep 60")
	if err := cg.Join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if pids, err := cg.Pids(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("Pids = %v, %v", pids, err)
	}
}

func TestFreezeAndThaw(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		cmd := spawn(t, cg, "sleep 0.1; exit 7")
		if err := cg.Freeze(); err != nil {
			t.Fatal(err)
		}
		if frozen, err := cg.Frozen(); !frozen || err != nil {
			t.Errorf("Frozen = %v, %v", frozen, err)
		}
		time.Sleep(200 * time.Millisecond)
		if pids, err := cg.Pids(); err != nil || len(pids) == 0 {
			t.Errorf("Pids of a frozen cgroup = %v, %v: the process went on", pids, err)
		}
		if err := cg.Thaw(); err != nil {
			t.Fatal(err)
		}
		if frozen, err := cg.Frozen(); frozen || err != nil {
			t.Errorf("Frozen after Thaw = %v, %v", frozen, err)
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 7 {
			t.Errorf("exit code %d, want 7: the process did not go on after the thaw", code)
		}
	})
}

func TestOOMKills(t *testing.T) {
	host := needRoot(t)
	if host.version("memory") == 0 {
		t.Skip("no memory controller here")
	}
	cg := create(t, host, parseResources(t, `{"memory":{"limit":4194304,"swap":4194304}}`))
	if n, err := cg.OOMKills(); n != 0 || err != nil {
		t.Fatalf("OOMKills of a new cgroup = %d, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	notices, err := cg.WatchOOM(ctx)
	if err != nil {
		t.Fatal(err)
	}
	spawn(t, cg, `x=$(head -c 30000000 /dev/zero | tr '\0' x)`).Wait()
	n, err := cg.OOMKills()
	if n == 0 || err != nil {
		t.Errorf("OOMKills = %d, %v", n, err)
	}
	select {
	case _, ok := <-notices:
		if !ok {
			t.Error("the watch ended without a notice")
		}
	case <-time.After(5 * time.Second):
		t.Error("the watch has seen nothing")
	}
	cancel()
	for range notices { // ends
	}

	// A watch ends with the cgroup, too.
	if notices, err = cg.WatchOOM(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cg.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	for range notices {
	}
}

func TestUmask(t *testing.T) {
	host := needRoot(t)
	old := unix.Umask(0o077)
	cg := create(t, host, nil)
	unix.Umask(old)
	for _, p := range cg.Paths() {
		for _, dir := range []string{p, filepath.Dir(p)} {
			if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o755 {
				t.Errorf("%s: %v, %v", dir, st.Mode(), err)
			}
		}
	}
}

func TestOwner(t *testing.T) {
	host := v2Only(t)
	name := uniqueName(t)
	cg, err := Create(host, Config{Path: "/" + name, ID: "x", Owner: &Owner{UID: 12345, GID: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer cg.Remove(time.Second)
	for file, want := range map[string]uint32{"": 12345, "cgroup.procs": 12345, "cgroup.subtree_control": 12345, "cgroup.max.depth": 0, "cgroup.kill": 0} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(cg.Paths()[""], file), &st); err != nil {
			t.Fatal(err)
		}
		if st.Uid != want || st.Gid != 0 {
			t.Errorf("%q belongs to %d:%d, want %d:0", file, st.Uid, st.Gid, want)
		}
	}
}

// asNobody runs f on a thread without root's rights.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		// The thread ends with this goroutine, since it is never unlocked: nobody else gets its credentials.
		runtime.LockOSThread()
		const keep = ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, 65534, keep); errno != 0 {
			done <- errno
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Skip("cannot give up root: ", err)
	}
}

func TestRootless(t *testing.T) {
	host := needRoot(t)
	name := uniqueName(t)
	set, err := Compile(nil, host)
	if err != nil {
		t.Fatal(err)
	}
	limited, err := Compile(parseResources(t, `{"pids":{"limit":5}}`), host)
	if err != nil {
		t.Skip(err)
	}
	asNobody(t, func() {
		cfg := Config{Path: "/" + name + "/x", ID: "x", Settings: set}
		if _, err := Create(host, cfg); !errors.Is(err, unix.EACCES) {
			t.Errorf("not rootless: %v", err)
		}
		cfg.Rootless = true
		cg, err := Create(host, cfg)
		if err != nil {
			t.Errorf("rootless: %v", err)
			return
		}
		if why := cg.None(); !strings.Contains(why, "rootless") || !strings.Contains(why, "create cgroup") {
			t.Errorf("None = %q", why)
		}
		cfg.Settings = limited
		_, err = Create(host, cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.pids.limit: cannot be set without a cgroup: rootless") {
			t.Errorf("rootless with a limit: %v", err)
		}
	})
	if found := leftovers(t, host, name); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

// A user without privileges gets a container's cgroup inside of one that was given to them.
func TestRootlessDelegated(t *testing.T) {
	host := v2Only(t)
	mine, err := Create(host, Config{Path: "/" + uniqueName(t), ID: "x", Owner: &Owner{UID: 65534, GID: 65534}})
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Remove(time.Second)
	set, err := Compile(parseResources(t, `{"unified":{"cgroup.max.depth":"2"}}`), host)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimPrefix(mine.Paths()[""], host.V2.Mount) + "/session"
	asNobody(t, func() {
		inside := &Layout{V2: &Hierarchy{Mount: host.V2.Mount, Own: own, Controllers: host.V2.Controllers}}
		cg, err := Create(inside, Config{ID: "box", Settings: set, Rootless: true})
		if err != nil {
			t.Error(err)
			return
		}
		if got, want := cg.Paths()[""], mine.Paths()[""]+"/box"; got != want || cg.None() != "" {
			t.Errorf("cgroup %q (%s), want %q", got, cg.None(), want)
		}
		if got := fileOf(t, cg, "", "cgroup.max.depth"); got != "2" {
			t.Errorf("cgroup.max.depth = %q", got)
		}
		if err := cg.Remove(time.Second); err != nil {
			t.Error(err)
		}
	})
}

// Beside a threaded cgroup every new one is born invalid and has to become threaded as well.
func TestThreadedParent(t *testing.T) {
	host := v2Only(t)
	name := uniqueName(t)
	first, err := Create(host, Config{Path: "/" + name + "/first"})
	if err != nil {
		t.Fatal(err)
	}
	parent := filepath.Dir(first.Paths()[""])
	defer func() {
		if err := errors.Join(first.Remove(time.Second), rmdir(parent)); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("-hugetlb"), 0); err != nil {
		t.Log("without hugetlb: ", err)
	}
	if err := os.WriteFile(filepath.Join(first.Paths()[""], "cgroup.type"), []byte("threaded"), 0); err != nil {
		t.Skip("this parent can't become threaded: ", err)
	}
	second, err := Create(&Layout{V2: &Hierarchy{Mount: host.V2.Mount, Own: "/"}}, Config{Path: "/" + name + "/second"})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Remove(time.Second)
	if got := fileOf(t, second, "", "cgroup.type"); got != "threaded" {
		t.Errorf("cgroup.type = %q", got)
	}
	if pids, err := second.Pids(); err != nil || len(pids) > 0 {
		t.Errorf("Pids of a threaded cgroup = %v, %v", pids, err)
	}
	if err := second.KillAll(); err != nil {
		t.Errorf("KillAll of a threaded cgroup: %v", err)
	}
	set := &Settings{Writes: []Write{{Controller: "memory", V2: true, File: "memory.max", Value: "1", From: "linux.resources.memory.limit"}}}
	_, err = Create(&Layout{V2: &Hierarchy{Mount: host.V2.Mount, Own: "/"}}, Config{Path: "/" + name + "/third", Settings: set})
	if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.memory.limit: cannot limit memory in a threaded cgroup") {
		t.Errorf("a memory limit in a threaded cgroup: %v", err)
	}
}
