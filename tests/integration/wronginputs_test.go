package integration

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// wrongConfigs are mistakes in config.json, each a value at a place (none: the place is removed),
// and what the error has to say. Another runtime's words are shown by
//
//	RUNTIME=/usr/sbin/runc go test -run WrongInputs -v ./tests/integration
var wrongConfigs = []struct {
	name, place, value string
	want               string // nothing is wrong, and nothing to be said, where it is empty
}{
	{"args a string", "process.args", `"sh"`, `process.args: must be a list, not a string`},
	{"args empty", "process.args", `[]`, `process.args: must not be empty`},
	{"no process", "process", ``, ""},
	{"program missing", "process.args", `["nosuch"]`, `exec: "nosuch": executable file not found in $PATH`},
	{"program missing by path", "process.args", `["/bin/nosuch"]`, `exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory`},
	{"program not executable", "process.args", `["/etc/passwd"]`, `exec: "/etc/passwd": permission denied (/etc/passwd is not executable: its mode is 0644)`},
	{"program in PATH not executable", "process", `{"args":["passwd"],"cwd":"/","env":["PATH=/etc"],"user":{"uid":0,"gid":0}}`, `exec: "passwd": executable file not found in $PATH (/etc/passwd is not executable: its mode is 0644)`},
	{"program in PATH a directory", "process", `{"args":["etc"],"cwd":"/","env":["PATH=/bin:/"],"user":{"uid":0,"gid":0}}`, `exec: "etc": executable file not found in $PATH`},
	{"program a directory", "process.args", `["/etc"]`, `exec: "/etc": is a directory`},
	{"no PATH", "process.env", `["A=b"]`, ""},
	{"env without equals", "process.env", `["PATH"]`, `process.env[0]: must be NAME=value: there is no equals sign`},
	{"cwd relative", "process.cwd", `"tmp"`, `process.cwd: must be an absolute path, not "tmp"`},
	{"cwd missing", "process.cwd", `"/nosuch"`, ""},
	{"cwd a file", "process.cwd", `"/etc/passwd"`, `process.cwd: make the working directory /etc/passwd if it is missing: openat2: not a directory (/etc/passwd is a file)`},
	{"uid negative", "process.user.uid", `-1`, `process.user.uid: must be between 0 and 4294967295, not -1`},
	{"uid a name", "process.user.uid", `"root"`, `process.user.uid: must be a number, not a string`},
	{"gid too big", "process.user.gid", `4294967296`, `process.user.gid: must be between 0 and 4294967295, not 4294967296`},
	{"unknown rlimit", "process.rlimits", `[{"type":"NOFILE","soft":1,"hard":1}]`, `process.rlimits[0].type: unknown resource limit "NOFILE": did you mean "RLIMIT_NOFILE"?`},
	{"rlimit soft over hard", "process.rlimits", `[{"type":"RLIMIT_NOFILE","soft":2048,"hard":1024}]`, `process.rlimits[0].soft: must not be more than the hard limit 1024: 2048`},
	{"rlimit twice", "process.rlimits", `[{"type":"RLIMIT_NOFILE","soft":1,"hard":2},{"type":"RLIMIT_NOFILE","soft":1,"hard":2}]`, `process.rlimits[1].type: RLIMIT_NOFILE is given twice`},
	{"unknown capability", "process.capabilities.bounding", `["CAP_CHEESE"]`, `process.capabilities: unknown ones are ignored: "CAP_CHEESE"`},
	{"capability lower case", "process.capabilities.bounding", `["cap_kill"]`, `process.capabilities: unknown ones are ignored: "cap_kill" (did you mean CAP_KILL?)`},
	{"oom score", "process.oomScoreAdj", `2000`, `process.oomScoreAdj: must be between -1000 and 1000, not 2000`},
	{"apparmor missing", "process.apparmorProfile", `"nosuch"`, `process.apparmorProfile: `},
	{"selinux missing", "process.selinuxLabel", `"a:b:c:d"`, `process.selinuxLabel: `},
	{"scheduler unknown", "process.scheduler", `{"policy":"SCHED_CHEESE"}`, `process.scheduler.policy: unknown scheduling policy "SCHED_CHEESE"`},
	{"ioprio class", "process.ioPriority", `{"class":"IOPRIO_CLASS_CHEESE","priority":4}`, `process.ioPriority.class: unknown I/O priority class "IOPRIO_CLASS_CHEESE"`},
	{"affinity", "process.execCPUAffinity", `{"initial":"0-x"}`, `process.execCPUAffinity.initial: must be a list of numbers and ranges as in "0-3,7": "0-x"`},
	{"terminal without socket", "process.terminal", `true`, `or set process.terminal to false`},
	{"no root", "root", ``, `root: must be set`},
	{"root path empty", "root.path", `""`, `root.path: must not be empty`},
	{"root path missing", "root.path", `"nosuch"`, `/nosuch: no such file or directory`},
	{"root path a file", "root.path", `"config.json"`, `/config.json: not a directory`},
	{"root path /", "root.path", `"/"`, ""},
	{"hostname without uts", "linux.namespaces", `[{"type":"mount"},{"type":"pid"}]`, `hostname: needs a uts namespace: without one it would change the host`},
	{"hostname too long", "hostname", `"` + strings.Repeat("h", 65) + `"`, `hostname: must not be longer than 64 bytes: "hhh`},
	{"no mount namespace", "linux.namespaces", `[{"type":"uts"},{"type":"pid"}]`, `linux.maskedPaths: needs a mount namespace: without one the host's own "/proc/acpi" would change; linux.readonlyPaths: needs a mount namespace: without one the host's own "/proc/bus" would change`},
	{"unknown namespace", "linux.namespaces", `[{"type":"mount"},{"type":"cheese"}]`, `hostname: needs a uts namespace: without one it would change the host; linux.namespaces[1].type: unknown namespace "cheese"`},
	{"net for network", "linux.namespaces", `[{"type":"mount"},{"type":"uts"},{"type":"net"}]`, `linux.namespaces[2].type: unknown namespace "net": did you mean "network"?`},
	{"namespace twice", "linux.namespaces", `[{"type":"mount"},{"type":"uts"},{"type":"uts"}]`, `linux.namespaces[2].type: uts is given twice`},
	{"namespace path missing", "linux.namespaces", `[{"type":"mount"},{"type":"uts","path":"/nosuch"}]`, `linux.namespaces[1].path: open /nosuch: no such file or directory`},
	{"namespace of another kind", "linux.namespaces", `[{"type":"mount"},{"type":"uts","path":"/proc/self/ns/net"}]`, `linux.namespaces[1].path: /proc/self/ns/net is a namespace of another type (NEWNET)`},
	{"namespace no such file", "linux.namespaces", `[{"type":"mount"},{"type":"uts","path":"/etc/passwd"}]`, `linux.namespaces[1].path: /etc/passwd is not a namespace: inappropriate ioctl for device`},
	{"mount destination relative", "mounts", `[{"destination":"proc","type":"proc","source":"proc"}]`, `mounts[0].destination: "proc" is taken from /: it should be absolute`},
	{"mount no destination", "mounts", `[{"type":"proc","source":"proc"}]`, `mounts[0].destination: must not be empty`},
	{"mount source missing", "mounts", `[{"destination":"/mnt","type":"bind","source":"/nosuch","options":["rbind"]}]`, `mounts[0].source: bind /nosuch on /mnt: no such file or directory`},
	{"bind without option", "mounts", `[{"destination":"/mnt","source":"/tmp"}]`, `mounts[0].type: must be set; for a bind mount add bind or rbind to the options`},
	{"unknown fs type", "mounts", `[{"destination":"/mnt","type":"cheesefs","source":"x"}]`, `mounts[0]: mount cheesefs on /mnt: no such device (mounts[0].type: this kernel has no file system "cheesefs", and no module for it: /proc/filesystems lists those that it has)`},
	{"fs type misspelt", "mounts", `[{"destination":"/mnt","type":"tmps","source":"x"}]`, `/proc/filesystems lists those that it has: did you mean "tmpfs"?)`},
	{"fs type for a bind mount", "mounts", `[{"destination":"/mnt","type":"bond","source":"/tmp"}]`, `; to bind /tmp, add bind or rbind to mounts[0].options)`},
	{"unknown mount option", "mounts", `[{"destination":"/mnt","type":"tmpfs","source":"x","options":["cheese"]}]`, `mounts[0].options[0]: mount tmpfs on /mnt: cheese: invalid argument`},
	{"tmpfs size", "mounts", `[{"destination":"/mnt","type":"tmpfs","source":"x","options":["size=big"]}]`, `mounts[0].options[0]: mount tmpfs on /mnt: size=big: invalid argument`},
	{"file on directory", "mounts", `[{"destination":"/tmp","type":"bind","source":"/etc/passwd","options":["bind"]}]`, `mounts[0]: bind /etc/passwd on /tmp (bind): a file, which can't be mounted on a directory: move_mount: invalid argument (mounts[0].destination has to be a file, or nothing yet, as /tmp/passwd)`},
	{"directory on file", "mounts", `[{"destination":"/etc/passwd","type":"bind","source":"/tmp","options":["bind"]}]`, `mounts[0]: bind /tmp on /etc/passwd (bind): openat2: not a directory (/etc/passwd is a file, on which no directory can be mounted: mounts[0].destination has to be a directory, or nothing yet)`},
	{"directory below a file", "mounts", `[{"destination":"/etc/passwd/x","type":"bind","source":"/tmp","options":["bind"]}]`, `not a directory (/etc/passwd is a file, and mounts[0].destination leads through it)`},
	{"file system on file", "mounts", `[{"destination":"/etc/passwd","type":"tmpfs","source":"x"}]`, `mounts[0]: mount tmpfs on /etc/passwd: openat2: not a directory (/etc/passwd is a file, on which no file system can be mounted: `},
	{"directory on a bound file", "mounts", `[{"destination":"/tmp/f","type":"bind","source":"/etc/passwd","options":["bind"]},{"destination":"/tmp/f","type":"bind","source":"/tmp","options":["bind"]}]`, `mounts[1]: bind /tmp on /tmp/f (bind): openat2: not a directory (/tmp/f is a file, on which no directory can be mounted: mounts[1].destination `},
	{"directory on a file of a mount", "mounts", `[{"destination":"/sys","type":"sysfs","source":"x"},{"destination":"/sys/devices/system/cpu/online","type":"tmpfs","source":"x"}]`, `mounts[1]: mount tmpfs on /sys/devices/system/cpu/online: openat2: not a directory (a file is at mounts[1].destination, or on the way to it)`},
	{"remount of nothing", "mounts", `[{"destination":"/tmp","type":"tmpfs","source":"x","options":["remount","ro"]}]`, `mounts[0]: remount /tmp (remount,ro): mount_setattr, which needs something mounted there: invalid argument`},
	{"bind remount of nothing", "mounts", `[{"destination":"/tmp","source":"x","options":["bind","remount","ro"]}]`, `mount_setattr, which needs something mounted there`},
	{"idmap without maps", "mounts", `[{"destination":"/mnt","type":"bind","source":"/tmp","options":["bind","idmap"]}]`, `mounts[0].options: idmap needs uidMappings and gidMappings, or a user namespace whose mappings it can take`},
	{"memory limit a string", "linux.resources.memory.limit", `"64m"`, `linux.resources.memory.limit: must be a number, not a string`},
	{"memory limit tiny", "linux.resources.memory.limit", `1024`, `linux.resources.memory.limit`},
	{"swap under limit", "linux.resources.memory", `{"limit":67108864,"swap":1048576}`, `linux.resources.memory.swap: is the limit of memory and swap together: 1048576 is less than the memory limit 67108864`},
	{"cpu shares", "linux.resources.cpu.shares", `-1`, `linux.resources.cpu.shares: must be between 0 and 18446744073709551615, not -1`},
	{"cpu quota tiny", "linux.resources.cpu", `{"quota":10,"period":100000}`, `linux.resources.cpu.quota: must be 1000 microseconds or more, not 10`},
	{"cpuset", "linux.resources.cpu.cpus", `"900"`, `linux.resources.cpu.cpus: `},
	{"pids limit a string", "linux.resources.pids.limit", `"10"`, `linux.resources.pids.limit: must be a number, not a string`},
	{"hugepage size", "linux.resources.hugepageLimits", `[{"pageSize":"3MB","limit":1}]`, `linux.resources.hugepageLimits[0]: `},
	{"block device missing", "linux.resources.blockIO.throttleReadBpsDevice", `[{"major":250,"minor":250,"rate":1}]`, `linux.resources.blockIO.throttleReadBpsDevice[0]: `},
	{"unified file", "linux.resources.unified", `{"memory.nosuch":"1"}`, `linux.resources.unified["memory.nosuch"]: `},
	{"device type", "linux.devices", `[{"path":"/dev/x","type":"x","major":1,"minor":3}]`, `linux.devices[0].type: must be c, b, u or p, not "x"`},
	{"device path relative", "linux.devices", `[{"path":"dev/x","type":"c","major":1,"minor":3}]`, `linux.devices[0].path: must be an absolute path, not "dev/x"`},
	{"sysctl unknown", "linux.sysctl", `{"net.ipv4.nosuch":"1"}`, `linux.sysctl["net.ipv4.nosuch"]: set net.ipv4.nosuch to 1: openat2: no such file or directory (there is no /proc/sys/net/ipv4/nosuch in the container's namespaces)`},
	{"sysctl misspelt", "linux.sysctl", `{"net.ipv4.ip_foward":"1"}`, `(there is no /proc/sys/net/ipv4/ip_foward in the container's namespaces: did you mean "ip_forward"?)`},
	{"sysctl of the host", "linux.sysctl", `{"vm.swappiness":"1"}`, `linux.sysctl["vm.swappiness"]: is not in a separate kernel namespace: it would change the host`},
	{"sysctl value", "linux.sysctl", `{"net.ipv4.ip_forward":"cheese"}`, `linux.sysctl["net.ipv4.ip_forward"]: set net.ipv4.ip_forward to cheese: write: invalid argument`},
	{"seccomp action", "linux.seccomp", `{"defaultAction":"SCMP_ACT_CHEESE"}`, `linux.seccomp.defaultAction: unknown action "SCMP_ACT_CHEESE"`},
	{"seccomp no default", "linux.seccomp", `{"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`, `linux.seccomp.defaultAction: must be set`},
	{"seccomp arch", "linux.seccomp", `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_CHEESE"]}`, `linux.seccomp.architectures[0]: unknown architecture "SCMP_ARCH_CHEESE"`},
	{"masked path relative", "linux.maskedPaths", `["proc/kcore"]`, `linux.maskedPaths[0]: must be an absolute path, not "proc/kcore"`},
	{"mappings without namespace", "linux.uidMappings", `[{"containerID":0,"hostID":1000,"size":1}]`, `linux.uidMappings: needs a user namespace`},
	{"user namespace without mappings", "linux.namespaces", `[{"type":"mount"},{"type":"uts"},{"type":"pid"},{"type":"user"}]`, `linux.uidMappings: must not be empty for a new user namespace; linux.gidMappings: must not be empty for a new user namespace`},
	{"propagation", "linux.rootfsPropagation", `"cheese"`, `linux.rootfsPropagation: must be shared, slave, private or unbindable, not "cheese"`},
	{"cgroupsPath", "linux.cgroupsPath", `"../../x"`, ""},
	{"intelRdt", "linux.intelRdt", `{"l3CacheSchema":"L3:0=f"}`, `linux.intelRdt: `},
	{"hook missing", "hooks.createRuntime", `[{"path":"/nosuch"}]`, `hooks.createRuntime[0]: error running createRuntime hook #0: no such file or directory (/nosuch after `},
	{"hook relative", "hooks.createRuntime", `[{"path":"true"}]`, `hooks.createRuntime[0].path: must be an absolute path, not "true"`},
	{"hook fails", "hooks.createRuntime", `[{"path":"/bin/false"}]`, `hooks.createRuntime[0]: error running createRuntime hook #0: exit status 1 (/bin/false after `},
	{"hook timeout", "hooks.createRuntime", `[{"path":"/bin/true","timeout":-1}]`, `hooks.createRuntime[0].timeout: must be more than 0 seconds, not -1`},
	{"version missing", "ociVersion", ``, `ociVersion: must be set`},
	{"version 2", "ociVersion", `"2.0.0"`, `ociVersion: must be 1.x, not "2.0.0"`},
	{"version no number", "ociVersion", `"one"`, `ociVersion: must be a semantic version as in "1.2.0", not "one"`},
	{"personality", "linux.personality", `{"domain":"CHEESE"}`, `linux.personality.domain: must be LINUX or LINUX32, not "CHEESE"`},
	{"time offsets without namespace", "linux.timeOffsets", `{"monotonic":{"secs":1}}`, `linux.timeOffsets: needs a time namespace`},
	{"net device missing", "linux.netDevices", `{"nosuch0":{}}`, `linux.netDevices.nosuch0: link not found for interface nosuch0: no such device`},
	{"handler", "annotations", `{"run.oci.handler":"krun"}`, `annotations["run.oci.handler"]: "krun" is not supported: containers are run by the host's kernel alone`},
	{"vm", "vm", `{"hypervisor":{"path":"/x"}}`, `vm: ignored: a container shares the host's kernel`},
	{"annotation a number", "annotations", `{"a":1}`, `annotations.a: must be a string, not a number`},
	{"unknown key", "linux.resources.memory.limitt", `1`, `linux.resources.memory.limitt: unknown, and ignored: did you mean "limit"?`},
}

