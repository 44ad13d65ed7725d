package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// update runs `update FLAGS ID` with a text as its standard input.
func update(b *harness.Bundle, stdin string, flags ...string) harness.Result {
	cmd := b.Cmd(append(append([]string{"update"}, flags...), b.ID)...)
	cmd.Stdin = strings.NewReader(stdin)
	return b.RunCmd(cmd)
}

func mustUpdate(t *testing.T, b *harness.Bundle, stdin string, flags ...string) {
	t.Helper()
	if res := update(b, stdin, flags...); res.Code != 0 || res.Stdout+res.Stderr != "" {
		t.Fatalf("update: exit %d, output %q %q", res.Code, res.Stdout, res.Stderr)
	}
}

// limited is a sleeper with limits for update to change.
func limited(t *testing.T) *harness.Bundle {
	t.Helper()
	for _, name := range []string{"memory", "cpu", "pids"} {
		harness.NeedController(t, name)
	}
	return sleeper(t).Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Reservation: ptr(int64(32 << 20))}
		r.CPU = &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(50000)), Period: ptr(uint64(100000))}
		r.Pids = &specs.LinuxPids{Limit: ptr(int64(100))}
	}))
}

// Every flag ends up in its file.
func TestUpdateFlags(t *testing.T) {
	t.Parallel()
	b := limited(t).Start()
	for _, c := range []struct {
		flags        []string
		controller   string
		v1, v2       string
		want1, want2 string
	}{
		{[]string{"--memory", "100m"}, "memory", "memory.limit_in_bytes", "memory.max", "104857600", "104857600"},
		{[]string{"--memory=67108864"}, "memory", "memory.limit_in_bytes", "memory.max", "67108864", "67108864"},
		{[]string{"--memory-reservation", "1.5M"}, "memory", "memory.soft_limit_in_bytes", "memory.low", "1572864", "1572864"},
		{[]string{"--cpu-share", "2048"}, "cpu", "cpu.shares", "cpu.weight", "2048", "174"},
		{[]string{"--cpu-quota", "40000"}, "cpu", "cpu.cfs_quota_us", "cpu.max", "40000", "40000 100000"},
		{[]string{"--cpu-period", "200000"}, "cpu", "cpu.cfs_period_us", "cpu.max", "200000", "40000 200000"},
		{[]string{"--cpu-burst", "10000"}, "cpu", "cpu.cfs_burst_us", "cpu.max.burst", "10000", "10000"},
		{[]string{"--cpu-quota=-1", "--cpu-burst=0"}, "cpu", "cpu.cfs_quota_us", "cpu.max", "-1", "max 200000"},
		{[]string{"--cpu-idle", "1"}, "cpu", "cpu.idle", "cpu.idle", "1", "1"},
		{[]string{"--cpu-idle", "0"}, "cpu", "cpu.idle", "cpu.idle", "0", "0"},
		{[]string{}, "cpu", "cpu.shares", "cpu.weight", "2048", "174"},
		{[]string{"--cpuset-cpus", "0"}, "cpuset", "cpuset.cpus", "cpuset.cpus", "0", "0"},
		{[]string{"--cpuset-mems", "0"}, "cpuset", "cpuset.mems", "cpuset.mems", "0", "0"},
		{[]string{"--pids-limit", "10"}, "pids", "pids.max", "pids.max", "10", "10"},
		{[]string{"--pids-limit", "-1"}, "pids", "pids.max", "pids.max", "max", "max"},
		{[]string{"--memory", "-1"}, "memory", "memory.limit_in_bytes", "memory.max", unlimited, "max"},
		{[]string{"--kernel-memory=1", "--memory", ""}, "memory", "memory.limit_in_bytes", "memory.max", unlimited, "max"},
	} {
		t.Run(strings.Join(c.flags, " "), func(t *testing.T) {
			want := c.want1
			if harness.NeedController(t, c.controller).Unified {
				want = c.want2
			}
			mustUpdate(t, b, "", c.flags...)
			wantValue(t, b, c.controller, c.v1, c.v2, want)
		})
	}
}

// unlimited is what v1's memory.limit_in_bytes says without a limit.
const unlimited = "9223372036854771712"

