package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"golang.org/x/sys/unix"
)

// source makes a directory of the host with a file in it.
func source(t *testing.T, text string) string {
	t.Helper()
	dir := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mountTmpfs mounts one on the host, with a file in it.
func mountTmpfs(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// bound is a box with all sorts of bind mounts, and what the files in them say.
func bound(t *testing.T) (*box, map[string]string) {
	t.Helper()
	b := newBox(t)
	deep := source(t, "deep")
	mountTmpfs(t, filepath.Join(deep, "sub"), "below")
	if err := os.MkdirAll(filepath.Join(b.Rootfs, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(b.Rootfs, "link")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(source(t, "single"), "file")
	b.Writable()
	b.Mount(source(t, "plain"), "/plain", "bind", "bind", "rw")
	b.Mount(source(t, "nested"), "/plain/in/side", "bind", "bind", "ro")
	b.Mount(deep, "/deep", "bind", "rbind", "rw")
	alias := filepath.Join(harness.TempDir(t), "alias")
	if err := os.Symlink(deep, alias); err != nil {
		t.Fatal(err)
	}
	b.Mount(alias, "/alias", "bind", "rbind")
	b.Mount(source(t, "linked"), "/link/place", "bind", "rbind", "ro")
	b.Mount(file, "/etc/single", "bind", "bind", "ro", "nosuid")
	b.Mount("tmpfs", "/scratch", "tmpfs")
	b.Mount(source(t, "on tmpfs"), "/scratch/place", "bind", "bind")
	return b, map[string]string{
		"/plain/file": "plain", "/plain/in/side/file": "nested", "/deep/file": "deep", "/deep/sub/file": "below", "/alias/sub/file": "below",
		"/real/place/file": "linked", "/etc/single": "single", "/scratch/place/file": "on tmpfs",
	}
}

func (b *box) holds(files map[string]string) {
	b.t.Helper()
	for name, want := range files {
		if res := b.Exec("cat", name); res.Stdout != want {
			b.t.Errorf("%s holds %q: %s", name, res.Stdout, res.Message())
		}
	}
}

// 7
func TestBindMounts(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprint("shared ", shared), func(t *testing.T) {
			t.Parallel()
			b, files := bound(t)
			if shared {
				b.share()
			}
			b.run()
			b.holds(files)
			b.MustExec("sh", "-c", "echo kept >/scratch/mine")
			before, propagation := b.mountinfo(), b.propagation()
			b.again()
			sameLines(t, "mountinfo", before, b.mountinfo())
			sameLines(t, "propagation", propagation, b.propagation())
			b.holds(files)
			b.MustExec("touch", "/deep/sub/new") // one and the same file system still
			b.MustExec("ls", "/alias/sub/new")
			if got := b.MustExec("cat", "/scratch/mine"); got != "kept" {
				t.Errorf("the tmpfs has lost its file: %q", got)
			}
			b.counts(1)
		})
	}
}

// 7
func TestMountPointsGone(t *testing.T) {
	t.Parallel()
	b, files := bound(t)
	b.run()
	b.checkpoint()
	for _, p := range []string{"plain", "deep", "real/place", "etc/single"} {
		if err := os.RemoveAll(filepath.Join(b.Rootfs, p)); err != nil {
			t.Fatal(err)
		}
	}
	b.restore()
	b.holds(files)
}

// 8
func TestFreshRoot(t *testing.T) {
	t.Parallel()
	b, files := bound(t)
	b.run()
	before := b.mountinfo()
	b.checkpoint()
	if err := os.RemoveAll(b.Rootfs); err != nil {
		t.Fatal(err)
	}
	harness.Busybox(t, b.Rootfs)
	for _, dir := range []string{"proc", "sys", "dev", "tmp"} {
		_ = os.Remove(filepath.Join(b.Rootfs, dir))
	}
	if err := os.Symlink("real", filepath.Join(b.Rootfs, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(b.Rootfs, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.restore()
	b.holds(files)
	sameLines(t, "mountinfo", before, b.mountinfo())
}

// 9
func TestReadOnlyAndMasked(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.File("secret/file", "secret", 0o644).File("hidden", "hidden", 0o644)
	b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/secret", "/hidden")
	b.run()
	look := func() string {
		return b.MustExec("sh", "-c", `touch /x; ls /secret; cat /hidden /proc/keys; touch /secret/y; echo 1 >/proc/sys/kernel/domainname; grep -c . /proc/self/mountinfo; ls /`)
	}
	before, mounts := look(), b.mountinfo()
	b.again()
	if after := look(); after != before || strings.Contains(after, "secret file") {
		t.Errorf("before: %q\nafter: %q", before, after)
	}
	sameLines(t, "mountinfo", mounts, b.mountinfo())
	if _, err := os.Stat(filepath.Join(b.Rootfs, "x")); err == nil {
		t.Error("the root file system is writable")
	}
}

// 9: a root file system without /tmp has none afterwards, either.
func TestReadOnlyWithoutTmp(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	_ = os.Remove(filepath.Join(b.Rootfs, "tmp"))
	b.run()
	b.again()
	b.counts(1)
	if _, err := os.Stat(filepath.Join(b.Rootfs, "tmp")); err == nil {
		t.Error("/tmp has been left in the root file system")
	}
}
