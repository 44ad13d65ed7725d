package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/specconv/check"
)

// written is what spec writes with these flags. It has to be valid.
func written(t *testing.T, flags ...string) *specs.Spec {
	t.Helper()
	dir := t.TempDir()
	if r := program(t, nil, append([]string{"spec", "--bundle", dir}, flags...)...); r.code != 0 || r.stderr != "" {
		t.Fatalf("%q: %+v", flags, r)
	}
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(data, spec); err != nil {
		t.Fatal(err)
	}
	if warnings, err := check.Spec(spec, check.Options{}); err != nil || len(warnings) > 0 {
		t.Errorf("%q is not valid: %v, warnings %v", flags, err, warnings)
	}
	return spec
}

func TestSpecFlags(t *testing.T) {
	plain := written(t)
	for _, c := range []struct {
		flags string // words
		want  func(*specs.Spec)
	}{
		{"--arg sh --arg -c --arg a,b", func(s *specs.Spec) { s.Process.Args = []string{"sh", "-c", "a,b"} }},
		{"--env A=b --env TERM=dumb --env C=", func(s *specs.Spec) { s.Process.Env = []string{plain.Process.Env[0], "TERM=dumb", "A=b", "C="} }},
		{"--no-terminal --rw --hostname x", func(s *specs.Spec) { s.Process.Terminal, s.Root.Readonly, s.Hostname = false, false, "x" }},
		{"--cap none", func(s *specs.Spec) { setCaps(s, []string{}) }},
		{"--cap CAP_KILL,sys_chroot --cap kill", func(s *specs.Spec) { setCaps(s, []string{"CAP_KILL", "CAP_SYS_CHROOT"}) }},
		{"--memory 64m", func(s *specs.Spec) { s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: ptr(int64(64 << 20))} }},
		{"--cpus 0.3", func(s *specs.Spec) {
			s.Linux.Resources.CPU = &specs.LinuxCPU{Quota: ptr(int64(30000)), Period: ptr(uint64(100000))}
		}},
		{"--mount /:/proc/ --mount /a:/b:ro,noexec", func(s *specs.Spec) {
			s.Mounts[0] = specs.Mount{Destination: "/proc", Type: "none", Source: "/", Options: []string{"rbind"}}
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/b", Type: "none", Source: "/a", Options: []string{"rbind", "ro", "noexec"}})
		}},
		{"--net-device a --net-device b:c", func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"a": {}, "b": {Name: "c"}} }},
		{"--namespaces mnt,uts,time --time-offset boottime=-5", func(s *specs.Spec) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "mount"}, {Type: "uts"}, {Type: "time"}}
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: -5}}
		}},
		{"--namespaces=", func(s *specs.Spec) {
			s.Linux.Namespaces, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths, s.Mounts = nil, nil, nil, nil
			s.Root.Readonly, s.Hostname = false, ""
		}},
	} {
		want := written(t)
		c.want(want)
		if got := written(t, strings.Fields(c.flags)...); !reflect.DeepEqual(got, want) {
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(want)
			t.Errorf("%s: got\n%s\nwant\n%s", c.flags, g, w)
		}
	}
	if got := written(t, "--cap", "all").Process.Capabilities.Bounding; len(got) != 41 {
		t.Errorf("all capabilities are %d", len(got))
	}
}

func setCaps(s *specs.Spec, caps []string) {
	if len(caps) == 0 {
		caps = nil
	}
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Permitted: caps, Effective: caps}
}

func ptr[T any](v T) *T { return &v }

func TestSpecUserNamespace(t *testing.T) {
	for _, flags := range [][]string{
		{"--rootless"},
		{"--namespaces", "user,mount", "--id-map", "0:100000:65536"},
		{"--rootless", "--namespaces", "user,mount,uts,pid,ipc,network", "--memory", "1g", "--id-map", "0:100000:65536"},
	} {
		spec := written(t, flags...)
		want := specs.LinuxIDMapping{HostID: uint32(os.Geteuid()), Size: 1}
		if len(flags) > 1 {
			want = specs.LinuxIDMapping{HostID: 100000, Size: 65536}
		}
		if maps := spec.Linux.UIDMappings; len(maps) != 1 || maps[0] != want {
			t.Errorf("%q: uidMappings %+v, want %+v", flags, maps, want)
		}
	}
}

func TestSpecWithoutBundle(t *testing.T) {
	r := program(t, nil, "spec", "--bundle", filepath.Join(t.TempDir(), "none"))
	if r.code != 1 || !strings.Contains(r.stderr, `msg="--bundle: `) || !strings.Contains(r.stderr, "no such file or directory") {
		t.Errorf("%+v", r)
	}
}

func TestSpecRefusesValues(t *testing.T) {
	for flags, want := range map[string]string{
		"--env A":                            `--env "A": not NAME=VALUE`,
		"--cap KILL,LION":                    `--cap "KILL,LION": "LION" is not a capability: all, none, or a name of capabilities(7)`,
		"--namespaces pid,net,moon":          `--namespaces "pid,net,moon": "moon" is not a kind of namespace: user, mount, pid, network, ipc, uts, cgroup, time`,
		"--namespaces pid,pid":               `--namespaces "pid,pid": "pid" stands there twice`,
		"--memory much":                      `--memory "much": not a size as in 65536, 100m or 1.5g`,
		"--memory -1":                        `--memory "-1": not a size`,
		"--cpus 0":                           `--cpus "0": not a number of CPUs as in 0.5 or 2, and at least 0.01`,
		"--cpus NaN":                         `--cpus "NaN": not a number of CPUs`,
		"--hostname=":                        `--hostname "": a hostname has 1 to 64 bytes`,
		"--id-map 0:1":                       `--id-map "0:1": not ID:HOST-ID:COUNT as in 0:100000:65536`,
		"--id-map 0:1:0":                     `--id-map "0:1:0": not ID:HOST-ID:COUNT`,
		"--id-map 0:1:1":                     `--id-map: needs a user namespace: add user to --namespaces`,
		"--mount /a":                         `--mount "/a": not FROM:TO[:OPTIONS] as in /data:/mnt:ro, with an absolute TO`,
		"--mount /a:b":                       `--mount "/a:b": not FROM:TO[:OPTIONS]`,
		"--net-device a:":                    `--net-device "a:": not DEVICE[:NEW-NAME] as in veth1:eth0`,
		"--time-offset realtime=1":           `--time-offset "realtime=1": not CLOCK=SECONDS as in boottime=86400`,
		"--time-offset boottime=1":           `--time-offset: needs a time namespace: add time to --namespaces`,
		"--namespaces pid --hostname x":      `--hostname: needs a uts namespace: add uts to --namespaces`,
		"--namespaces pid --mount /a:/b":     `--mount: needs a mount namespace: add mount to --namespaces`,
		"--namespaces pid --net-device eth0": `--net-device: needs a network namespace: add network to --namespaces`,
		"--namespaces pid --rootless":        `--rootless: needs a user namespace: add user to --namespaces`,
	} {
		dir := t.TempDir()
		r := program(t, nil, append([]string{"spec", "--bundle", dir}, strings.Fields(flags)...)...)
		said := strings.ReplaceAll(r.stderr, `\"`, `"`)
		if r.code != 1 || !strings.Contains(said, `msg="`+want) {
			t.Errorf("%s: %+v", flags, r)
		}
		if files, _ := os.ReadDir(dir); len(files) != 0 {
			t.Errorf("%s: left %v", flags, files)
		}
	}
}
