package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// inside runs the bundle with `cat /proc/self/mountinfo` and parses that.
func inside(t *testing.T, b *harness.Bundle) []mountLine {
	t.Helper()
	return mountsOf(t, b.Args("cat", "/proc/self/mountinfo").MustRun()+"\n")
}

func TestDefaultMounts(t *testing.T) {
	t.Parallel()
	mounts := inside(t, harness.NewBundle(t))
	for _, want := range []struct {
		target, kind string
		options      []string
	}{
		{"/", "", []string{"ro"}},
		{"/proc", "proc", []string{"rw"}},
		{"/dev", "tmpfs", []string{"rw", "nosuid", "size=65536k", "mode=755"}},
		{"/dev/pts", "devpts", []string{"nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"}},
		{"/dev/shm", "tmpfs", []string{"nosuid", "nodev", "noexec", "size=65536k"}},
		{"/dev/mqueue", "mqueue", []string{"nosuid", "nodev", "noexec"}},
		{"/sys", "sysfs", []string{"ro", "nosuid", "nodev", "noexec"}},
		{"/proc/sys", "proc", []string{"ro"}},
		{"/proc/keys", "", nil},
	} {
		m := mountAt(t, mounts, want.target)
		if want.kind != "" && m.kind != want.kind {
			t.Errorf("%s is a %s, want %s", want.target, m.kind, want.kind)
		}
		for _, o := range want.options {
			if !m.has(o) {
				t.Errorf("%s lacks %s: %v %v", want.target, o, m.options, m.super)
			}
		}
	}
}

func TestRootIsTheBottom(t *testing.T) {
	t.Parallel()
	for _, m := range inside(t, harness.NewBundle(t)) {
		if strings.Contains(m.target, harness.Work()) || m.target == "/.old_root" {
			t.Errorf("a mount of the host is left: %+v", m)
		}
	}
}

func TestReadonlyRoot(t *testing.T) {
	t.Parallel()
	wantLines(t, harness.NewBundle(t).Sh("touch /x 2>/dev/null || echo refused").MustRun(), "refused")
	b := harness.NewBundle(t).Writable().Sh("touch /x && echo written")
	wantLines(t, b.MustRun(), "written")
	if _, err := os.Stat(filepath.Join(b.Rootfs, "x")); err != nil {
		t.Error(err)
	}
}

// Options that show in mountinfo, on a tmpfs and on a bind mount. Per-mount
// flags work on both; flags of the filesystem itself only on the tmpfs.
func TestMountOptions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		options     []string
		has, hasNot []string
		tmpfsOnly   bool
	}{
		{[]string{"ro"}, []string{"ro"}, []string{"rw"}, false},
		{[]string{"rw"}, []string{"rw"}, []string{"ro"}, false},
		{[]string{"ro", "rw"}, []string{"rw"}, []string{"ro"}, false},
		{[]string{"nosuid", "nodev", "noexec"}, []string{"nosuid", "nodev", "noexec"}, nil, false},
		{[]string{"nosuid", "suid", "nodev", "dev", "noexec", "exec"}, nil, []string{"nosuid", "nodev", "noexec"}, false},
		{[]string{"noatime"}, []string{"noatime"}, []string{"relatime"}, false},
		{[]string{"noatime", "atime"}, nil, []string{"noatime"}, false},
		{[]string{"relatime"}, []string{"relatime"}, nil, false},
		{[]string{"strictatime"}, nil, []string{"relatime", "noatime"}, false},
		{[]string{"nodiratime"}, []string{"nodiratime"}, nil, false},
		{[]string{"nodiratime", "diratime"}, nil, []string{"nodiratime"}, false},
		{[]string{"sync"}, []string{"sync"}, nil, true},
		{[]string{"sync", "async"}, nil, []string{"sync"}, true},
		{[]string{"dirsync"}, []string{"dirsync"}, nil, true},
		{[]string{"mode=700", "size=8k", "nr_inodes=99"}, []string{"mode=700", "size=8k", "nr_inodes=99"}, nil, true},
	}
	if harness.Peer() != "runc" {
		cases = append(cases, []struct {
			options     []string
			has, hasNot []string
			tmpfsOnly   bool
		}{
			{[]string{"nosymfollow"}, []string{"nosymfollow"}, nil, false},
			{[]string{"nosymfollow", "symfollow"}, nil, []string{"nosymfollow"}, false},
			{[]string{"lazytime"}, []string{"lazytime"}, nil, true},
			{[]string{"lazytime", "nolazytime"}, nil, []string{"lazytime"}, true},
			{[]string{"defaults", "silent", "loud", "iversion", "noiversion", "mand", "nomand", "norelatime", "nostrictatime"}, nil, nil, false},
		}...)
	}
	b := harness.NewBundle(t)
	source := harness.TempDir(t)
	mountForTest(t, source, "tmpfs", 0) // the flags of this machine's disk are its own affair
	for i, c := range cases {
		b.Mount("tmpfs", fmt.Sprintf("/tmp/tmpfs%d", i), "tmpfs", c.options...)
		if !c.tmpfsOnly {
			b.Mount(source, fmt.Sprintf("/tmp/bind%d", i), "none", append([]string{"bind"}, c.options...)...)
		}
	}
	b.Spec.Mounts = slices.Insert(b.Spec.Mounts, 1, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	mounts := inside(t, b)
	for i, c := range cases {
		for _, kind := range []string{"tmpfs", "bind"} {
			if kind == "bind" && c.tmpfsOnly {
				continue
			}
			m := mountAt(t, mounts, fmt.Sprintf("/tmp/%s%d", kind, i))
			for _, o := range c.has {
				if !m.has(o) {
					t.Errorf("%s with %v lacks %s: %v %v", kind, c.options, o, m.options, m.super)
				}
			}
			for _, o := range c.hasNot {
				if slices.Contains(m.options, o) {
					t.Errorf("%s with %v has %s: %v", kind, c.options, o, m.options)
				}
			}
		}
	}
}

