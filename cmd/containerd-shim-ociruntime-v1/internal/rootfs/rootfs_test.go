package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/libcontainer"
)

func TestSplitLayers(t *testing.T) {
	if got := splitLayers(`/a:/b\:c:/d\\`); !slices.Equal(got, []string{"/a", "/b:c", `/d\`}) {
		t.Errorf("%q", got)
	}
}

// layers makes many directories with a file each, and what of containerd mounts them.
func layers(t *testing.T, count int) *api.Mount {
	t.Helper()
	top := t.TempDir()
	var lower []string
	for i := range count {
		dir := filepath.Join(top, fmt.Sprintf("a-layer-with-a-name-as-long-as-those-of-containerd-are-%d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		lower = append(lower, dir)
	}
	return &api.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + strings.Join(lower, ":")}}
}

func TestMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	const many = 100 // more than fit into a page of mount(2)'s options
	dir := filepath.Join(t.TempDir(), "rootfs")
	t.Cleanup(func() { _ = Unmount(dir) })
	overlay := layers(t, many)
	if err := Mount([]*api.Mount{overlay}, dir, nil); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != many {
		t.Errorf("%d files of %d layers", len(files), many)
	}
	bind := &api.Mount{Type: "bind", Source: t.TempDir(), Options: []string{"rbind", "ro"}}
	if err := Mount([]*api.Mount{bind}, dir, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err == nil {
		t.Error("a mount with option ro can be written to")
	}
	if err := Unmount(dir); err != nil {
		t.Fatal(err)
	}
	broken := &api.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=/no/such"}}
	if err := Mount([]*api.Mount{bind, broken}, dir, nil); err == nil {
		t.Error("a layer that is missing: no error")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounts are left at %s (%v)", dir, err)
	}
}

// What containerd asks for in a pod with a user namespace: the layers' owners are mapped, those of
// new files are not.
func TestMountMapped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := filepath.Join(t.TempDir(), "rootfs")
	t.Cleanup(func() { _ = Unmount(dir) })
	const count, first = 3, 100000
	overlay := layers(t, count)
	upper, work := t.TempDir(), t.TempDir()
	if err := os.Chown(upper, first, first); err != nil {
		t.Fatal(err)
	}
	maps := []string{"uidmap=0:100000:1000,1000:200000:10", "gidmap=0:100000:65536"}
	overlay.Options = append(overlay.Options, "upperdir="+upper, "workdir="+work)
	overlay.Options = append(overlay.Options, maps...)
	switch err := Mount([]*api.Mount{overlay}, dir, libcontainer.MappingNamespace); {
	case errors.Is(err, unix.EINVAL):
		t.Skipf("the file system of %s can't be idmapped: %v", upper, err)
	case err != nil:
		t.Fatal(err)
	}
	for i := range count {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, fmt.Sprint(i)), &st); err != nil || st.Uid != first || st.Gid != first {
			t.Errorf("the file of layer %d is %d:%d's, %v", i, st.Uid, st.Gid, err)
		}
	}
	if n := mountsAt(t, dir); n != 1 {
		t.Errorf("there are %d mounts", n)
	}
	if err := Unmount(dir); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]string{maps[:1], {"uidmap=0:1", "gidmap=0:1:1"}, {"uidmap=0:-1:1", "gidmap=0:1:1"}} {
		overlay := layers(t, 1)
		overlay.Options = append(overlay.Options, bad...)
		if err := Mount([]*api.Mount{overlay}, dir, libcontainer.MappingNamespace); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	overlay = layers(t, count)
	overlay.Options = append(overlay.Options, "nosuchoption")
	overlay.Options = append(overlay.Options, maps...)
	err := Mount([]*api.Mount{overlay}, dir, libcontainer.MappingNamespace)
	if err == nil || !strings.Contains(err.Error(), "nosuchoption") || strings.Contains(err.Error(), "\n") {
		t.Errorf("an option that the kernel does not know: %v", err)
	}
	if n := mountsAt(t, dir); n != 0 {
		t.Errorf("%d mounts are left", n)
	}
}

func mountsAt(t *testing.T, dir string) int {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(mounts), " "+dir+" ")
}
