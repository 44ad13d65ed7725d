package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// Limits of the kernel's and of our own that a configuration may come across.

// escapeLayer is how a directory is written in overlay's list of them.
var escapeLayer = strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`)

// layersFor makes n directories, each with a file of its number. Their names take some bytes, and
// each of overlay's special characters.
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

// needOverlay skips a test where nobody can mount an overlay on a tmpfs. It returns a directory for
// upper and work, whose paths are longer than one string of fsconfig.
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

// What is copied into a tmpfs is the container's memory, as if it had written it.
func TestTmpcopyupIsCharged(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "memory")
	const size = 8 << 20
	bundle := func(limit int64) *harness.Bundle {
		b := sleeper(t).File("data/large", strings.Repeat("x", size), 0o644)
		b.Spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
		return b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup")
	}
	b := bundle(64 << 20).Create()
	if n, err := strconv.Atoi(b.CgroupValue("memory", "memory.usage_in_bytes", "memory.current")); err != nil || n < size {
		t.Errorf("%d bytes are charged to the container (%v), of a copy of %d", n, err, size)
	}
	b.Do("start")
	if got := strings.TrimSpace(b.MustExec("wc", "-c", "/data/large")); !strings.HasPrefix(got, fmt.Sprint(size)) {
		t.Errorf("the copy: %s", got)
	}
	b = bundle(2 << 20)
	if harness.Unified() {
		// else the copy goes to the machine's swap space
		b.Spec.Linux.Resources.Memory.Swap = b.Spec.Linux.Resources.Memory.Limit
	}
	b.FailRun("container init was OOM-killed (memory limit too low?): ")
}

// One process is all that some containers may have.
func TestTmpcopyupWithOneProcess(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "pids")
	one := int64(1)
	b := harness.NewBundle(t).File("data/file", "copied\n", 0o644).Args("cat", "/data/file")
	b.Spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &one}}
	wantLines(t, b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup").MustRun(), "copied")
}

func TestTmpcopyupOfHoles(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).File("data/sparse", "begin", 0o640).Sh("stat -c %s /data/sparse; du -k /data/sparse; tr -d '\\0' </data/sparse; stat -c %a:%Y /data/sparse")
	name := filepath.Join(b.Rootfs, "data/sparse")
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{20 << 20, 50 << 20} {
		if _, err := f.WriteAt([]byte("middle"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Unix(1000, 0), time.Unix(1000, 0)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup", "size=1m").MustRun(),
		fmt.Sprint(64<<20), "12\t/data/sparse", "beginmiddlemiddle"+"640:1000")
}

func TestTmpcopyupOfManyFiles(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("ls /data | wc -l; cat /data/0 /data/999 /data/1299")
	for i := range 1300 {
		b.File(fmt.Sprint("data/", i), fmt.Sprintln(i), 0o644)
	}
	wantLines(t, b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup").MustRun(), "1300", "0", "999", "1299")
}

func TestTmpcopyupOfTooMuch(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("true").File("data/large", strings.Repeat("x", 2<<20), 0o644)
	b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup", "size=1m").
		FailRun("mounts[7]: tmpcopyup: 2097152 bytes are to be copied, and the tmpfs has room for 1048576: no space left on device")
}

// Whatever an image has for /etc/passwd, its users have ids.
func TestPasswdThatIsNoFile(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(passwd string) error{
		"directory": func(p string) error { return os.Mkdir(p, 0o755) },
		"pipe":      func(p string) error { return unix.Mkfifo(p, 0o666) },
		"socket":    func(p string) error { return unix.Mknod(p, unix.S_IFSOCK|0o666, 0) },
		"terminal":  func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(5, 0))) },
		"no driver": func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(250, 250))) },
		"disk":      func(p string) error { return unix.Mknod(p, unix.S_IFBLK|0o666, int(unix.Mkdev(7, 255))) },
		"loop":      func(p string) error { return os.Symlink("passwd", p) },
		"long link": func(p string) error { return os.Symlink(strings.Repeat("x", 300), p) },
		"too much":  func(p string) error { return os.WriteFile(p, make([]byte, 5<<20), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := sleeper(t).Edit(process(func(p *specs.Process) {
				p.Env = []string{"PATH=/bin"}
				p.User.UID = 12
			}))
			passwd := filepath.Join(b.Rootfs, "etc/passwd")
			if err := errors.Join(os.Remove(passwd), put(passwd)); err != nil {
				t.Fatal(err)
			}
			b.Start()
			const want = "PATH=/bin\x00HOME=/\x00"
			if env := readFile(t, fmt.Sprintf("/proc/%d/environ", b.Pid())); env != want {
				t.Errorf("environment: %q", env)
			}
			if env := b.MustExec("cat", "/proc/self/environ"); env != want {
				t.Errorf("exec's environment: %q", env)
			}
		})
	}
}

// manyOfEach are configurations with n of something, and what their process prints. source has a
// file with one line.
func manyOfEach(source string, n int) map[string]func(b *harness.Bundle) []string {
	lines := fmt.Sprint(n)
	dest := func(i int) string { return fmt.Sprintf("/many/%d", i) }
	devices := func(b *harness.Bundle) []string {
		b.Sh("ls /dev/many | wc -l")
		for i := range n {
			b.Spec.Linux.Devices = append(b.Spec.Linux.Devices, specs.LinuxDevice{Path: "/dev" + dest(i), Type: "c", Major: 1, Minor: 3})
		}
		return []string{lines}
	}
	binds := func(b *harness.Bundle) []string {
		b.Sh("cat /many/* | wc -l")
		for i := range n {
			b.Mount(source+"/file", dest(i), "bind", "bind", "ro")
		}
		return []string{lines}
	}
	return map[string]func(b *harness.Bundle) []string{
		"devices":                         devices,
		"devices in a user namespace":     func(b *harness.Bundle) []string { return devices(b.MapIDs(100000, 65536)) },
		"bind mounts":                     binds,
		"bind mounts in a user namespace": func(b *harness.Bundle) []string { return binds(b.MapIDs(100000, 65536)) },
		"read-only tmpfs": func(b *harness.Bundle) []string {
			b.Sh("grep -c ' /many/.* ro,' /proc/self/mountinfo; ulimit -Sn")
			for i := range n {
				b.Mount("tmpfs", dest(i), "tmpfs", "ro")
			}
			b.Spec.Process.Rlimits = nil
			return []string{lines, "1024"}
		},
		"mounts with masked paths": func(b *harness.Bundle) []string {
			b.Sh("cat /many/*/file | wc -c; grep -c ' /many/' /proc/self/mountinfo")
			for i := range n {
				b.Mount(source, dest(i), "bind", "bind")
				b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, dest(i)+"/file")
			}
			return []string{"0", fmt.Sprint(2 * n)}
		},
		"idmapped mounts": func(b *harness.Bundle) []string {
			b.Sh("stat -c %u /many/* | grep -c 1000")
			maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}
			for i := range n {
				b.Mount(source+"/file", dest(i), "bind", "bind", "idmap")
				m := &b.Spec.Mounts[len(b.Spec.Mounts)-1]
				m.UIDMappings, m.GIDMappings = maps, maps
			}
			return []string{lines}
		},
		"masked paths": func(b *harness.Bundle) []string {
			b.Sh("cat /many/* | wc -c; ls /many | wc -l")
			for i := range n {
				b.File(dest(i), "secret", 0o644)
				b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, dest(i))
			}
			return []string{"0", lines}
		},
		"read-only paths": func(b *harness.Bundle) []string {
			b.Writable().Sh("touch /many/7 2>/dev/null || grep -c ' /many/.* ro,' /proc/self/mountinfo")
			for i := range n {
				b.File(dest(i), "", 0o644)
				b.Spec.Linux.ReadonlyPaths = append(b.Spec.Linux.ReadonlyPaths, dest(i))
			}
			return []string{lines}
		},
	}
}

// Neither the registers of a plan nor the descriptors that a process may usually have limit how
// much of anything there is.
func TestManyOfEach(t *testing.T) {
	t.Parallel()
	ours(t, "slow")
	source := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, edit := range manyOfEach(source, 1100) {
		t.Run(name, func(t *testing.T) {
			if name == "idmapped mounts" && !kernelIs(t, 6, 3) {
				t.Skip("a tmpfs, on which the test's files may be, can't be idmapped before Linux 6.3")
			}
			b := harness.NewBundle(t)
			want := edit(b)
			cmd := b.Save().Command("run")
			cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "ulimit -Sn 1024; exec " + shellQuote(cmd.Args)}
			wantLines(t, b.RunCmd(cmd).Stdout, want...)
		})
	}
}

// What is said by the check and by the compilers, which may have to begin again, is said once.
func TestEachWarningOnce(t *testing.T) {
	t.Parallel()
	ours(t, "other texts")
	one := int64(1)
	limited := harness.NewBundle(t)
	// deprecated, and in use
	limited.Spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Kernel: &one, KernelTCP: &one}}
	for word, b := range map[string]*harness.Bundle{
		"linux.resources.memory.kernel: ": limited,
		// A user's container is not in all of the host's cgroups.
		"process.capabilities.ambient: ": harness.NewUser(t).Rootless(t, false),
	} {
		b.Spec.Process.Capabilities.Ambient = []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}
		b.Spec.Process.Capabilities.Inheritable = []string{"CAP_CHOWN"}
		res := b.Args("true").Run()
		for _, w := range []string{word, "process.capabilities.ambient: "} {
			if n := strings.Count(res.Stderr, w); n != 1 {
				t.Errorf("%d times %s: %s", n, w, res.Stderr)
			}
		}
	}
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