func TestRecursiveMountOptions(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 knows some of them only")
	source := harness.TempDir(t)
	top, below := filepath.Join(source, "top"), filepath.Join(source, "top/below")
	mountForTest(t, top, "tmpfs", 0)
	mountForTest(t, below, "tmpfs", 0)
	cases := []struct{ option, has string }{
		{"rro", "ro"}, {"rnosuid", "nosuid"}, {"rnodev", "nodev"}, {"rnoexec", "noexec"}, {"rnoatime", "noatime"},
		{"rnodiratime", "nodiratime"}, {"rnosymfollow", "nosymfollow"}, {"rrelatime", "relatime"},
		{"rrw", "rw"}, {"rsuid", ""}, {"rdev", ""}, {"rexec", ""}, {"ratime", ""}, {"rdiratime", ""}, {"rsymfollow", ""},
		{"rstrictatime", ""}, {"rnostrictatime", ""}, {"rnorelatime", ""},
	}
	b := harness.NewBundle(t)
	b.Spec.Mounts = slices.Insert(b.Spec.Mounts, 1, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	for _, c := range cases {
		b.Mount(top, "/tmp/"+c.option, "none", "rbind", c.option)
	}
	b.Mount(top, "/tmp/plain", "none", "rbind", "ro")
	mounts := inside(t, b)
	for _, c := range cases {
		for _, target := range []string{"/tmp/" + c.option, "/tmp/" + c.option + "/below"} {
			if m := mountAt(t, mounts, target); c.has != "" && !m.has(c.has) {
				t.Errorf("%s lacks %s: %v", target, c.has, m.options)
			}
		}
	}
	if m := mountAt(t, mounts, "/tmp/rstrictatime/below"); m.has("relatime") || m.has("noatime") {
		t.Errorf("rstrictatime: %v", m.options)
	}
	if !mountAt(t, mounts, "/tmp/plain").has("ro") || mountAt(t, mounts, "/tmp/plain/below").has("ro") {
		t.Error("ro is not recursive, rro is")
	}
	for _, m := range mountsOf(t, readFile(t, "/proc/self/mountinfo")) {
		if (m.target == top || m.target == below) && m.has("ro") {
			t.Errorf("the host's mount changed: %+v", m)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// mountForTest mounts something on the host until the test ends.
func mountForTest(t *testing.T, target, kind string, flags uintptr) {
	t.Helper()
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("test", target, kind, flags, ""); err != nil {
		t.Skipf("mount %s on this host: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", target, err)
		}
	})
}

// The propagation of mounts inside, and that none of it reaches the host.
func TestPropagation(t *testing.T) {
	t.Parallel()
	source := harness.TempDir(t)
	b := harness.NewBundle(t)
	b.Spec.Mounts = slices.Insert(b.Spec.Mounts, 1, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	cases := map[string]string{
		"shared": "shared:", "rshared": "shared:", "private": "", "rprivate": "", "unbindable": "unbindable", "runbindable": "unbindable",
	}
	for option := range cases {
		b.Mount(source, "/tmp/"+option, "none", "bind", option)
	}
	mounts := inside(t, b)
	for option, want := range cases {
		got := strings.Join(mountAt(t, mounts, "/tmp/"+option).propagation, " ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: propagation %q", option, got)
		}
	}
	if got := mountAt(t, mounts, "/").propagation; len(got) > 0 && strings.Contains(strings.Join(got, " "), "shared") {
		t.Errorf("the root is %v", got)
	}
}

// A slave mount sees what the host mounts later; a private one does not; and
// the host never sees what the container mounts.
func TestSlavePropagation(t *testing.T) {
	t.Parallel()
	source := harness.TempDir(t)
	mountForTest(t, source, "tmpfs", 0)
	if err := unix.Mount("", source, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(source, "late"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := sleeper(t).Caps("CAP_SYS_ADMIN")
	b.Spec.Linux.RootfsPropagation = "slave"
	b.Spec.Mounts = slices.Insert(b.Spec.Mounts, 1, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	b.Mount(source, "/tmp/slave", "none", "rbind", "rslave")
	b.Mount(source, "/tmp/private", "none", "rbind", "rprivate")
	b.Start()
	mountForTest(t, filepath.Join(source, "late"), "tmpfs", 0)
	mounts := mountsOf(t, b.MustExec("cat", "/proc/self/mountinfo")+"\n")
	mountAt(t, mounts, "/tmp/slave/late")
	for _, m := range mounts {
		if m.target == "/tmp/private/late" {
			t.Error("the private mount received a mount of the host")
		}
	}
}

func TestRootfsPropagation(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 does shared and unbindable differently")
	for value, want := range map[string]string{"": "", "private": "", "slave": "master:", "shared": "shared:", "unbindable": "unbindable"} {
		b := harness.NewBundle(t)
		b.Spec.Linux.RootfsPropagation = value
		mounts := inside(t, b)
		got := strings.Join(mountAt(t, mounts, "/").propagation, " ")
		switch {
		case want == "master:":
			// Depends on whether the host's own mount is shared.
			if strings.Contains(got, "shared:") {
				t.Errorf("slave: propagation %q", got)
			}
		case want == "" && strings.Contains(got, "shared:"), !strings.Contains(got, want):
			t.Errorf("%q: propagation %q", value, got)
		}
	}
	b := sleeper(t)
	b.Spec.Linux.RootfsPropagation = "sideways"
	b.FailRun("sideways")
}

func TestBindMounts(t *testing.T) {
	t.Parallel()
	source := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Writable().Mount(source, "/a/new/dir", "", "bind").
		Mount(filepath.Join(source, "file"), "/etc/new/file", "bind", "bind", "ro").
		Mount(source, "relative/target", "bind", "rbind")
	if err := os.Mkdir(filepath.Join(b.Dir, "inbundle"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.Dir, "inbundle/x"), []byte("bundle"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Mount("inbundle", "/b", "bind", "bind")
	b.Sh("cat /a/new/dir/file; echo; cat /etc/new/file; echo; cat /relative/target/file; echo; cat /b/x; echo; echo no 2>/dev/null >/etc/new/file || echo refused")
	wantLines(t, b.MustRun(), "content", "content", "content", "bundle", "refused")
}

func TestBindReadonlyWritable(t *testing.T) {
	t.Parallel()
	source := harness.TempDir(t)
	b := harness.NewBundle(t).Sh("touch /tmp/rw/x && echo written; touch /tmp/ro/y 2>/dev/null || echo refused")
	b.Spec.Mounts = slices.Insert(b.Spec.Mounts, 1, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	b.Mount(source, "/tmp/rw", "bind", "bind").Mount(source, "/tmp/ro", "bind", "bind", "ro")
	wantLines(t, b.MustRun(), "written", "refused")
	if _, err := os.Stat(filepath.Join(source, "x")); err != nil {
		t.Error(err)
	}
}

// Flags that the host's mount carries are kept on its bind mount inside a user
// namespace, where the kernel locks them.
func TestBindOfRestrictedSourceInUserNamespace(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 gives up on locked flags")
	source := harness.TempDir(t)
	mountForTest(t, source, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC)
	b := harness.NewBundle(t).MapIDs(100000, 65536).Mount(source, "/tmp", "bind", "bind", "ro")
	m := mountAt(t, inside(t, b), "/tmp")
	for _, o := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !m.has(o) {
			t.Errorf("lacks %s: %v", o, m.options)
		}
	}
}

// A bare bind keeps the flags of its source. Any flag beside it names all that the bind mount has,
// as runc 1.3 and crun measure on such a source; the access time is one of its own.
func TestBindFlagsReplaceThoseOfTheSource(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 takes no notice of rw and exec")
	harness.SkipOnPeer(t, "crun", "a bare bind loses the flags of its source, too")
	source := harness.TempDir(t)
	mountForTest(t, source, "tmpfs", 0)
	if err := unix.Mount("", source, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOEXEC|unix.MS_NOATIME, ""); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ options, want string }{
		{"bind", "ro,noexec,noatime"},
		{"rbind,rprivate", "ro,noexec,noatime"},
		{"bind,rnosuid", "ro,nosuid,noexec,noatime"},
		{"bind,nosuid,nodev", "rw,nosuid,nodev,noatime"},
		{"rbind,nosuid", "rw,nosuid,noatime"},
		{"bind,ro", "ro,noatime"},
		{"bind,rw", "rw,noatime"},
		{"bind,exec", "rw,noatime"},
		{"bind,norelatime", "rw,noatime"},
		{"bind,atime", "rw,noatime"},
		{"bind,relatime", "rw,relatime"},
		{"bind,strictatime", "rw"},
	}
	b := harness.NewBundle(t)
	for i, c := range cases {
		b.Mount(source, fmt.Sprintf("/dev/%d", i), "bind", strings.Split(c.options, ",")...)
	}
	mounts := inside(t, b)
	for i, c := range cases {
		if m := mountAt(t, mounts, fmt.Sprintf("/dev/%d", i)); strings.Join(m.options, ",") != c.want {
			t.Errorf("%s: %v, want %s", c.options, m.options, c.want)
		}
	}
}

// What the host has restricted stays so in a user namespace, and asking for the opposite is refused
// before anything is made.
func TestBindFlagsAreLockedInUserNamespace(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 gives up on locked flags")
	harness.SkipOnPeer(t, "crun", "takes no notice of rw")
	source := harness.TempDir(t)
	mountForTest(t, source, "tmpfs", 0)
	if err := unix.Mount("", source, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOEXEC, ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ options, want string }{
		{"bind", "ro,noexec"},
		{"bind,nosuid", "ro,nosuid,noexec"},
		{"bind,suid,dev", "ro,noexec"},
		{"bind,exec,noexec", "ro,noexec"},
		{"bind,rw", "mounts[7].options[1]: bind " + source + " on /tmp: rw is locked"},
		{"bind,nosuid,exec", "mounts[7].options[2]: bind " + source + " on /tmp: exec is locked"},
	} {
		b := harness.NewBundle(t).MapIDs(100000, 65536).Mount(source, "/tmp", "bind", strings.Split(c.options, ",")...)
		if strings.Contains(c.want, "locked") {
			b.Args("cat", "/proc/self/mountinfo").FailRun(c.want)
			continue
		}
		m := mountAt(t, inside(t, b), "/tmp")
		for o := range strings.SplitSeq(c.want, ",") {
			if !m.has(o) {
				t.Errorf("%s: %v, want %s", c.options, m.options, c.want)
			}
		}
	}
}

// A source may be what an earlier entry brings into the root file system, named by the host's path
// of that: it does not exist there before.
func TestBindSourceOfAnEarlierMount(t *testing.T) {
	t.Parallel()
	for _, userns := range []bool{false, true} {
		source := harness.TempDir(t)
		if err := os.MkdirAll(source+"/x/y", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(source+"/x/file", []byte("bound\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		b := harness.NewBundle(t).Sh("cat /one/file /two /three/x/file; ls /four; ls -d /dev/five/made; touch /one/new 2>/dev/null || echo refused")
		b.Mount(source, "/mnt", "bind", "bind", "ro")
		b.Mount(b.Rootfs+"/mnt/x", "/one", "bind", "bind")
		b.Mount(b.Rootfs+"/one/file", "/two", "bind", "bind")
		b.Mount(b.Rootfs+"/mnt", "/three", "bind", "rbind")
		b.Mount("tmpfs", "/fresh", "tmpfs").Mount(source, "/fresh/made/below", "bind", "bind")
		b.Mount(b.Rootfs+"/fresh/made", "/four", "bind", "rbind")
		b.Mount(b.Rootfs+"/fresh", "/dev/five", "bind", "bind")
		if userns {
			harness.SkipOnPeer(t, "runc", "1.1 looks for sources before anything is mounted")
			harness.SkipOnPeer(t, "crun", "looks for sources before anything is mounted")
			b.MapIDs(100000, 65536)
		}
		wantLines(t, b.MustRun(), "bound", "bound", "bound", "below", "/dev/five/made", "refused")
	}
}

// The owners of such a source can be mapped, too.
func TestIdmappedSourceOfAnEarlierMount(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no id-mapped mounts")
	harness.SkipOnPeer(t, "crun", "looks for sources before anything is mounted")
	for _, userns := range []bool{false, true} {
		source := harness.TempDir(t)
		if err := os.WriteFile(source+"/file", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		b := harness.NewBundle(t).Sh("stat -c %u:%g /mnt/file /one/file /two; touch /one/new; stat -c %u:%g /one/new; " +
			"grep -c ' /two ro,.*idmapped' /proc/self/mountinfo")
		b.Mount(source, "/mnt", "bind", "bind")
		b.Mount(b.Rootfs+"/mnt", "/one", "bind", "bind", "idmap")
		b.Mount(b.Rootfs+"/mnt/file", "/two", "bind", "bind", "idmap", "ro")
		want := []string{"65534:65534", "0:0", "0:0", "0:0", "1"}
		if userns {
			b.MapIDs(100000, 65536)
		} else {
			maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 5000, Size: 1000}}
			for i := range 2 {
				m := &b.Spec.Mounts[len(b.Spec.Mounts)-1-i]
				m.UIDMappings, m.GIDMappings = maps, maps
			}
			b.Spec.Process.User = specs.User{UID: 5000, GID: 5000}
			want = []string{"0:0", "5000:5000", "5000:5000", "5000:5000", "1"}
		}
		wantLines(t, b.MustRun(), want...)
		if !userns {
			continue
		}
		pod := sleeper(t).MapIDs(100000, 65536).Start()
		b = harness.NewBundle(t).Sh("stat -c %u:%g /dev/one/file")
		b.Mount(source, "/tmp", "bind", "bind").Mount(b.Rootfs+"/tmp", "/dev/one", "bind", "bind", "idmap")
		b.Namespace(specs.UserNamespace, nsPath(pod.Pid(), "user"))
		wantLines(t, b.MustRun(), "0:0")
	}
}

// A destination that begins with the root file system's own path is meant inside, whatever else it
// has to obey.
func TestDestinationBelowTheRootsOwnPath(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "crun", "makes the whole path inside")
	b := harness.NewBundle(t)
	b.Mount("tmpfs", b.Rootfs+"/tmp/../inside", "tmpfs")
	mountAt(t, inside(t, b), "/inside")
	if _, err := os.Stat(b.Rootfs + b.Rootfs); err == nil {
		t.Error("the path was made inside")
	}
	ours(t, "other texts")
	b = sleeper(t)
	b.Mount("tmpfs", b.Rootfs+"/proc/sys", "tmpfs")
	b.FailRun("mounts[7].destination", "/proc/sys")
}

// A bind source that the container's root could not reach itself.
func TestBindSourceInPrivateDirectory(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 opens sources as the container's root")
	private := t.TempDir()
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(private, "open")
	if err := os.Mkdir(source, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "x"), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Args("cat", "/tmp/x").MapIDs(100000, 65536).Mount(source, "/tmp", "bind", "bind")
	wantLines(t, b.MustRun(), "x")
}

// A masked path may be a mountpoint, of a file here, or lie below one of a later mount.
func TestMaskedMountpoints(t *testing.T) {
	t.Parallel()
	source := harness.TempDir(t)
	for _, name := range []string{"file", "other"} {
		if err := os.WriteFile(filepath.Join(source, name), []byte("secret\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := harness.NewBundle(t).Sh("cat /etc/file; cat /data/other /data/file; ls /data/sub")
	b.Mount(source+"/file", "/etc/file", "bind", "bind")
	b.Mount("tmpfs", "/data", "tmpfs")
	b.Mount(source, "/data", "bind", "bind")
	b.Mount("tmpfs", "/data/sub", "tmpfs")
	b.Spec.Linux.MaskedPaths = []string{"/etc/file", "/data/file", "/data/sub"}
	wantLines(t, b.MustRun(), "secret")
}

// Many images have /etc/resolv.conf as a link into an empty /run. What links lead to is
// made in the container, wherever on the host they point.
func TestMountOverDanglingLink(t *testing.T) {
	t.Parallel()
	source := harness.TempDir(t)
	outside := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("bound\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Sh("cat /etc/resolv.conf /etc/far; readlink /etc/resolv.conf; ls -d /run/systemd/file /chain/made")
	link(t, b, "etc/resolv.conf", "../run/systemd/file")
	link(t, b, "etc/far", outside+"/made")
	link(t, b, "dir", "/../chain")
	b.Mount("tmpfs", "/run", "tmpfs")
	b.Mount(source+"/file", "/etc/resolv.conf", "bind", "bind", "ro")
	b.Mount(source+"/file", "/etc/far", "bind", "bind", "ro")
	b.Mount("tmpfs", "/dir/made", "tmpfs")
	wantLines(t, b.MustRun(), "bound", "bound", "../run/systemd/file", "/chain/made", "/run/systemd/file")
	wantUntouched(t, outside)
}

func TestTmpcopyup(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).File("data/sub/file", "copied\n", 0o644).
		Sh("cat /data/sub/file; stat -c '%a %u:%g' /data/sub/file; readlink /data/link; touch /data/new; ls /data/sub")
	if err := os.Chown(filepath.Join(b.Rootfs, "data/sub/file"), 12, 34); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub/file", filepath.Join(b.Rootfs, "data/link")); err != nil {
		t.Fatal(err)
	}
	b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup")
	wantLines(t, b.MustRun(), "copied", "644 12:34", "sub/file", "file")
	if _, err := os.Stat(filepath.Join(b.Rootfs, "data/new")); err == nil {
		t.Error("the tmpfs wrote through to the root filesystem")
	}
}

// The tmpfs is what its options say, with tmpcopyup as without: an engine's user has to be able to
// write to it. Only the mode is that of a directory that it covers, if the options name none.
func TestTmpfsOwnerAndMode(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 prefers the mode of the directory")
	harness.SkipOnPeer(t, "crun", "takes no notice of the directory's mode")
	for _, c := range []struct{ options, missing, covering string }{
		{"", "1777 0:0", "2750 0:0"},
		{"mode=700", "700 0:0", "700 0:0"},
		{"uid=5,gid=6", "1777 5:6", "2750 5:6"},
		{"mode=1777,uid=5", "1777 5:0", "1777 5:0"},
	} {
		for _, copyUp := range []string{"nosuid", "tmpcopyup"} {
			b := harness.NewBundle(t).Writable().File("have/file", "", 0o644).Sh("stat -c '%a %u:%g' /missing /have")
			have := b.Rootfs + "/have"
			if err := os.Chown(have, 12, 34); err != nil {
				t.Fatal(err)
			}
			if err := unix.Chmod(have, 0o2750); err != nil {
				t.Fatal(err)
			}
			options := append(strings.FieldsFunc(c.options, func(r rune) bool { return r == ',' }), copyUp)
			b.Mount("tmpfs", "/missing", "tmpfs", options...).Mount("tmpfs", "/have", "tmpfs", options...)
			t.Log(options)
			wantLines(t, b.MustRun(), c.missing, c.covering)
		}
	}
}

// The owners are the container's, in whose tmpfs the host's root can't own anything.
func TestTmpcopyupInUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).File("data/sub/file", "copied\n", 0o644).
		Sh("cat /data/sub/file; stat -c '%a %u:%g' /data/sub/file /data/sub; touch /data/new && ls /data").MapIDs(100000, 65536)
	if err := os.Chown(filepath.Join(b.Rootfs, "data/sub/file"), 100012, 100034); err != nil {
		t.Fatal(err)
	}
	b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup")
	wantLines(t, b.MustRun(), "copied", "644 12:34", "755 0:0", "new", "sub")
}

func TestTmpcopyupReadonly(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).File("data/file", "copied\n", 0o644).Sh("cat /data/file; touch /data/new 2>/dev/null || echo refused")
	b.Mount("tmpfs", "/data", "tmpfs", "tmpcopyup", "ro")
	wantLines(t, b.MustRun(), "copied", "refused")
}

func TestIdmappedMount(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no id-mapped mounts")
	source := harness.TempDir(t)
	sub := filepath.Join(source, "below")
	if err := os.WriteFile(filepath.Join(source, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mountForTest(t, sub, "tmpfs", 0)
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 5000, Size: 1000}}
	for _, c := range []struct{ option, below string }{{"idmap", "0:0"}, {"ridmap", "5000:5000"}} {
		b := harness.NewBundle(t).Sh("stat -c %u:%g /tmp/file /tmp/below; touch /tmp/new; stat -c %u:%g /tmp/new; rm /tmp/new")
		b.Mount(source, "/tmp", "bind", "rbind", c.option)
		m := &b.Spec.Mounts[len(b.Spec.Mounts)-1]
		m.UIDMappings, m.GIDMappings = maps, maps
		b.Spec.Process.User = specs.User{UID: 5000, GID: 5000}
		if c.option == "ridmap" && !kernelIs(t, 6, 3) && harness.Peer() == "" {
			b.FailRun("or one mounted below it, does not support idmapped mounts on this kernel")
			continue
		}
		wantLines(t, b.MustRun(), "5000:5000", c.below, "5000:5000")
	}
}

func TestIdmapOfTheContainersUserNamespace(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no id-mapped mounts")
	source := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Args("stat", "-c", "%u:%g", "/tmp/file").MapIDs(100000, 65536).Mount(source, "/tmp", "bind", "bind", "idmap")
	wantLines(t, b.MustRun(), "0:0")

	pod := sleeper(t).MapIDs(100000, 65536).Start()
	b = harness.NewBundle(t).Args("stat", "-c", "%u:%g", "/tmp/file").Mount(source, "/tmp", "bind", "bind", "idmap")
	b.Namespace(specs.UserNamespace, nsPath(pod.Pid(), "user"))
	wantLines(t, b.MustRun(), "0:0")
}

// The mapping may stand in the option, as crun has it.
func TestIdmapOptionWithAMapping(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "has no mapping in the option")
	source := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Sh("stat -c %u:%g /tmp/file /dev/other/file").MapIDs(100000, 65536)
	b.Mount(source, "/tmp", "bind", "bind", "idmap=uids=0-100005-10;gids=0-100006-10")
	b.Mount(source, "/dev/other", "bind", "bind", "ridmap=uids=@0-7-10;gids=@0-8-10")
	wantLines(t, b.MustRun(), "5:6", "7:8")
}

// Links are copied or mounted themselves, and mounted over, where an engine asks for that.
func TestMountOptionsForLinks(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "does not know these options")
	source := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("bound\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "file", "dangling": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(source, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, userns := range []bool{false, true} {
		b := harness.NewBundle(t).Writable().File("data/target", "covered\n", 0o644).
			Sh("for l in copy there mounted; do readlink /data/$l; done; cat /data/target /data/over")
		link(t, b, "data/there", "file")
		link(t, b, "data/over", "target")
		b.Mount(source+"/link", "/data/copy", "bind", "bind", "copy-symlink")
		b.Mount(source+"/link", "/data/there", "bind", "bind", "copy-symlink")
		b.Mount(source+"/dangling", "/data/mounted", "bind", "bind", "src-nofollow")
		b.Mount(source+"/file", "/data/over", "bind", "bind", "dest-nofollow", "ro")
		if userns {
			b.MapIDs(100000, 65536)
		}
		wantLines(t, b.MustRun(), "file", "file", "nowhere", "covered", "bound")
	}
	ours(t, "other texts")
	b := sleeper(t).File("data/other", "", 0o644)
	b.Mount(source+"/link", "/data/other", "bind", "bind", "copy-symlink")
	b.FailRun("mounts[7]: make a link to file at /data/other", "file exists")
}

func TestIdmapErrors(t *testing.T) {
	t.Parallel()
	ours(t, "other texts")
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 5000, Size: 1000}}
	b := sleeper(t).Mount("/tmp", "/tmp", "bind", "bind", "idmap")
	b.FailRun("mounts[7]")
	b = sleeper(t).Mount("/tmp", "/tmp", "bind", "bind", "idmap")
	b.Spec.Mounts[7].UIDMappings = maps
	b.FailRun("mounts[7]")
}

func TestRemount(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Mount("tmpfs", "/tmp", "tmpfs", "mode=700").Mount("", "/tmp", "", "remount", "bind", "ro")
	if m := mountAt(t, inside(t, b), "/tmp"); !m.has("ro") {
		t.Errorf("remount ro: %v", m.options)
	}
}

func TestMountErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(harness.TempDir(t), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		mount specs.Mount
		words []string // of our message
	}{
		{"missing source", specs.Mount{Source: "/no/such", Destination: "/tmp", Options: []string{"bind"}}, []string{"/no/such"}},
		{"unknown type", specs.Mount{Source: "x", Destination: "/tmp", Type: "cheesefs"}, []string{"cheesefs", "/tmp"}},
		{"type bind without the option", specs.Mount{Source: "/tmp", Destination: "/tmp", Type: "bind"}, []string{"bind"}},
		{"unknown tmpfs option", specs.Mount{Source: "tmpfs", Destination: "/tmp", Type: "tmpfs", Options: []string{"cheese=1"}}, []string{"cheese=1"}},
		{"unknown bind option", specs.Mount{Source: "/tmp", Destination: "/tmp", Options: []string{"bind", "cheese"}}, []string{"cheese"}},
		{"on the root", specs.Mount{Source: "tmpfs", Destination: "/", Type: "tmpfs"}, nil},
		{"on the root by dots", specs.Mount{Source: "tmpfs", Destination: "/tmp/..", Type: "tmpfs"}, nil},
		{"below /proc", specs.Mount{Source: "tmpfs", Destination: "/proc/sys", Type: "tmpfs"}, []string{"/proc/sys"}},
		{"file over /proc/self", specs.Mount{Source: file, Destination: "/proc/1/environ", Options: []string{"bind"}}, []string{"/proc/1/environ"}},
		{"directory over a file", specs.Mount{Source: "/tmp", Destination: "/etc/passwd", Options: []string{"bind"}}, []string{"/etc/passwd"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ours(t, "accepts some of these")
			b := sleeper(t).Writable()
			b.Spec.Mounts = append(b.Spec.Mounts, c.mount)
			b.FailRun(append([]string{"mounts[7]"}, c.words...)...)
		})
	}
}

// An option with a value on a bind mount is what mount(2) takes no notice of.
func TestBindMountWithAFilesystemsOption(t *testing.T) {
	t.Parallel()
	ours(t, "is silent")
	log := filepath.Join(t.TempDir(), "log")
	b := harness.NewBundle(t).Args("echo", "runs").Mount(harness.TempDir(t), "/tmp", "bind", "bind", "size=64k")
	b.Flags = []string{"--log", log}
	wantLines(t, b.MustRun(), "runs")
	contains(t, readFile(t, log), "level=warning", "mounts[7].options[1]", "size=64k")
}

// What may be covered below /proc: files that lxcfs and its like replace.
func TestMountOverProcFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(harness.TempDir(t), "uptime")
	if err := os.WriteFile(file, []byte("1.00 2.00\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Args("cat", "/proc/uptime").Mount(file, "/proc/uptime", "bind", "bind", "ro")
	wantLines(t, b.MustRun(), "1.00 2.00")
}

func TestMountOrder(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("ls /tmp /tmp/a").
		Mount("tmpfs", "/tmp", "tmpfs").Mount("tmpfs", "/tmp/a/b", "tmpfs").Mount("tmpfs", "/tmp/a/c", "tmpfs")
	contains(t, b.MustRun(), "a\n", "b\nc")
}

func TestMaskedPaths(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).File("secret", "secret", 0o644).File("dir/secret", "secret", 0o644).
		Sh("wc -c </secret; ls /dir | wc -l; touch /dir/x 2>/dev/null || echo refused; ls /sys/firmware | wc -l; wc -c </proc/keys")
	b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/secret", "/dir", "/no/such")
	if harness.Peer() != "runc" {
		b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/etc/passwd/below")
	}
	wantLines(t, b.MustRun(), "0", "0", "refused", "0", "0")
}

// Engines append to lists that name a path already. Two mounts over each other would make a
// container's mountinfo, and the umount of a privileged one, tell something else than what was
// asked for.
func TestProtectedPathsNamedTwice(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 mounts twice")
	harness.SkipOnPeer(t, "crun", "mounts twice")
	b := harness.NewBundle(t).File("dir/secret", "", 0o644).File("file", "", 0o644).File("fixed/x", "", 0o644)
	b.Edit(func(s *specs.Spec) {
		s.Linux.MaskedPaths = []string{"/dir", "/file", "/dir/", "//file", "/dir"}
		s.Linux.ReadonlyPaths = []string{"/fixed", "/fixed/.", "/fixed"}
	})
	count := map[string]int{}
	for _, m := range inside(t, b) {
		count[m.target]++
	}
	for _, p := range []string{"/dir", "/file", "/fixed"} {
		if count[p] != 1 {
			t.Errorf("%d mounts on %s, want 1", count[p], p)
		}
	}
}

func TestReadonlyPaths(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Writable().File("dir/file", "", 0o644).
		Sh("touch /dir/x 2>/dev/null || echo refused; touch /y && echo written; { echo 1 >/proc/sys/kernel/shmmni; } 2>/dev/null || echo refused")
	b.Spec.Linux.ReadonlyPaths = append(b.Spec.Linux.ReadonlyPaths, "/dir", "/no/such")
	wantLines(t, b.MustRun(), "refused", "written", "refused")
}

func TestDefaultDevices(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh(`
		cd /dev
		stat -c '%n %t:%T %a %F' null zero full random urandom tty
		for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done
		echo x >null && head -c3 zero | od -An -tx1 && head -c1 urandom | wc -c
		echo x 2>/dev/null >full || echo full`)
	wantLines(t, b.MustRun(),
		"null 1:3 666 character special file", "zero 1:5 666 character special file", "full 1:7 666 character special file",
		"random 1:8 666 character special file", "urandom 1:9 666 character special file", "tty 5:0 666 character special file",
		"fd /proc/self/fd", "stdin /proc/self/fd/0", "stdout /proc/self/fd/1", "stderr /proc/self/fd/2", "ptmx pts/ptmx",
		" 00 00 00", "1", "full")
}

func ptr[T any](v T) *T { return &v }

func TestDevices(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Writable().Caps("CAP_DAC_OVERRIDE").Sh("stat -c '%n %t:%T %a %u:%g %F' /dev/mine /deep/er/block /dev/fifo /dev/unbuffered; dd if=/dev/mine bs=2 count=1 2>/dev/null | wc -c")
	b.Spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/mine", Type: "c", Major: 1, Minor: 5, FileMode: ptr(os.FileMode(0o640)), UID: ptr(uint32(7)), GID: ptr(uint32(8))},
		{Path: "/deep/er/block", Type: "b", Major: 7, Minor: 200},
		{Path: "/dev/fifo", Type: "p", FileMode: ptr(os.FileMode(0o600))},
		{Path: "/dev/unbuffered", Type: "u", Major: 1, Minor: 3},
	}
	b.Spec.Linux.Resources.Devices = append(b.Spec.Linux.Resources.Devices,
		specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(5)), Access: "rw"})
	wantLines(t, b.MustRun(),
		"/dev/mine 1:5 640 7:8 character special file", "/deep/er/block 7:c8 666 0:0 block special file",
		"/dev/fifo 0:0 600 0:0 fifo", "/dev/unbuffered 1:3 666 0:0 character special file", "2")
}

func TestDevicesInUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).MapIDs(100000, 65536).
		Sh("stat -c '%n %t:%T' /dev/null /dev/tty /dev/kmsg2; echo x >/dev/null && head -c1 /dev/zero | wc -c")
	if harness.Peer() == "runc" { // binds the path of the container
		b.Sh("stat -c '%n %t:%T' /dev/null /dev/tty; echo x >/dev/null && head -c1 /dev/zero | wc -c")
		wantLines(t, b.MustRun(), "/dev/null 1:3", "/dev/tty 5:0", "1")
		return
	}
	b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/kmsg2", Type: "c", Major: 1, Minor: 11}}
	wantLines(t, b.MustRun(), "/dev/null 1:3", "/dev/tty 5:0", "/dev/kmsg2 1:b", "1")
}

// A node that is bound is a mount, and has no more rights than a device needs.
func TestBoundDevicesAreRestricted(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "sets no flags")
	b := harness.NewBundle(t).MapIDs(100000, 65536)
	b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, FileMode: ptr(os.FileMode(0o666))}}
	mounts := inside(t, b)
	for _, p := range []string{"/dev/null", "/dev/tty", "/dev/fuse"} {
		m := mountAt(t, mounts, p)
		if !m.has("nosuid") || !m.has("noexec") || m.has("nodev") {
			t.Errorf("%s: %v", p, m.options)
		}
	}
}

func TestDeviceErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "q", Major: 1, Minor: 5}}
	b.FailRun()
}

// A bind mount of the host's /dev gets no devices and no links of ours.
func TestBoundDevIsLeftAlone(t *testing.T) {
	t.Parallel()
	dev := harness.TempDir(t)
	if err := unix.Mknod(filepath.Join(dev, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBundle(t).Args("ls", "-A", "/dev")
	b.Spec.Mounts = []specs.Mount{
		{Source: "proc", Destination: "/proc", Type: "proc"},
		{Source: dev, Destination: "/dev", Type: "bind", Options: []string{"bind"}},
	}
	wantLines(t, b.MustRun(), "null")
}

func TestCgroupMount(t *testing.T) {
	t.Parallel()
	for _, cgroupNamespace := range []bool{true, false} {
		b := harness.NewBundle(t).NoNamespace(specs.CgroupNamespace)
		if cgroupNamespace {
			b.Namespace(specs.CgroupNamespace, "")
		}
		if harness.Unified() {
			b.Sh("head -n1 /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused")
			wantLines(t, b.MustRun(), "1", "refused")
			continue
		}
		harness.NeedController(t, "pids")
		b.Sh("head -n1 /sys/fs/cgroup/pids/cgroup.procs /sys/fs/cgroup/memory/cgroup.procs; mkdir /sys/fs/cgroup/pids/x 2>/dev/null || echo refused")
		wantLines(t, b.MustRun(),
			"==> /sys/fs/cgroup/pids/cgroup.procs <==", "1", "", "==> /sys/fs/cgroup/memory/cgroup.procs <==", "1", "refused")
	}
}

func TestRootErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	b.Spec.Root = nil
	b.FailRun("root")
	b = sleeper(t)
	b.Spec.Root.Path = "nosuchdir"
	b.FailRun("nosuchdir")
	b = sleeper(t).File("../afile", "", 0o644)
	b.Spec.Root.Path = "afile"
	b.FailRun()
}

func TestAbsoluteRoot(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "fine")
	b.Spec.Root.Path = b.Rootfs
	wantLines(t, b.MustRun(), "fine")
}

