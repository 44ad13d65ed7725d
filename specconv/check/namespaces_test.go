package check

import (
	"testing"

	"github.com/ociruntime/ociruntime/specconv/problem"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckNamespaces(t *testing.T) {
	add := func(kind specs.LinuxNamespaceType, path string) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
		}
	}
	// The example has 7 namespaces.
	tests := []checkTest{
		{"unknown", add("net", ""), `linux.namespaces[7].type: unknown namespace "net": did you mean "network"?`},
		{"no type", add("", ""), `linux.namespaces[7].type: unknown namespace ""`},
		{"twice", add("pid", "/proc/1/ns/pid"), `linux.namespaces[7].type: pid is given twice`},
		{"relative path", func(s *specs.Spec) { s.Linux.Namespaces[0].Path = "ns/pid" },
			`linux.namespaces[0].path: must be an absolute path, not "ns/pid"`},
		{"path with a zero byte", func(s *specs.Spec) { s.Linux.Namespaces[0].Path = "/\x00" }, `linux.namespaces[0].path: must not contain a zero byte`},
		{"user without mappings", add("user", ""),
			"linux.uidMappings: must not be empty for a new user namespace; linux.gidMappings: must not be empty for a new user namespace"},
		{"joined user without mappings", add("user", "/proc/1/ns/user"), ""},
		{"mappings without user", func(s *specs.Spec) { addUserNamespace(s); dropNamespace(s, specs.UserNamespace) }, "linux.uidMappings: needs a user namespace"},
		{"gid mappings without user", func(s *specs.Spec) {
			s.Linux.GIDMappings = []specs.LinuxIDMapping{{Size: 1}}
		}, "linux.gidMappings: needs a user namespace"},
	}
	runCheckTests(t, Options{}, tests)
	runCheckTests(t, Options{Rootless: true}, []checkTest{
		{"rootless without user", func(*specs.Spec) {}, "linux.namespaces: must have a user namespace when the runtime is not started by root"},
		{"rootless joins user", add("user", "/proc/1/ns/user"), ""},
	})
}

func TestCheckIDMappings(t *testing.T) {
	uids := func(m ...specs.LinuxIDMapping) func(*specs.Spec) {
		return func(s *specs.Spec) {
			addUserNamespace(s)
			s.Linux.UIDMappings = append([]specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 10}}, m...)
		}
	}
	runCheckTests(t, Options{}, []checkTest{
		{"empty", uids(specs.LinuxIDMapping{ContainerID: 10, HostID: 10}), "linux.uidMappings[1].size: must not be 0"},
		{"side by side", uids(specs.LinuxIDMapping{ContainerID: 10, HostID: 10, Size: 1<<32 - 10 - 1}), ""},
		{"container ids overlap", uids(specs.LinuxIDMapping{ContainerID: 9, HostID: 100, Size: 2}), "linux.uidMappings[1].containerID: overlaps entry 0"},
		{"host ids overlap", uids(specs.LinuxIDMapping{ContainerID: 100, HostID: 5, Size: 1}), "linux.uidMappings[1].hostID: overlaps entry 0"},
		{"container ids run out", uids(specs.LinuxIDMapping{ContainerID: 1<<32 - 1, HostID: 100, Size: 2}),
			"linux.uidMappings[1].containerID: goes beyond the ids that there are: 4294967295 and 2 more"},
		{"host ids run out", uids(specs.LinuxIDMapping{ContainerID: 100, HostID: 1<<32 - 1, Size: 2}),
			"linux.uidMappings[1].hostID: goes beyond the ids that there are: 4294967295 and 2 more"},
		{"no id among the container's", uids(specs.LinuxIDMapping{ContainerID: 10, HostID: 10, Size: 1<<32 - 10}),
			"linux.uidMappings[1].containerID: goes beyond the ids that there are: 10 and 4294967286 more"},
		{"no id among the host's", uids(specs.LinuxIDMapping{ContainerID: 10, HostID: 1<<32 - 1, Size: 1}),
			"linux.uidMappings[1].hostID: goes beyond the ids that there are: 4294967295 and 1 more"},
		{"too many", uids(make([]specs.LinuxIDMapping, 340)...), "linux.uidMappings: must not have more than 340 entries: 341"},
	})
}

func TestCheckTimeOffsets(t *testing.T) {
	offsets := func(clock string, o specs.LinuxTimeOffset) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{clock: o} }
	}
	runCheckTests(t, Options{}, []checkTest{
		{"good", offsets("boottime", specs.LinuxTimeOffset{Secs: -5, Nanosecs: 999999999}), ""},
		{"clock", offsets("realtime", specs.LinuxTimeOffset{}), "linux.timeOffsets.realtime: unknown clock: monotonic and boottime have offsets"},
		{"nanoseconds", offsets("monotonic", specs.LinuxTimeOffset{Nanosecs: 1e9}), "linux.timeOffsets.monotonic.nanosecs: must be less than a second: 1000000000"},
		{"no namespace", func(s *specs.Spec) {
			dropNamespace(s, specs.TimeNamespace)
			offsets("monotonic", specs.LinuxTimeOffset{})(s)
		},
			"linux.timeOffsets: needs a time namespace"},
		{"none for no namespace", func(s *specs.Spec) {
			dropNamespace(s, specs.TimeNamespace)
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{}
		}, ""},
		{"joined", func(s *specs.Spec) {
			s.Linux.Namespaces[6].Path = "/proc/1/ns/time"
			offsets("monotonic", specs.LinuxTimeOffset{})(s)
		},
			"linux.timeOffsets: can't be set in a time namespace that is joined"},
	})
}