// What engines send: zeroes for what is not set, a deny-all rule, null for whole sections.
func TestUpdateFromEngines(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := limited(t).Start()
	file := filepath.Join(harness.TempDir(t), "resources.json")
	if err := os.WriteFile(file, []byte(`{"memory":{"limit":83886080},"devices":[{"allow":false,"access":"rwm"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, json string
		flags      []string
		memory     int
		quota      string
		pids       string
	}{
		{
			"dockerd's zeroes", `{"memory":{"limit":0,"reservation":0,"kernel":0},"cpu":{"shares":0,"quota":0,"period":0},"blockIO":{"weight":0}}`,
			[]string{"--resources", "-"}, 64 << 20, "50000", "100",
		},
		{"empty", `{}`, []string{"-r", "-"}, 64 << 20, "50000", "100"},
		{"nulls", `{"memory":null,"pids":null,"cpu":null}`, []string{"--resources=-"}, 64 << 20, "50000", "100"},
		{"podman's file", ``, []string{"-r", file}, 80 << 20, "50000", "100"},
		{"pids and CPU", `{"pids":{"limit":50},"cpu":{"quota":60000}}`, []string{"-r", "-"}, 80 << 20, "60000", "50"},
		{"flags don't count", `{"pids":{"limit":51}}`, []string{"-r", "-", "--memory", "70m"}, 80 << 20, "60000", "51"},
		{"unknown section", `{"memroy":{"limit":1}}`, []string{"-r", "-"}, 80 << 20, "60000", "51"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustUpdate(t, b, c.json, c.flags...)
			wantValue(t, b, "memory", "memory.limit_in_bytes", "memory.max", fmt.Sprint(c.memory))
			wantValue(t, b, "cpu", "cpu.cfs_quota_us", "cpu.max", map[bool]string{false: c.quota, true: c.quota + " 100000"}[harness.Unified()])
			wantValue(t, b, "pids", "pids.max", "pids.max", c.pids)
		})
	}
	if out := b.MustExec("sh", "-c", "echo x > /dev/null && echo fine"); out != "fine" {
		t.Errorf("devices after an update: %q", out)
	}
}

// A word that nobody knows is reported where the user looks: in the log.
func TestUpdateWarns(t *testing.T) {
	t.Parallel()
	ours(t, "says nothing")
	b := limited(t).Start()
	log := filepath.Join(harness.TempDir(t), "log")
	for json, word := range map[string]string{
		`{"memroy":{"limit":1}}`: "resources.memroy",
		`{"devices":[{"allow":true,"type":"c","major":1,"access":"rwm"}]}`: "resources.devices",
		`{"memory":{"kernel":4096}}`:                                       "kernel",
	} {
		b.Flags = []string{"--log", log}
		res := update(b, json, "-r", "-")
		b.Flags = nil
		if res.Code != 0 {
			t.Fatalf("%s: %s", json, res.Stderr)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, string(text), "level=warning", word)
	}
}

// Memory and swap together can shrink and grow in one update, whichever order the kernel wants.
func TestUpdateMemoryAndSwap(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := limited(t).Start()
	if !swapAccounting(b) {
		t.Skip("this kernel has no swap accounting")
	}
	for _, c := range [][2]int{{96, 128}, {32, 48}, {200, 400}, {16, 16}} {
		mustUpdate(t, b, "", "--memory", fmt.Sprintf("%dm", c[0]), "--memory-swap", fmt.Sprintf("%dm", c[1]))
		wantValue(t, b, "memory", "memory.limit_in_bytes", "memory.max", fmt.Sprint(c[0]<<20))
		swap := map[bool]int{false: c[1], true: c[1] - c[0]}[harness.Unified()]
		wantValue(t, b, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", fmt.Sprint(swap<<20))
	}
	// Swap alone builds on the memory limit of an earlier update.
	mustUpdate(t, b, "", "--memory-swap", "20m")
	wantValue(t, b, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", fmt.Sprint(map[bool]int{false: 20, true: 4}[harness.Unified()]<<20))
	res := update(b, "", "--memory-swap", "10m")
	if res.Code != 1 {
		t.Errorf("swap below memory: exit %d", res.Code)
	}
	contains(t, res.Message(), "memory.swap")
	mustUpdate(t, b, "", "--memory=-1")
	wantValue(t, b, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", map[bool]string{false: unlimited, true: "max"}[harness.Unified()])
}

// When one limit can't be set, no other is changed, and a later update starts from the old ones.
func TestUpdateRollsBack(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := limited(t).Start()
	res := update(b, `{"memory":{"limit":100000000},"pids":{"limit":7},"cpu":{"quota":20000,"cpus":"4000"}}`, "-r", "-")
	if res.Code != 1 {
		t.Fatalf("impossible CPUs: exit %d", res.Code)
	}
	contains(t, res.Message(), "cpu")
	for range 2 {
		wantValue(t, b, "memory", "memory.limit_in_bytes", "memory.max", fmt.Sprint(64<<20))
		wantValue(t, b, "pids", "pids.max", "pids.max", "100")
		wantValue(t, b, "cpu", "cpu.cfs_quota_us", "cpu.max", map[bool]string{false: "50000", true: "50000 100000"}[harness.Unified()])
		mustUpdate(t, b, "", "--cpu-share", "300")
	}
}

func TestUpdateErrors(t *testing.T) {
	t.Parallel()
	ours(t, "other words")
	b := limited(t).Start()
	for _, c := range []struct {
		flags []string
		stdin string
		word  string
	}{
		{[]string{"--memory", "much"}, "", "--memory"},
		{[]string{"--memory", "1gg"}, "", "--memory"},
		{[]string{"--memory=-2"}, "", "--memory"},
		{[]string{"--pids-limit", "1.5"}, "", "--pids-limit"},
		{[]string{"--cpu-share", "-4"}, "", "--cpu-share"},
		{[]string{"--cpu-period", "10"}, "", "cpu.period"},
		{[]string{"--blkio-weight", "70000"}, "", "--blkio-weight"},
		{[]string{"-r", "/nonexistent/file"}, "", "--resources"},
		{[]string{"-r", "-"}, "{", "--resources"},
		{[]string{"-r", "-"}, `{"memory":{"limit":"1m"}}`, "resources.memory.limit"},
		{[]string{"-r", "-"}, `[]`, "resources"},
		{[]string{"--l3-cache-schema", "L3:0=f"}, "", "updating a non-existent Intel RDT configuration is not supported"},
		{[]string{"-r", "-", "--mem-bw-schema", "MB:0=50"}, "{}", "updating a non-existent Intel RDT configuration is not supported"},
	} {
		res := update(b, c.stdin, c.flags...)
		if res.Code != 1 {
			t.Errorf("%v %s: exit %d", c.flags, c.stdin, res.Code)
		}
		contains(t, res.Stderr, c.word)
	}
	b.Kill()
	res := update(b, "", "--pids-limit", "5")
	if res.Code != 1 {
		t.Errorf("a stopped container: exit %d", res.Code)
	}
	contains(t, res.Stderr, "container not running")
}

// Limits change while the container works hard, and what it starts later is limited, too.
func TestUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "pids")
	b := limited(t).Mount("tmpfs", "/tmp", "tmpfs").
		Sh("while :; do dd if=/dev/zero of=/tmp/x bs=64k count=64 2>/dev/null & wait; done").Start()
	for i := range 10 {
		mustUpdate(t, b, "", "--memory", fmt.Sprintf("%dm", 60-3*i), "--cpu-quota", fmt.Sprint(40000-1000*i), "--pids-limit", fmt.Sprint(50-i))
	}
	wantValue(t, b, "pids", "pids.max", "pids.max", "41")
	mustUpdate(t, b, "", "--pids-limit", "4")
	if res := b.Exec("sh", "-c", "for i in 1 2 3 4 5; do sleep 5 & done; wait"); res.Code == 0 {
		t.Error("five processes fit a limit of four")
	}
}

// A paused container and one that was only created can be changed. The new limits don't disturb the
// rest of the configuration.
func TestUpdateCreatedAndPaused(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := limited(t).Edit(func(s *specs.Spec) {
		s.Annotations = map[string]string{"org.example.x": "<y>"}
		s.Process.Env = append(s.Process.Env, "GREETING=grüß & <dich>")
	}).Create()
	mustUpdate(t, b, "", "--pids-limit", "20")
	b.Must("start", b.ID)
	b.Must("pause", b.ID)
	mustUpdate(t, b, "", "--pids-limit", "21")
	b.Must("resume", b.ID)
	wantValue(t, b, "pids", "pids.max", "pids.max", "21")
	wantLines(t, b.MustExec("sh", "-c", "echo $GREETING; hostname"), "grüß & <dich>", b.MustExec("hostname"))
	if got := b.State().Annotations["org.example.x"]; got != "<y>" {
		t.Errorf("annotation %q", got)
	}
	saved, err := os.ReadFile(filepath.Join(b.Root, b.ID, "config.json"))
	if err != nil {
		t.Skip("the runtime keeps its configuration elsewhere")
	}
	contains(t, string(saved), `"pids":{"limit":21}`)
}

// Updates of one container wait for each other, and each finds what the others left.
func TestUpdateInParallel(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	b := limited(t).Start()
	var running []*exec.Cmd
	for _, flag := range []string{"--memory=80m", "--pids-limit=42", "--cpu-share=700", "--cpu-quota=70000"} {
		cmd := b.Cmd("update", flag, b.ID)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", cmd.Args, err)
		}
	}
	wantValue(t, b, "memory", "memory.limit_in_bytes", "memory.max", fmt.Sprint(80<<20))
	wantValue(t, b, "pids", "pids.max", "pids.max", "42")
	wantValue(t, b, "cpu", "cpu.shares", "cpu.weight", map[bool]string{false: "700", true: "75"}[harness.Unified()])
	wantValue(t, b, "cpu", "cpu.cfs_quota_us", "cpu.max", map[bool]string{false: "70000", true: "70000 100000"}[harness.Unified()])
}

// Sections that other runtimes pass over in silence are applied, or refused with a reason.
func TestUpdateEverySection(t *testing.T) {
	t.Parallel()
	ours(t, "leaves these sections out")
	b := limited(t).Start()
	t.Run("blockIO", func(t *testing.T) {
		major, minor := rootDisk(t)
		json := fmt.Sprintf(`{"blockIO":{"throttleReadBpsDevice":[{"major":%d,"minor":%d,"rate":%%d}]}}`, major, minor)
		for _, rate := range []int{1 << 20, 2 << 20} {
			mustUpdate(t, b, fmt.Sprintf(json, rate), "-r", "-")
			if harness.Unified() {
				contains(t, b.CgroupValue("io", "", "io.max"), fmt.Sprintf("rbps=%d", rate))
			} else {
				wantValue(t, b, "blkio", "blkio.throttle.read_bps_device", "", fmt.Sprintf("%d:%d %d", major, minor, rate))
			}
		}
		// The other limits of the request are taken back with those of the device.
		res := update(b, fmt.Sprintf(`{"blockIO":{"throttleReadBpsDevice":[{"major":%d,"minor":%d,"rate":4096}]},"cpu":{"cpus":"4000"}}`, major, minor), "-r", "-")
		if res.Code == 0 {
			t.Error("impossible CPUs are taken")
		}
		if harness.Unified() {
			contains(t, b.CgroupValue("io", "", "io.max"), "rbps=2097152")
		} else {
			wantValue(t, b, "blkio", "blkio.throttle.read_bps_device", "", fmt.Sprintf("%d:%d %d", major, minor, 2<<20))
		}
	})
	t.Run("hugepageLimits", func(t *testing.T) {
		harness.NeedController(t, "hugetlb")
		if _, err := os.Stat("/sys/kernel/mm/hugepages/hugepages-2048kB"); err != nil {
			t.Skip("no huge pages of 2 MB here")
		}
		mustUpdate(t, b, `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`, "-r", "-")
		wantValue(t, b, "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max", "4194304")
		wantValue(t, b, "hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.max", "4194304")
	})
	t.Run("unified", func(t *testing.T) {
		if !harness.NeedController(t, "hugetlb").Unified {
			t.Skip("hugetlb is not on cgroup v2 here")
		}
		mustUpdate(t, b, `{"unified":{"cgroup.max.depth":"7"}}`, "-r", "-")
		mustUpdate(t, b, `{"unified":{"cgroup.max.descendants":"9"}}`, "-r", "-")
		wantValue(t, b, "hugetlb", "", "cgroup.max.depth", "7")
		wantValue(t, b, "hugetlb", "", "cgroup.max.descendants", "9")
	})
	t.Run("what the host lacks", func(t *testing.T) {
		for controller, json := range map[string]string{
			"rdma":     `{"rdma":{"mlx5_0":{"hcaHandles":1}}}`,
			"net_cls":  `{"network":{"classID":1}}`,
			"net_prio": `{"network":{"priorities":[{"name":"lo","priority":1}]}}`,
		} {
			offered := func(h harness.Hierarchy) bool {
				return h.Unified && controller != "rdma" || slices.Contains(h.Controllers, controller)
			}
			if slices.ContainsFunc(harness.Hierarchies(), offered) {
				continue
			}
			res := update(b, json, "-r", "-")
			if res.Code != 1 {
				t.Errorf("%s: exit %d", json, res.Code)
			}
			contains(t, res.Message(), controller)
		}
	})
}
