package check

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/specconv/internal/configs"
	"github.com/ociruntime/ociruntime/specconv/load"
	"github.com/ociruntime/ociruntime/specconv/problem"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckAcceptsWhatEnginesSend(t *testing.T) {
	for name, data := range configs.Valid() {
		spec, _, err := load.Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		opts := Options{Rootless: name == "podman-rootless.json"}
		if spec.Linux != nil {
			opts.SystemdCgroup = strings.Contains(spec.Linux.CgroupsPath, ".slice:")
		}
		warnings, err := Spec(spec, opts)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, warnings %v", name, err, warnings)
		}
	}
}

// checkTest is a change to a good configuration and what Check then says:
// problems, or warnings after "warning: ".
type checkTest struct {
	name   string
	change func(*specs.Spec)
	want   string
}

// runCheckTests starts each test from the example with all namespaces but
// user.
func runCheckTests(t *testing.T, opts Options, tests []checkTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := exampleSpec(t)
			spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			tt.change(spec)
			warnings, err := Spec(spec, opts)
			got := ""
			if err != nil {
				got = err.Error()
				if problems, ok := errors.AsType[problem.Problems](err); !ok || len(problems) == 0 {
					t.Errorf("the error is no Problems: %T", err)
				}
			}
			if len(warnings) > 0 {
				got += "warning: " + problem.Problems(warnings).Error()
			}
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func addUserNamespace(s *specs.Spec) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 99}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 99}}
}

func dropNamespace(s *specs.Spec, drop specs.LinuxNamespaceType) {
	var kept []specs.LinuxNamespace
	for _, ns := range s.Linux.Namespaces {
		if ns.Type != drop {
			kept = append(kept, ns)
		}
	}
	s.Linux.Namespaces = kept
}

func TestCheckVersionAndRoot(t *testing.T) {
	version := func(v string) func(*specs.Spec) { return func(s *specs.Spec) { s.Version = v } }
	bad := func(v string) string { return `ociVersion: must be a semantic version as in "1.2.0", not "` + v + `"` }
	runCheckTests(t, Options{}, []checkTest{
		{"missing", version(""), "ociVersion: must be set"},
		{"word", version("banana"), bad("banana")},
		{"two numbers", version("1.0"), bad("1.0")},
		{"four numbers", version("1.0.0.0"), bad("1.0.0.0")},
		{"leading v", version("v1.0.0"), bad("v1.0.0")},
		{"leading zero", version("1.02.0"), bad("1.02.0")},
		{"empty number", version("1..0"), bad("1..0")},
		{"minus", version("1.-2.0"), bad("1.-2.0")},
		{"empty pre-release", version("1.0.0-"), bad("1.0.0-")},
		{"empty build", version("1.0.0+"), bad("1.0.0+")},
		{"pre-release with zero", version("1.0.0-rc.01"), bad("1.0.0-rc.01")},
		{"odd sign", version("1.0.0-a_b"), bad("1.0.0-a_b")},
		{"major 2", version("2.0.0"), `ociVersion: must be 1.x, not "2.0.0"`},
		{"major 0", version("0.5.0-dev"), `ociVersion: must be 1.x, not "0.5.0-dev"`},
		{"major 10", version("10.0.0"), `ociVersion: must be 1.x, not "10.0.0"`},
		{"release candidate", version("1.0.0-rc5-dev"), ""},
		{"newer than us", version("1.99.0"), ""},
		{"all of it", version("1.0.2-rc.1.x-y+build.007-b"), ""},

		{"no root", func(s *specs.Spec) { s.Root = nil }, "root: must be set"},
		{"root without path", func(s *specs.Spec) { s.Root.Path = "" }, "root.path: must not be empty"},
		{"zero byte", func(s *specs.Spec) { s.Root.Path = "a\x00" }, "root.path: must not contain a zero byte"},
		{"all at once", func(s *specs.Spec) { s.Version, s.Root = "", nil; s.Process.Args = nil },
			"ociVersion: must be set; process.args: must not be empty; root: must be set"},
		{"no linux section", func(s *specs.Spec) { s.Linux, s.Hostname = nil, "" }, ""},
	})
}

