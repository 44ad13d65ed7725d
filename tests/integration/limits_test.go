package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// Limits of the kernel's and of our own that a configuration may come across.

// escapeLayer is how a directory is written in overlay's list of them.
var escapeLayer = strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`)

// layersFor makes n directories, each with a file of its number. Their names take some bytes, and each of overlay's special characters.
func layersFor(t *testing.T, n, long int) []string {
	t.Helper()
	dir := harness.TempDir(t)
	var layers []string
	for i := range n {
		l := filepath.Join(dir, fmt.Sprintf(`layer%d-a:b,c\d-%s`, i, strings.Repeat("x", long)))
		if err := os.MkdirAll(l, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(l, fmt.Sprint("file", i)), []byte(fmt.Sprintln(i)), 0o644); err != nil {
			t.Fatal(err)
		}
		layers = append(layers, escapeLayer.Replace(l))
	}
	return layers
}

// needOverlay skips a test where nobody can mount an overlay on a tmpfs. It returns a directory for upper and work, whose paths are
// longer than one string of fsconfig.
func needOverlay(t *testing.T) string {
	t.Helper()
	dir := harness.TempDir(t)
	mountForTest(t, dir, "tmpfs", 0)
	deep := filepath.Join(dir, strings.Repeat("deep/", 60))
	for _, d := range []string{"upper", "work", "try"} {
		if err := os.MkdirAll(filepath.Join(deep, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("overlay", deep+"/try", "overlay", 0, "lowerdir="+deep+"/upper:"+deep+"/work"); err != nil {
		t.Skip("no overlayfs here: ", err)
	}
	if err := unix.Unmount(deep+"/try", 0); err != nil {
		t.Fatal(err)
	}
	return deep
}

func TestOverlayWithManyLayers(t *testing.T) {
	t.Parallel()
	needOverlay(t)
	for _, n := range []int{3, 60} {
		lower := "lowerdir=" + strings.Join(layersFor(t, n, 100), ":")
		b := harness.NewBundle(t).Sh("ls /data | wc -l; cat /data/file0 /data/file2; touch /data/x 2>/dev/null || echo refused")
		b.Mount("overlay", "/data", "overlay", lower, "ro", "nosuid")
		if n > 3 && !kernelIs(t, 6, 11) {
			b.FailRun("mounts[7].options: ", " bytes are too long: the kernel takes 4095 at a time, and of one option 255")
			continue
		}
		wantLines(t, b.MustRun(), fmt.Sprint(n), "0", "2", "refused")
		b = harness.NewBundle(t).Args("cat", "/data/file1").MapIDs(100000, 65536)
		b.Mount("overlay", "/data", "overlay", lower)
		wantLines(t, b.MustRun(), "1")
	}
}

// Directories that are too long one by one leave mount(2).
func TestOverlayWithLongPaths(t *testing.T) {
	t.Parallel()
	dir := needOverlay(t)
	options := []string{"lowerdir=" + strings.Join(layersFor(t, 3, 80), ":"), "upperdir=" + dir + "/upper", "workdir=" + dir + "/work", "noexec", "noatime", "dirsync"}
	b := harness.NewBundle(t).Sh("cat /data/file0 /data/file1 && echo new >/data/new && echo mounts && cat /proc/self/mountinfo")
	b.Mount("overlay", "/data", "overlay", options...)
	files, mountinfo, _ := strings.Cut(b.MustRun(), "mounts\n")
	wantLines(t, files, "0", "1")
	mounts := mountsOf(t, mountinfo)
	m := mountAt(t, mounts, "/data")
	if !m.has("noexec") || !m.has("noatime") || !m.has("dirsync") || m.has("ro") || m.kind != "overlay" {
		t.Errorf("/data is %+v", m)
	}
	if i := slices.IndexFunc(mounts, func(m mountLine) bool { return m.target == "/new" || m.root == "/new" }); i >= 0 {
		t.Errorf("left over: %+v", mounts[i])
	}
	if got := readFile(t, dir+"/upper/new"); got != "new\n" {
		t.Errorf("upper has %q", got)
	}

	long := harness.NewBundle(t).Args("true")
	long.Mount("tmpfs", "/data", "tmpfs", "mode="+strings.Repeat("0", 5000)+"755")
	long.FailRun("mounts[7].options: 5008 bytes are too long: the kernel takes 4095 at a time, and of one option 255")
}

// kernelIs reports whether this kernel is at least the given one.
func kernelIs(t *testing.T, major, minor int) bool {
	t.Helper()
	var a, b int
	if _, err := fmt.Sscanf(readFile(t, "/proc/sys/kernel/osrelease"), "%d.%d", &a, &b); err != nil {
		t.Fatal(err)
	}
	return a > major || a == major && b >= minor
}
