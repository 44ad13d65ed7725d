package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/types"
)

func TestSplitLayers(t *testing.T) {
	if got := splitLayers(`/a:/b\:c:/d\\`); !slices.Equal(got, []string{"/a", "/b:c", `/d\`}) {
		t.Errorf("%q", got)
	}
}

// layers makes many directories with a file each, and what of containerd mounts them.
func layers(t *testing.T, count int) *types.Mount {
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
	return &types.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + strings.Join(lower, ":")}}
}

func TestMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	const many = 100 // more than fit into a page of mount(2)'s options
	dir := filepath.Join(t.TempDir(), "rootfs")
	t.Cleanup(func() { _ = Unmount(dir) })
	overlay := layers(t, many)
	if err := Mount([]*types.Mount{overlay}, dir); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != many {
		t.Errorf("%d files of %d layers", len(files), many)
	}
	bind := &types.Mount{Type: "bind", Source: t.TempDir(), Options: []string{"rbind", "ro"}}
	if err := Mount([]*types.Mount{bind}, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err == nil {
		t.Error("a mount with option ro can be written to")
	}
	if err := Unmount(dir); err != nil {
		t.Fatal(err)
	}
	broken := &types.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=/no/such"}}
	if err := Mount([]*types.Mount{bind, broken}, dir); err == nil {
		t.Error("a layer that is missing: no error")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounts are left at %s (%v)", dir, err)
	}
}
