package check

import (
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckDevices(t *testing.T) {
	devices := func(d ...specs.LinuxDevice) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.Devices = d } }
	null := specs.LinuxDevice{Path: "/dev/null", Type: "c", Major: 1, Minor: 3}
	runCheckTests(t, Options{}, []checkTest{
		{"type", devices(specs.LinuxDevice{Path: "/dev/a", Type: "a"}), `linux.devices[0].type: must be c, b, u or p, not "a"`},
		{"no type", devices(specs.LinuxDevice{Path: "/dev/a"}), `linux.devices[0].type: must be c, b, u or p, not ""`},
		{"relative", devices(specs.LinuxDevice{Path: "dev/a", Type: "p"}), `linux.devices[0].path: must be an absolute path, not "dev/a"`},
		{"numbers", devices(specs.LinuxDevice{Path: "/dev/a", Type: "b", Major: -1, Minor: 1 << 20}),
			"linux.devices[0].major: must be between 0 and 4095, not -1; linux.devices[0].minor: must be between 0 and 1048575, not 1048576"},
		{"owner", devices(specs.LinuxDevice{Path: "/dev/a", Type: "p", UID: new(uint32(1<<32 - 1)), GID: new(uint32(1<<32 - 1))}),
			"linux.devices[0].uid: 4294967295 is not an id; linux.devices[0].gid: 4294967295 is not an id"},
		{"a fifo's numbers don't matter", devices(specs.LinuxDevice{Path: "/dev/a", Type: "p", Major: -1}, specs.LinuxDevice{Path: "/dev/b", Type: "p"}), ""},
		{"mode with type bits", devices(specs.LinuxDevice{Path: "/dev/a", Type: "c", FileMode: new(os.FileMode(0o20666))}), ""},
		{"same path, other device", devices(null, specs.LinuxDevice{Path: "/dev/null", Type: "c", Major: 1, Minor: 5}),
			`linux.devices[1].path: "/dev/null" is already that of linux.devices[0], another device`},
		{"same device, other path", devices(null, specs.LinuxDevice{Path: "/dev/void", Type: "u", Major: 1, Minor: 3}),
			`warning: linux.devices[1]: "/dev/void" is the same device as linux.devices[0], "/dev/null"`},
		{"the same twice", devices(null, null), ""},
	})
}

func TestCheckDeviceRules(t *testing.T) {
	rule := func(r specs.LinuxDeviceCgroup) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, r) }
	}
	runCheckTests(t, Options{}, []checkTest{
		{"no access is all of it", rule(specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: new(int64(1))}), ""},
		{"any number", rule(specs.LinuxDeviceCgroup{Allow: true, Type: "a", Major: new(int64(-1)), Minor: new(int64(-1)), Access: "rwm"}), ""},
		{"type", rule(specs.LinuxDeviceCgroup{Type: "p"}), `linux.resources.devices[1].type: must be a, c or b, not "p"`},
		{"access", rule(specs.LinuxDeviceCgroup{Type: "c", Access: "rx"}), `linux.resources.devices[1].access: must be of the letters r, w and m, not "rx"`},
		{"numbers", rule(specs.LinuxDeviceCgroup{Type: "c", Major: new(int64(-2)), Minor: new(int64(1 << 32))}),
			"linux.resources.devices[1].major: not the number of a device: -2; linux.resources.devices[1].minor: not the number of a device: 4294967296"},
		{"number without type", rule(specs.LinuxDeviceCgroup{Allow: true, Major: new(int64(10)), Minor: new(int64(200))}),
			"linux.resources.devices[1].type: must be c or b for a rule with a device number: without it every device would be allowed"},
		{"denied number without type", rule(specs.LinuxDeviceCgroup{Major: new(int64(10))}), ""},
	})
}