// TestWrongInputsConfig also sees to warnings, which --debug shows.
func TestWrongInputsConfig(t *testing.T) {
	for _, c := range wrongConfigs {
		t.Run(c.name, func(t *testing.T) {
			log := filepath.Join(harness.TempDir(t), "log")
			if c.place == "linux.cgroupsPath" {
				withoutSystemd(t, "the path is a unit's name there")
			}
			b := sleeper(t)
			b.SaveRaw(changed(t, b, c.place, c.value))
			if harness.Peer() != "" {
				res := b.TryCreate()
				t.Logf("exit %d: %s", res.Code, strings.ReplaceAll(res.Stderr, "\n", "; "))
				return
			}
			b.Flags = append(b.Flags, "--debug", "--log", log, "--log-format", "json")
			res := b.TryCreate()
			var said []string
			for _, l := range readLog(t, log) {
				if l.Level != "debug" {
					said = append(said, l.Msg)
				}
			}
			all := strings.Join(said, "\n")
			t.Logf("exit %d: %s", res.Code, all)
			if strings.Contains(all, "controller is not available on this host") || strings.Contains(all, "cannot use unified on cgroup v1") {
				t.Skip("there is no such cgroup controller here")
			}
			if !strings.Contains(all, c.want) || c.want == "" && len(said) > 0 {
				t.Errorf("not said: %s", c.want)
			}
		})
	}
}

// changed is config.json with another value at a place.
func changed(t *testing.T, b *harness.Bundle, place, value string) string {
	t.Helper()
	data, err := json.Marshal(b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	doc["ociVersion"] = "1.0.2" // Debian's crun knows no later one
	parts := strings.Split(place, ".")
	at := doc
	for _, p := range parts[:len(parts)-1] {
		next, ok := at[p].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[p] = next
		}
		at = next
	}
	last := parts[len(parts)-1]
	if value == "" {
		delete(at, last)
	} else {
		at[last] = json.RawMessage(value)
	}
	data, err = json.MarshalIndent(doc, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