func TestCheckNetDevices(t *testing.T) {
	devices := func(d map[string]specs.LinuxNetDevice) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.NetDevices = d }
	}
	one := devices(map[string]specs.LinuxNetDevice{"eth0": {}})
	runCheckTests(t, Options{}, []checkTest{
		{"good", devices(map[string]specs.LinuxNetDevice{"eth0": {}, "eth1": {Name: "net%d"}, "eth2": {Name: "net%d"}, "fifteen-letters": {}}), ""},
		{"no namespace", func(s *specs.Spec) { dropNamespace(s, specs.NetworkNamespace); one(s) }, "linux.netDevices: needs a network namespace: without one it would change the host"},
		{"empty", devices(map[string]specs.LinuxNetDevice{"": {}}), `linux.netDevices[""]: not the name of a network device: ""`},
		{"dots", devices(map[string]specs.LinuxNetDevice{"..": {}}), `linux.netDevices[".."]: not the name of a network device: ".."`},
		{"slash", devices(map[string]specs.LinuxNetDevice{"a/b": {}}), `linux.netDevices["a/b"]: not the name of a network device: "a/b"`},
		{"too long", devices(map[string]specs.LinuxNetDevice{"a": {Name: "sixteen-letters-"}}),
			`linux.netDevices.a.name: not the name of a network device: "sixteen-letters-"`},
		{"colon", devices(map[string]specs.LinuxNetDevice{"a": {Name: "a:1"}}), `linux.netDevices.a.name: not the name of a network device: "a:1"`},
		{"blank", devices(map[string]specs.LinuxNetDevice{"a": {Name: "a 1"}}), `linux.netDevices.a.name: not the name of a network device: "a 1"`},
		{"one name for two", devices(map[string]specs.LinuxNetDevice{"a": {Name: "b"}, "b": {}}), `linux.netDevices.b.name: "b" is already the name of "a"`},
	})
	runCheckTests(t, Options{Rootless: true}, []checkTest{
		{"rootless", func(s *specs.Spec) {
			addUserNamespace(s)
			one(s)
		}, "linux.netDevices: can't be moved when the runtime is not started by root"},
	})
}

func TestCheckSysctl(t *testing.T) {
	sysctl := func(key string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{key: "1"} }
	}
	without := func(ns specs.LinuxNamespaceType, key string) func(*specs.Spec) {
		return func(s *specs.Spec) { dropNamespace(s, ns); s.Hostname = ""; sysctl(key)(s) }
	}
	needs := func(key, ns string) string {
		return `linux.sysctl["` + key + `"]: needs a ` + ns + ` namespace: without one it would change the host`
	}
	host := func(key string) string {
		return problem.MemberPath("linux.sysctl", key) + ": is not in a separate kernel namespace: it would change the host"
	}
	bad := func(key string) string { return problem.MemberPath("linux.sysctl", key) + ": not the name of a sysctl" }
	tests := []checkTest{
		{"net", sysctl("net.ipv4.ip_forward"), ""},
		{"net with slashes", sysctl("net/ipv4/conf/eth0.100/forwarding"), ""},
		{"net with a slash for a dot", sysctl("net.ipv4.conf.eth0/100.forwarding"), ""},
		{"mqueue", sysctl("fs.mqueue.msg_max"), ""},
		{"domainname", sysctl("kernel.domainname"), ""},
		{"domainname set twice", func(s *specs.Spec) { s.Domainname = "a"; sysctl("kernel.domainname")(s) },
			`linux.sysctl["kernel.domainname"]: is set by domainname already`},
		{"user", func(s *specs.Spec) { addUserNamespace(s); sysctl("user.max_net_namespaces")(s) }, ""},
		{"no net", without(specs.NetworkNamespace, "net.core.somaxconn"), needs("net.core.somaxconn", "network")},
		{"no ipc", without(specs.IPCNamespace, "fs.mqueue.msg_max"), needs("fs.mqueue.msg_max", "ipc")},
		{"no uts", without(specs.UTSNamespace, "kernel.domainname"), needs("kernel.domainname", "uts")},
		{"no user", sysctl("user.max_net_namespaces"), needs("user.max_net_namespaces", "user")},
		{"hostname", sysctl("kernel.hostname"), `linux.sysctl["kernel.hostname"]: must be set by hostname`},
		{"host's", sysctl("kernel.panic"), host("kernel.panic")},
		{"host's with slashes", sysctl("vm/swappiness"), host("vm/swappiness")},
		{"host's fs", sysctl("fs.file-max"), host("fs.file-max")},
		{"net written in one", sysctl("netx.core"), host("netx.core")},
		{"one word", sysctl("panic"), host("panic")},
		{"ipc's only as a whole", sysctl("kernel.sem.x"), host("kernel.sem.x")},
		{"climbing", sysctl("net/../kernel/panic"), bad("net/../kernel/panic")},
		{"climbing with dots", sysctl("net.//.kernel.panic"), bad("net.//.kernel.panic")},
		{"absolute", sysctl("/net/x"), bad("/net/x")},
		{"empty part", sysctl("net..x"), bad("net..x")},
		{"ends in a dot", sysctl("net.x."), bad("net.x.")},
		{"empty", sysctl(""), bad("")},
		{"zero byte", sysctl("net.\x00"), bad("net.\x00")},
		{"zero byte in the value", func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.x": "\x00"} }, `linux.sysctl["net.x"]: must not contain a zero byte`},
	}
	for _, name := range []string{"msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"} {
		key := "kernel." + name
		tests = append(tests, checkTest{name, sysctl(key), ""}, checkTest{name + " without ipc", without(specs.IPCNamespace, key), needs(key, "ipc")})
	}
	runCheckTests(t, Options{}, tests)
}