func TestCheckMemoryAndCPU(t *testing.T) {
	memory := func(m specs.LinuxMemory) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Resources.Memory = &m }
	}
	cpu := func(c specs.LinuxCPU) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.Resources.CPU = &c } }
	const place = "linux.resources.memory."
	runCheckTests(t, Options{}, []checkTest{
		{"zeros are unset", func(s *specs.Spec) {
			memory(specs.LinuxMemory{Limit: new(int64(0)), Swap: new(int64(0)), Reservation: new(int64(0)), Swappiness: new(uint64(0)), Kernel: new(int64(0)), DisableOOMKiller: new(false)})(s)
			cpu(specs.LinuxCPU{Shares: new(uint64(0)), Quota: new(int64(0)), Period: new(uint64(0)), Burst: new(uint64(0)), Idle: new(int64(0)), RealtimeRuntime: new(int64(0))})(s)
		}, ""},
		{"negative", memory(specs.LinuxMemory{Limit: new(int64(-2)), Reservation: new(int64(-3)), Swap: new(int64(-4))}),
			place + "limit: must be a number of bytes, or -1 for no limit, not -2; " + place + "reservation: must be a number of bytes, or -1 for no limit, not -3; " +
				place + "swap: must be a number of bytes, or -1 for no limit, not -4"},
		{"swap alone", memory(specs.LinuxMemory{Swap: new(int64(5))}), place + "swap: is the limit of memory and swap together: it needs a memory limit"},
		{"swap with unlimited memory", memory(specs.LinuxMemory{Limit: new(int64(-1)), Swap: new(int64(5))}), place + "swap: must be -1 as the memory limit is, not 5"},
		{"swap below memory", memory(specs.LinuxMemory{Limit: new(int64(6)), Swap: new(int64(5))}),
			place + "swap: is the limit of memory and swap together: 5 is less than the memory limit 6"},
		{"swap as memory", memory(specs.LinuxMemory{Limit: new(int64(6)), Swap: new(int64(6))}), ""},
		{"unlimited swap", memory(specs.LinuxMemory{Limit: new(int64(6)), Swap: new(int64(-1))}), ""},
		{"swappiness", memory(specs.LinuxMemory{Swappiness: new(uint64(101))}), place + "swappiness: must be between 0 and 100, not 101"},
		// Package cgroups has a warning for it.
		{"kernel memory", memory(specs.LinuxMemory{Kernel: new(int64(1)), KernelTCP: new(int64(1))}), ""},

		{"burst", cpu(specs.LinuxCPU{Quota: new(int64(5000)), Burst: new(uint64(5001))}), "linux.resources.cpu.burst: must not be more than the quota 5000: 5001"},
		{"burst without quota", cpu(specs.LinuxCPU{Quota: new(int64(-1)), Burst: new(uint64(5001))}), ""},
		{"quota", cpu(specs.LinuxCPU{Quota: new(int64(999))}), "linux.resources.cpu.quota: must be 1000 microseconds or more, not 999"},
		{"period", cpu(specs.LinuxCPU{Period: new(uint64(1000001))}), "linux.resources.cpu.period: must be between 1000 and 1000000 microseconds, not 1000001"},
		{"realtime", cpu(specs.LinuxCPU{RealtimeRuntime: new(int64(2)), RealtimePeriod: new(uint64(1))}),
			"linux.resources.cpu.realtimeRuntime: must not be more than the period 1: 2"},
		{"idle", cpu(specs.LinuxCPU{Idle: new(int64(2))}), "linux.resources.cpu.idle: must be 0 or 1, not 2"},
		{"cpus", cpu(specs.LinuxCPU{Cpus: "0;1"}), `linux.resources.cpu.cpus: must be a list of numbers and ranges as in "0-3,7": "0;1"`},
		{"mems", cpu(specs.LinuxCPU{Mems: "0\n"}), `linux.resources.cpu.mems: must be a list of numbers and ranges as in "0-3,7": "0\n"`},
	})
}