// A root filesystem that is a mount point already, as engines have it.
func TestRootIsAMountPoint(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "fine")
	if err := unix.Mount(b.Rootfs, b.Rootfs, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(b.Rootfs, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	wantLines(t, b.MustRun(), "fine")
}

func TestOverlayRoot(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Writable().Sh("touch /new && echo fine")
	dir := harness.TempDir(t)
	mountForTest(t, dir, "tmpfs", 0)
	for _, d := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	merged := filepath.Join(dir, "merged")
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", b.Rootfs, dir, dir)
	if err := unix.Mount("overlay", merged, "overlay", 0, data); err != nil {
		t.Skip("no overlayfs here: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(merged, unix.MNT_DETACH) })
	b.Spec.Root.Path = merged
	wantLines(t, b.MustRun(), "fine")
	if _, err := os.Stat(filepath.Join(dir, "upper/new")); err != nil {
		t.Error(err)
	}
}

// What lies below the new root must not let a process of the container mount a proc
// without masks in a user namespace of its own.
func TestNoPivotHidesTheHostsProc(t *testing.T) {
	t.Parallel()
	// One that root of a user namespace can't reach, but the kernel counts.
	private := filepath.Join(harness.TempDir(t), "private")
	if err := errors.Join(os.MkdirAll(private+"/proc", 0o700), os.Chown(private, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	mountForTest(t, private+"/proc", "proc", 0)
	for _, kind := range []string{"", "mapped", "shared"} {
		b := harness.NewBundle(t).Sh("unshare -U -r -m -p -f sh -c 'mount -t proc proc /proc && echo mounted' 2>&1")
		switch kind {
		case "mapped":
			if covered(t, "/proc/") {
				t.Log("no proc in a user namespace: a part of this machine's /proc is covered")
				continue
			}
			b.MapIDs(100000, 65536)
		case "shared":
			b.Spec.Linux.RootfsPropagation = kind
		}
		b.Spec.Process.User.UID, b.Spec.Process.User.GID = 1000, 1000
		b.Spec.Linux.MaskedPaths = []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"}
		if res := b.Run("--no-pivot"); !strings.Contains(res.Stdout, "mount: permission denied") {
			t.Errorf("%s: %s%s", kind, res.Stdout, res.Stderr)
		}
	}
}

func TestNoPivot(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("ls /; hostname")
	out := b.MustRun("--no-pivot")
	contains(t, out, "bin\n", "ociruntime")
}

// The host's mounts and those of a container don't see each other.
func TestMountsAreInvisible(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Caps("CAP_SYS_ADMIN").Sh("mount -t tmpfs secret /tmp && echo mounted; sleep 1000").Start()
	harness.Eventually(t, "the mount", func() bool { return b.Output() != "" })
	wantLines(t, b.Output(), "mounted")
	if strings.Contains(readFile(t, "/proc/self/mountinfo"), "secret") {
		t.Error("the host sees the container's mount")
	}
	dir := harness.TempDir(t)
	mountForTest(t, dir, "tmpfs", 0)
	if strings.Contains(b.MustExec("cat", "/proc/self/mountinfo"), dir) {
		t.Error("the container sees a later mount of the host")
	}
}

// Shared memory files of one side are invisible on the other.
func TestSharedMemoryIsInvisible(t *testing.T) {
	t.Parallel()
	name := filepath.Base(harness.Work()) + "-host"
	if err := os.WriteFile("/dev/shm/"+name, nil, 0o644); err != nil {
		t.Skip("no /dev/shm here: ", err)
	}
	defer os.Remove("/dev/shm/" + name)
	b := harness.NewBundle(t).Sh("ls /dev/shm | wc -l; touch /dev/shm/" + name + "-inside; sleep 1000").Start()
	harness.Eventually(t, "output", func() bool { return b.Output() != "" })
	wantLines(t, b.Output(), "0")
	if _, err := os.Stat("/dev/shm/" + name + "-inside"); err == nil {
		t.Error("the host sees the container's file")
	}
}
