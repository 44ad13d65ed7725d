package cgroups

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A container's view, without a cgroup namespace: the mount shows only its part of the tree.
const containerMounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,relatime master:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /docker/abc /mnt/with\040space ro - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/systemd rw shared:3 - cgroup systemd rw,xattr,name=systemd
35 31 0:32 /other /mnt/other rw - cgroup cgroup rw,pids
36 31 0:32 /docker /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
37 31 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
`

const containerMembership = `12:cpu,cpuacct:/docker/abc
11:memory:/docker/abc/inner
10:pids:/docker/abc
9:devices:/docker/abc
1:name=systemd:/../above
0::/docker/abc
`

func parseMounts(t *testing.T, text string) []*mountinfo.Info {
	t.Helper()
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return mounts
}

func TestLayoutFromMounts(t *testing.T) {
	got := layoutFromMounts(parseMembership(containerMembership), parseMounts(t, containerMounts))
	want := &Layout{
		V1: []Hierarchy{
			{Mount: "/sys/fs/cgroup/cpu,cpuacct", Own: "/", Controllers: []string{"cpu", "cpuacct"}},
			{Mount: "/mnt/with space", Own: "/inner", Controllers: []string{"memory"}},
			{Mount: "/sys/fs/cgroup/pids", Own: "/abc", Controllers: []string{"pids"}},
			{Mount: "/sys/fs/cgroup/systemd", Own: "/", Controllers: []string{"name=systemd"}},
		},
		V2: &Hierarchy{Mount: "/sys/fs/cgroup/unified", Own: "/docker/abc"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", got, got.V2, want, want.V2)
	}
}

// The quick look at the usual places and the thorough one agree about this machine.
func TestProbeAgreesWithMountinfo(t *testing.T) {
	quick, err := Probe()
	if err != nil {
		t.Fatal(err)
	}
	own, mounts := readText(t, "/proc/self/cgroup"), readText(t, "/proc/self/mountinfo")
	slow := layoutFromMounts(parseMembership(own), parseMounts(t, mounts))
	if slow.V2 != nil && quick.V2 != nil {
		slow.V2.Controllers = quick.V2.Controllers
	}
	if !reflect.DeepEqual(quick, slow) {
		t.Errorf("quick %+v %+v\nslow  %+v %+v", quick, quick.V2, slow, slow.V2)
	}
}

func TestLocate(t *testing.T) {
	for _, tc := range []struct{ path, v1, v2, hybrid2 string }{
		{"/docker/x", "/docker/x", "/docker/x", "/docker/x"},
		{"docker/x", "/user/shell/docker/x", "/user/docker/x", "/user/shell/docker/x"},
		{"", "/user/shell/id", "/user/id", "/user/shell/id"},
		{"/../../foo", "/foo", "/foo", "/foo"},
		{"../../foo", "/user/shell/foo", "/user/foo", "/user/shell/foo"},
		{"/a/./b/../c/", "/a/c", "/a/c", "/a/c"},
		{"system.slice:runc:id", "/user/shell/system.slice:runc:id", "/user/system.slice:runc:id", "/user/shell/system.slice:runc:id"},
	} {
		hybrid := hybridHost()
		for _, h := range []struct {
			name, want string
			host       *Layout
			which      int
		}{
			{"v1", tc.v1, v1Host(), 0},
			{"v2", tc.v2, v2Host(), 0},
			{"hybrid v1", tc.v1, hybrid, 0},
			{"hybrid v2", tc.hybrid2, hybrid, len(hybrid.V1)},
		} {
			places, err := h.host.Locate(tc.path, "id")
			if err != nil {
				t.Errorf("%s %q: %v", h.name, tc.path, err)
				continue
			}
			if got := places[h.which]; got.Rel != h.want || got.Path() != got.Tree.Mount+h.want {
				t.Errorf("%s %q: %s (%s), want %s", h.name, tc.path, got.Rel, got.Path(), h.want)
			}
		}
	}
	for _, bad := range []string{"/", "/..", "/a/..", "/a\nb", "/a\x00"} {
		if _, err := v1Host().Locate(bad, "id"); err == nil || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: ") {
			t.Errorf("Locate(%q): %v", bad, err)
		}
	}
	if places, err := (&Layout{}).Locate("/x", "id"); err != nil || len(places) > 0 {
		t.Errorf("without cgroups: %v, %v", places, err)
	}
}

func TestPathsSurviveTheStateFile(t *testing.T) {
	paths := map[string]string{
		"cpu": "/c/x", "cpuacct": "/c/x", "memory": "/m/x", "name=systemd": "/s/x", "": "/u/x",
	}
	cg, err := Open(paths)
	if err != nil {
		t.Fatal(err)
	}
	if got := cg.Paths(); !reflect.DeepEqual(got, paths) {
		t.Errorf("got %v, want %v", got, paths)
	}
	if len(cg.nodes) != 4 || cg.Unified() {
		t.Errorf("nodes %+v", cg.nodes)
	}
	for _, bad := range []string{"x", "/a/../b", "", "/a/"} {
		if _, err := Open(map[string]string{"memory": bad}); err == nil {
			t.Errorf("Open took the path %q", bad)
		}
	}
}

// The methods of an empty Cgroup do nothing, and it says why it is empty.
func TestEmptyCgroup(t *testing.T) {
	opened, err := Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cg := range []*Cgroup{Disabled("switched off"), opened} {
		if cg.none == "" || cg.Exists() || len(cg.Paths()) > 0 || cg.Unified() {
			t.Errorf("%+v", cg)
		}
		in, err := cg.Enter()
		if err != nil || len(in.Tasks) > 0 || in.Dir != nil {
			t.Errorf("Enter: %+v, %v", in, err)
		}
		pids, err := cg.Pids()
		if err != nil || len(pids) > 0 {
			t.Errorf("Pids: %v, %v", pids, err)
		}
		if frozen, err := cg.Frozen(); frozen || err != nil {
			t.Errorf("Frozen: %v, %v", frozen, err)
		}
		if empty, err := cg.Wait(0); !empty || err != nil {
			t.Errorf("Wait: %v, %v", empty, err)
		}
		for name, err := range map[string]error{
			"KillAll": cg.KillAll(), "Remove": cg.Remove(0), "Join": cg.Join(1), "Finish": cg.Finish(), "apply": apply(cg, &Settings{}),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := cg.Freeze(); err != ErrNoFreezer {
			t.Errorf("Freeze: %v", err)
		}
		set, err := CompileUpdate(parseResources(t, `{"memory":{"limit":1}}`), v1Host())
		if err != nil {
			t.Fatal(err)
		}
		if err := apply(cg, set); err == nil || !strings.Contains(err.Error(), cg.none) {
			t.Errorf("a limit without a cgroup: %v", err)
		}
	}
}

func TestOwnerWanted(t *testing.T) {
	const mounted, private = `{"source":"cgroup","destination":"/sys/fs/cgroup/","options":["rw"]}`, `{"type":"cgroup"}`
	for _, tc := range []struct {
		mounts, namespaces string
		want               bool
	}{
		{mounted, private, true},
		{mounted, `{"type":"cgroup","path":"/proc/1/ns/cgroup"}`, false},
		{mounted, `{"type":"pid"}`, false},
		{strings.Replace(mounted, "rw", "ro", 1), private, false},
		{strings.Replace(mounted, `"cgroup"`, `"other"`, 1), private, false},
		{strings.Replace(mounted, "/sys/fs", "/mnt", 1), private, false},
	} {
		spec := parseSpec(t, `{"mounts":[`+tc.mounts+`],"linux":{"namespaces":[`+tc.namespaces+`]}}`)
		if got := OwnerWanted(spec); got != tc.want {
			t.Errorf("%s %s: %v", tc.mounts, tc.namespaces, got)
		}
	}
	if OwnerWanted(parseSpec(t, `{}`)) {
		t.Error("wanted without a linux section")
	}
}

func apply(c *Cgroup, s *Settings) error {
	a := applier{c: c}
	return a.apply(s)
}

// openat2 keeps a name with ".." inside of the cgroup, whoever let it through.
func TestWritesStayInside(t *testing.T) {
	cg := create(t, v2Only(t), nil)
	set := &Settings{Writes: []Write{{V2: true, File: "../cgroup.max.depth", Value: "7", From: "test"}}}
	if err := apply(cg, set); !errors.Is(err, unix.EXDEV) {
		t.Errorf("a write outside of the cgroup: %v", err)
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parseSpec(t *testing.T, text string) *specs.Spec {
	t.Helper()
	spec := &specs.Spec{}
	if err := json.Unmarshal([]byte(text), spec); err != nil {
		t.Fatal(err)
	}
	return spec
}