func TestCheckOtherResources(t *testing.T) {
	blockIO := func(b specs.LinuxBlockIO) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Resources.BlockIO = &b }
	}
	hugepage := func(size string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Resources.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: size}} }
	}
	badSize := func(size string) string {
		return `linux.resources.hugepageLimits[0].pageSize: must be a size as in 64KB, 2MB or 1GB, not "` + size + `"`
	}
	unified := func(file string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Resources.Unified = map[string]string{file: "1"} }
	}
	rdma := func(device string, r specs.LinuxRdma) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Resources.Rdma = map[string]specs.LinuxRdma{device: r} }
	}
	dev := specs.LinuxBlockIODevice{Major: 8}
	tests := []checkTest{
		{"empty objects", func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{}, Pids: &specs.LinuxPids{}, BlockIO: &specs.LinuxBlockIO{}, Network: &specs.LinuxNetwork{}}
		}, ""},
		{"weight 0 is unset", blockIO(specs.LinuxBlockIO{Weight: new(uint16(0))}), ""},
		{"weights", blockIO(specs.LinuxBlockIO{Weight: new(uint16(9)), LeafWeight: new(uint16(1001))}),
			"linux.resources.blockIO.weight: must be between 10 and 1000, not 9; linux.resources.blockIO.leafWeight: must be between 10 and 1000, not 1001"},
		{"weightDevice without weight", blockIO(specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{{LinuxBlockIODevice: dev}}}),
			"linux.resources.blockIO.weightDevice[0]: must have a weight or leafWeight"},
		{"weightDevice", blockIO(specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{{LinuxBlockIODevice: dev, Weight: new(uint16(5)), LeafWeight: new(uint16(5))}}}),
			"linux.resources.blockIO.weightDevice[0].weight: must be between 10 and 1000, not 5; linux.resources.blockIO.weightDevice[0].leafWeight: must be between 10 and 1000, not 5"},
		{"throttle", blockIO(specs.LinuxBlockIO{ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{{LinuxBlockIODevice: specs.LinuxBlockIODevice{Major: -8, Minor: 1 << 20}}}}),
			"linux.resources.blockIO.throttleWriteIOPSDevice[0].major: must be between 0 and 4095, not -8; " +
				"linux.resources.blockIO.throttleWriteIOPSDevice[0].minor: must be between 0 and 1048575, not 1048576"},
		{"page size 16GB", hugepage("16GB"), ""},
		{"interface", func(s *specs.Spec) {
			s.Linux.Resources.Network = &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "eth0 5"}}}
		}, `linux.resources.network.priorities[0].name: not the name of a network device: "eth0 5"`},
		{"rdma", rdma("mlx", specs.LinuxRdma{}), `linux.resources.rdma["mlx"]: must have hcaHandles or hcaObjects`},
		{"rdma device", rdma("a b", specs.LinuxRdma{HcaObjects: new(uint32(0))}), `linux.resources.rdma["a b"]: not the name of an RDMA device: "a b"`},
		{"unified", unified("memory.max"), ""},
		{"unified core limits", func(s *specs.Spec) {
			s.Linux.Resources.Unified = map[string]string{"cgroup.max.depth": "3", "cgroup.max.descendants": "9", "cgroup.pressure": "0"}
		}, ""},
		{"unified core files", func(s *specs.Spec) {
			s.Linux.Resources.Unified = map[string]string{"cgroup.procs": "1", "cgroup.nonsense": "1"}
		}, `linux.resources.unified["cgroup.nonsense"]: is not a limit: of cgroup.* only max.depth, max.descendants and pressure can be set; ` +
			`linux.resources.unified["cgroup.procs"]: is not a limit: of cgroup.* only max.depth, max.descendants and pressure can be set`},
		{"unified elsewhere", unified("../x"), `linux.resources.unified["../x"]: must be the name of a file in the cgroup's directory`},
		{"unified up", unified(".."), `linux.resources.unified[".."]: must be the name of a file in the cgroup's directory`},
		{"cgroupsPath", func(s *specs.Spec) { s.Linux.CgroupsPath = "/a\nb" }, `linux.cgroupsPath: must not have a line break or a zero byte: "/a\nb"`},
		{"cgroupsPath like systemd's", func(s *specs.Spec) { s.Linux.CgroupsPath = "a:b" }, ""},
	}
	for _, size := range []string{"", "B", "MB", "2", "2M", "2B", "02MB", "0KB", "2mb", "2TB", "2MiB", "-2MB", "2 MB"} {
		tests = append(tests, checkTest{"page size " + size, hugepage(size), badSize(size)})
	}
	runCheckTests(t, Options{}, tests)
}

func TestCheckSystemdCgroupsPath(t *testing.T) {
	systemd := func(path string) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.CgroupsPath = path } }
	bad := func(path string) string {
		return `linux.cgroupsPath: must be slice:prefix:name for systemd, not "` + path + `"`
	}
	runCheckTests(t, Options{SystemdCgroup: true}, []checkTest{
		{"three parts", systemd("a.slice:b:c"), ""},
		{"no slice, no prefix", systemd("::c"), ""},
		{"unset", systemd(""), ""},
		{"a path", systemd("/a/b"), bad("/a/b")},
		{"two parts", systemd("a:b"), bad("a:b")},
		{"four parts", systemd("a:b:c:d"), bad("a:b:c:d")},
		{"no name", systemd("a:b:"), bad("a:b:")},
	})
}

func TestCheckResourcesAlone(t *testing.T) {
	_, err := Resources(&specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: new(int64(7))}})
	if want := "resources.cpu.idle: must be 0 or 1, not 7"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