func TestCheckNames(t *testing.T) {
	runCheckTests(t, Options{}, []checkTest{
		{"hostname without namespace", func(s *specs.Spec) { dropNamespace(s, specs.UTSNamespace) },
			"hostname: needs a uts namespace: without one it would change the host"},
		{"hostname without linux section", func(s *specs.Spec) { s.Linux = nil },
			"hostname: needs a uts namespace: without one it would change the host"},
		{"domainname without namespace", func(s *specs.Spec) { dropNamespace(s, specs.UTSNamespace); s.Hostname, s.Domainname = "", "d" },
			"domainname: needs a uts namespace: without one it would change the host"},
		{"hostname in a joined namespace", func(s *specs.Spec) { s.Linux.Namespaces[3].Path = "/proc/1/ns/uts" }, ""},
		{"hostname too long", func(s *specs.Spec) { s.Hostname = strings.Repeat("h", 65) },
			`hostname: must not be longer than 64 bytes: "` + strings.Repeat("h", 65) + `"`},
		{"zero byte", func(s *specs.Spec) { s.Domainname = "\x00" }, "domainname: must not contain a zero byte"},

		{"empty annotation", func(s *specs.Spec) { s.Annotations = map[string]string{"": "v"} }, `annotations[""]: a key must not be empty`},
		{"systemd property", func(s *specs.Spec) { s.Annotations = map[string]string{"org.systemd.property.CPU1": "v"} },
			`annotations["org.systemd.property.CPU1"]: "CPU1" is not the name of a systemd property: three or more letters`},
		{"short systemd property", func(s *specs.Spec) { s.Annotations = map[string]string{"org.systemd.property.Of": "v"} },
			`annotations["org.systemd.property.Of"]: "Of" is not the name of a systemd property: three or more letters`},
		{"any other annotation", func(s *specs.Spec) {
			s.Annotations = map[string]string{"bundle": "/x", "a=b": "c", "org.opencontainers.new": "", "org.systemd.property.CollectMode": "'x'"}
		}, ""},
	})
}

func TestCheckHooks(t *testing.T) {
	hook := func(h specs.Hook) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/ok"}, h}} }
	}
	runCheckTests(t, Options{}, []checkTest{
		{"relative", hook(specs.Hook{Path: "bin/hook"}), `hooks.startContainer[1].path: must be an absolute path, not "bin/hook"`},
		{"empty", hook(specs.Hook{}), `hooks.startContainer[1].path: must not be empty`},
		{"timeout 0", hook(specs.Hook{Path: "/h", Timeout: new(0)}), `hooks.startContainer[1].timeout: must be more than 0 seconds, not 0`},
		{"timeout -1", hook(specs.Hook{Path: "/h", Timeout: new(-1)}), `hooks.startContainer[1].timeout: must be more than 0 seconds, not -1`},
		{"zero bytes", hook(specs.Hook{Path: "/h\x00", Args: []string{"\x00"}, Env: []string{"", "\x00"}}),
			"hooks.startContainer[1].path: must not contain a zero byte; hooks.startContainer[1].args[0]: must not contain a zero byte; " +
				"hooks.startContainer[1].env[1]: must not contain a zero byte"},
		{"every kind", func(s *specs.Spec) {
			bad := []specs.Hook{{Path: "h"}}
			s.Hooks = &specs.Hooks{Prestart: bad, CreateRuntime: bad, CreateContainer: bad, StartContainer: bad, Poststart: bad, Poststop: bad}
		}, `hooks.prestart[0].path: must be an absolute path, not "h"; hooks.createRuntime[0].path: must be an absolute path, not "h"; ` +
			`hooks.createContainer[0].path: must be an absolute path, not "h"; hooks.startContainer[0].path: must be an absolute path, not "h"; ` +
			`hooks.poststart[0].path: must be an absolute path, not "h"; hooks.poststop[0].path: must be an absolute path, not "h"`},
	})
}

