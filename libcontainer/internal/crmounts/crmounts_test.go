package crmounts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// table parses lines like those of a mountinfo, as far as they count: "ID PARENT DEV ROOT PLACE
// TYPE".
func table(t *testing.T, text string) []Mount {
	t.Helper()
	var list []Mount
	for line := range strings.Lines(strings.TrimSpace(text)) {
		var m Mount
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "%d %d %d:%d %s %s %s", &m.ID, &m.Parent, &m.Major, &m.Minor, &m.Root, &m.Place, &m.FSType); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, m)
	}
	return list
}

func bind(destination, source, option string) specs.Mount {
	return specs.Mount{Destination: destination, Source: source, Options: []string{option}}
}

const container = `
	10 1 8:1 /rootfs / ext4
	11 10 0:20 / /proc proc
	12 11 0:20 /sys /proc/sys proc
	13 10 0:21 / /dev tmpfs
	14 10 8:1 /srv/data /data ext4
	15 14 0:30 / /data/sub tmpfs
	16 14 0:31 / /data/own tmpfs
	17 10 8:1 /srv/plain /plain ext4
	18 17 0:32 / /plain/sub tmpfs
	19 10 0:22 / /sys sysfs
	20 19 0:23 / /sys/fs/cgroup tmpfs
	21 20 0:24 /c /sys/fs/cgroup/pids cgroup
	22 20 0:25 /c /sys/fs/cgroup/unified cgroup2
	23 13 0:5 /null /dev/null devtmpfs
	24 11 0:5 /null /proc/keys devtmpfs`

const host = `
	1 0 8:1 / / ext4
	2 1 0:30 / /srv/data/sub tmpfs
	3 1 0:32 / /srv/plain/sub tmpfs`

func TestDumped(t *testing.T) {
	spec := &specs.Spec{Mounts: []specs.Mount{bind("/data", "/srv/data", "rbind"), bind("/link/plain", "/srv/plain", "bind"), bind("/gone", "/srv/gone", "bind")}}
	c := &Container{
		Spec: spec, Places: map[int]int{0: 14, 1: 17}, Mounts: table(t, container), Host: table(t, host),
		Source: func(i int) string { return spec.Mounts[i].Source },
	}
	for _, tt := range []struct {
		own     bool
		devices []int
		want    string
	}{
		{true, nil, "/data /data/sub /plain"},
		{false, nil, "/data /data/sub /plain /sys/fs/cgroup/pids /sys/fs/cgroup/unified"},
		{true, []int{23}, "/data /data/sub /plain /dev/null"},
	} {
		c.OwnCgroup, c.Devices = tt.own, tt.devices
		if got := strings.Join(Dumped(c), " "); got != tt.want {
			t.Errorf("own cgroup %v, devices %v: %s, want %s", tt.own, tt.devices, got, tt.want)
		}
	}
}

func TestRestored(t *testing.T) {
	var got []string
	for _, e := range Restored([]Bind{
		{Keys: []string{"/data"}, Source: "/srv/data", Recursive: true},
		{Keys: []string{"/real/plain", "/link/plain"}, Source: "/srv/plain"},
		{Index: 2, Keys: []string{"/mapped"}, Source: "/srv/data", Recursive: true, IDMapped: true},
		{Index: 3, Keys: []string{"/tree"}, Source: "/srv/data", Recursive: true, IDMapped: true, IDMappedTree: true},
	}, table(t, host)) {
		text := e.Key + " " + e.Value
		if e.Mapped != nil {
			text += fmt.Sprint(" like ", e.Mapped.Index)
		}
		got = append(got, text)
	}
	want := []string{
		"/data /srv/data", "/data/sub /srv/data/sub", "/real/plain /srv/plain", "/link/plain /srv/plain",
		"/mapped /srv/data like 2", "/mapped/sub /srv/data/sub", "/tree /srv/data like 3", "/tree/sub /srv/data/sub like 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWidest(t *testing.T) {
	mounts := table(t, `
		1 0 8:1 / / ext4
		2 1 8:1 /srv/deep /mnt/bound ext4
		3 1 8:1 /srv/deep/more /mnt/private ext4
		4 1 8:2 / /mnt/other ext4
		5 1 8:2 /in/file /mnt/file ext4`)
	for i, group := range []string{"master:1", "master:1", "", "master:2", "master:2"} {
		mounts[i].Group = group
	}
	for _, c := range []struct {
		id              int
		place, at, rest string
	}{
		{1, "/srv/x", "/", "srv/x"},
		{1, "/", "/", ""},
		{2, "/mnt/bound", "/", "srv/deep"},
		{2, "/mnt/bound/x", "/", "srv/deep/x"},
		{3, "/mnt/private/x", "/mnt/private", "x"},
		{5, "/mnt/file", "/mnt/other", "in/file"},
		{6, "/x", "", ""},
		{2, "/elsewhere", "", ""},
	} {
		w, rel, ok := Widest(mounts, c.id, c.place)
		if w.Place != c.at || rel != c.rest || ok != (c.at != "") {
			t.Errorf("%s: %s in %s, %v, want %s in %s", c.place, rel, w.Place, ok, c.rest, c.at)
		}
	}
	mounts[1].IDMapped = true
	if w, _, _ := Widest(mounts, 2, "/mnt/bound"); w.ID != 2 {
		t.Errorf("an idmapped mount is replaced by %s", w.Place)
	}
}

// Only what comes from the host again can have its idmap again.
func TestUnmapped(t *testing.T) {
	mounts := table(t, container)
	for i := range mounts {
		mounts[i].IDMapped = slices.Contains([]string{"/", "/data", "/data/own", "/plain"}, mounts[i].Place)
	}
	var got []string
	for _, m := range Unmapped(mounts, []string{"/data", "/data/sub"}) {
		got = append(got, m.Place)
	}
	if want := []string{"/data/own", "/plain"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCovering(t *testing.T) {
	mounts := []specs.Mount{{Destination: "/dev"}, {Destination: "/data"}, {Destination: "/data/in/"}, {Destination: "/dev"}}
	for destination, want := range map[string]int{
		"/": -1, "/etc": -1, "/data/x": 1, "/data/in/x": 2, "/data/in": 2, "/dev/shm": 3, "/dev": 3, "/database": -1,
	} {
		if got := Covering(mounts, destination); got != want {
			t.Errorf("%s lies in %d, want %d", destination, got, want)
		}
	}
	for source, want := range map[string]bool{"/b/rootfs/data/x": true, "/b/rootfs/etc": false, "/b": false, "/data": false} {
		if got := FromInside("/b/rootfs", source, mounts); got != want {
			t.Errorf("%s is from inside: %v", source, got)
		}
	}
}
