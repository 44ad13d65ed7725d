package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var fiveThousand = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 5000, Size: 1000}}

// mapped gives the last mount a mapping of its own.
func (b *box) mapped() {
	m := &b.Spec.Mounts[len(b.Spec.Mounts)-1]
	m.UIDMappings, m.GIDMappings = fiveThousand, fiveThousand
}

// idmapped is a directory of the host on a file system that can be idmapped.
func idmapped(t *testing.T, text string) string {
	t.Helper()
	dir := source(t, text)
	tree, err := idmappedTree(dir)
	if err != nil {
		t.Skip(err)
	}
	tree.Close()
	return dir
}

func idmappedTree(dir string) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, err
	}
	tree := os.NewFile(uintptr(fd), dir)
	maps, err := libcontainer.MappingNamespace(fiveThousand, fiveThousand)
	if err == nil {
		defer maps.Close()
		attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(maps.Fd())}
		if err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, attr); err != nil {
			err = errors.Join(errors.New("the file system of "+dir+" can't be idmapped here"), err)
		}
	}
	if err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}

// owners says whose files are.
func (b *box) owners(files ...string) string {
	b.t.Helper()
	return b.MustExec(append([]string{"stat", "-c", "%n %u:%g"}, files...)...)
}

// The owners in idmapped mounts stay what they are.
func TestIDMappedMounts(t *testing.T) {
	t.Parallel()
	ours(t)
	for _, userns := range []bool{false, true} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("user namespace %v shared %v", userns, shared), func(t *testing.T) {
				t.Parallel()
				b, files := idmappedBox(t, userns)
				if shared {
					b.share()
				}
				b.run()
				before, mounts, propagation := b.owners(files...), b.mountinfo(), b.propagation()
				if strings.Count(mounts, "idmapped") != 6 {
					t.Errorf("idmapped at first: %s", mounts)
				}
				b.again()
				sameLines(t, "owners", before, b.owners(files...))
				sameLines(t, "mountinfo", mounts, b.mountinfo())
				sameLines(t, "propagation", propagation, b.propagation())
				b.counts(1)
			})
		}
	}
}

// idmappedBox has idmapped mounts of all sorts, and files in them.
func idmappedBox(t *testing.T, userns bool) (b *box, files []string) {
	t.Helper()
	b = newBox(t)
	b.Writable()
	if err := errors.Join(os.MkdirAll(filepath.Join(b.Rootfs, "real"), 0o755), os.Symlink("real", filepath.Join(b.Rootfs, "link"))); err != nil {
		t.Fatal(err)
	}
	if userns {
		b.MapIDs(100000, 65536)
	}
	dir, deep, below := idmapped(t, "text"), idmapped(t, "deep"), idmapped(t, "below")
	sub := filepath.Join(deep, "sub")
	if err := errors.Join(os.Mkdir(sub, 0o755), unix.Mount(below, sub, "", unix.MS_BIND, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(sub, unix.MNT_DETACH) })
	// Where the container's root may not go.
	closed := filepath.Join(harness.TempDir(t), "closed")
	if err := errors.Join(os.Mkdir(closed, 0o700), os.Chown(closed, 70, 70), os.Mkdir(filepath.Join(closed, "in"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, m := range [][]string{
		{dir, "/dir", "bind", "idmap"}, {dir + "/file", "/file", "bind", "idmap", "ro"}, {closed + "/in", "/link/place", "bind", "idmap"},
		{deep, "/top", "rbind", "idmap"}, {deep, "/tree", "rbind", "ridmap"}, {deep, "/plain", "rbind"},
	} {
		b.Mount(m[0], m[1], "bind", m[2:]...)
		if !userns && len(m) > 3 {
			b.mapped()
		}
	}
	return b, []string{"/dir/file", "/file", "/link/place", "/top/file", "/top/sub/file", "/tree/file", "/tree/sub/file", "/plain/file", "/plain/sub/file"}
}

// A root file system that an engine has mounted so stays it.
func TestIDMappedRoot(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	tree, err := idmappedTree(b.Rootfs)
	if err != nil {
		t.Skip(err)
	}
	defer tree.Close()
	if err := unix.MoveMount(int(tree.Fd()), "", unix.AT_FDCWD, b.Rootfs, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.Rootfs, unix.MNT_DETACH) })
	b.run()
	before := b.owners("/bin/busybox")
	if !strings.Contains(before, "5000:5000") {
		t.Errorf("at first: %s", before)
	}
	mounts := b.mountinfo()
	b.again()
	sameLines(t, "owners", before, b.owners("/bin/busybox"))
	sameLines(t, "mountinfo", mounts, b.mountinfo())
	b.counts(1)
}

// criu knows nothing of the mapping of a mount that it makes anew itself.
func TestIDMappedInside(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t)
	b.Writable()
	dir := idmapped(t, "text")
	b.Mount(dir, "/dir", "bind", "bind")
	b.Mount(b.Rootfs+"/dir", "/again", "bind", "bind", "idmap")
	b.mapped()
	b.run()
	b.counts(1)
	refused(t, b.tryCheckpoint(), "mounts[8]", "/again", "idmapped")
	if _, err := os.Stat(b.images); err == nil {
		t.Error("the directory for the images was made")
	}
	b.goesOn()
}