func TestCheckOtherSections(t *testing.T) {
	rdt := func(r specs.LinuxIntelRdt) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.IntelRdt = &r } }
	policy := func(mode specs.MemoryPolicyModeType, nodes string, flags ...specs.MemoryPolicyFlagType) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: mode, Nodes: nodes, Flags: flags}
		}
	}
	runCheckTests(t, Options{}, []checkTest{
		{"closID with a slash", rdt(specs.LinuxIntelRdt{ClosID: "a/b"}), `linux.intelRdt.closID: must be / or the name of one directory, not "a/b"`},
		{"closID up", rdt(specs.LinuxIntelRdt{ClosID: ".."}), `linux.intelRdt.closID: must be / or the name of one directory, not ".."`},
		{"closID root", rdt(specs.LinuxIntelRdt{ClosID: "/"}), ""},
		{"L3", rdt(specs.LinuxIntelRdt{L3CacheSchema: "0=f"}), `warning: linux.intelRdt.l3CacheSchema: should be one line that begins with L3: "0=f"`},
		{"MB", rdt(specs.LinuxIntelRdt{MemBwSchema: "0=20"}), `linux.intelRdt.memBwSchema: must be one line that begins with MB: "0=20"`},
		{"MB with a line break", rdt(specs.LinuxIntelRdt{MemBwSchema: "MB:0=20\nL3:0=f"}),
			`linux.intelRdt.memBwSchema: must be one line that begins with MB: "MB:0=20\nL3:0=f"`},
		{"schemata", rdt(specs.LinuxIntelRdt{Schemata: []string{"L2:0=1", "a\nb"}}), `linux.intelRdt.schemata[1]: must be one line: "a\nb"`},

		{"no mode", policy("", ""), `linux.memoryPolicy.mode: unknown memory policy ""`},
		{"unknown mode", policy("MPOL_NONE", "0"), `linux.memoryPolicy.mode: unknown memory policy "MPOL_NONE"`},
		{"needless nodes", policy(specs.MpolLocal, "0"), `linux.memoryPolicy.nodes: must be empty for MPOL_LOCAL, not "0"`},
		{"no nodes", policy(specs.MpolBind, ""), `linux.memoryPolicy.nodes: must not be empty for MPOL_BIND`},
		{"preferred without nodes", policy(specs.MpolPreferred, ""), ""},
		{"bad nodes", policy(specs.MpolBind, "0-"), `linux.memoryPolicy.nodes: must be a list of numbers and ranges as in "0-3,7": "0-"`},
		{"unknown flag", policy(specs.MpolBind, "0", "MPOL_F_X"), `linux.memoryPolicy.flags[0]: unknown memory policy flag "MPOL_F_X"`},
		{"static and relative", policy(specs.MpolBind, "0", specs.MpolFStaticNodes, specs.MpolFRelativeNodes),
			`linux.memoryPolicy.flags: must not have both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES`},

		{"no personality", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{} },
			`linux.personality.domain: must be LINUX or LINUX32, not ""`},
		{"personality flags", func(s *specs.Spec) {
			s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux, Flags: []specs.LinuxPersonalityFlag{"ADDR_NO_RANDOMIZE"}}
		}, `linux.personality.flags: must be empty: no flags are supported`},

		{"propagation", func(s *specs.Spec) { s.Linux.RootfsPropagation = "nosuid" },
			`linux.rootfsPropagation: must be shared, slave, private or unbindable, not "nosuid"`},
		{"recursive propagation", func(s *specs.Spec) { s.Linux.RootfsPropagation = "rprivate" }, ""},
		{"relative masked path", func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/proc/acpi", "proc/kcore"} },
			`linux.maskedPaths[1]: must be an absolute path, not "proc/kcore"`},
		{"relative read-only path", func(s *specs.Spec) { s.Linux.ReadonlyPaths = []string{""} }, `linux.readonlyPaths[0]: must not be empty`},
		{"paths without mount namespace", func(s *specs.Spec) { dropNamespace(s, specs.MountNamespace) },
			`linux.maskedPaths: needs a mount namespace: without one the host's own "/proc/acpi" would change; ` +
				`linux.readonlyPaths: needs a mount namespace: without one the host's own "/proc/bus" would change`},
		{"label", func(s *specs.Spec) { s.Linux.MountLabel = "\x00" }, "linux.mountLabel: must not contain a zero byte"},
	})
	runCheckTests(t, Options{NoPivot: true}, []checkTest{
		{"private without pivot_root", func(s *specs.Spec) { s.Linux.RootfsPropagation = "rprivate" },
			`linux.rootfsPropagation: rprivate can't be had without pivot_root`},
		{"slave without pivot_root", func(s *specs.Spec) { s.Linux.RootfsPropagation = "slave" }, ""},
	})
}

// TestCheckSaysItInOneLine: engines read the error as one line, whatever the
// configuration has in it.
func TestCheckSaysItInOneLine(t *testing.T) {
	for _, text := range []string{"a\nb", "/a\nb", "/proc/a\nb", "\x00\n", "", "=\n", "c", "idmap=\n", "uid=5\n", "kernel.\n"} {
		spec := &specs.Spec{}
		configs.Fill(reflect.ValueOf(spec).Elem(), text, func(string) {})
		warnings, err := Spec(spec, Options{Rootless: true, SystemdCgroup: true})
		if err == nil {
			t.Errorf("%q: accepted", text)
			continue
		}
		if all := err.Error() + problem.Problems(warnings).Error(); strings.ContainsAny(all, "\n\x00") {
			t.Errorf("%q: more than a line: %q", text, all)
		}
	}
}

// exampleSpec is what the spec command writes on a host with cgroup v2.
func exampleSpec(t *testing.T) *specs.Spec {
	t.Helper()
	text, err := os.ReadFile("../testdata/example-cgroup2.json")
	if err != nil {
		t.Fatal(err)
	}
	spec, _, err := load.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
