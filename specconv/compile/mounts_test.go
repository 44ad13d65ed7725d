package compile

import (
	"fmt"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

func (in *input) addSource(i int, dir bool) {
	if in.Facts.Sources == nil {
		in.Facts.Sources = map[int]facts.Source{}
	}
	in.Facts.Sources[i] = facts.Source{Dir: dir}
}

func cgroupMount() *specs.Spec {
	s := smallSpec()
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	s.Mounts = []specs.Mount{{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "ro"}}}
	return s
}

// CVE-2023-25809: where the kernel refuses a fresh cgroup2 mount, what is bound
// in its place has the same restrictions.
func TestCgroup2Fallback(t *testing.T) {
	restricted := "{+ro|nosuid|nodev|noexec}"

	l := live(t, cgroupMount(), nil)
	l.executed()
	l.inOrder(`fsopen("cgroup2"`, "CMD_CREATE", "fsmount(fd3, FSMOUNT_CLOEXEC, ro|nosuid|nodev|noexec)", `"sys/fs/cgroup"`, "move_mount(")

	for _, call := range []plan.Call{plan.SysFsopen, plan.SysFsconfig, plan.SysFsmount} {
		for _, errno := range []unix.Errno{unix.EPERM, unix.EBUSY} {
			l := live(t, cgroupMount(), nil, plan.Answer{Call: call, Errno: errno})
			l.executed()
			l.inOrder("= "+unix.ErrnoName(errno), restricted, "move_mount(")
			moves, set := l.calls("|T_EMPTY_PATH"), l.calls(restricted)
			if len(moves) != 1 || len(set) != 1 {
				t.Errorf("%s says %v: mounts %q, restricted by %q", call, errno, moves, set)
			}
		}
	}
	live(t, cgroupMount(), nil, plan.Answer{Call: plan.SysFsopen, Errno: unix.ENODEV}).failed(unix.ENODEV, "cgroup tree on /sys/fs/cgroup")
	// The fallback can't be restricted: it is not mounted at all.
	l = live(t, cgroupMount(), nil, plan.Answer{Call: plan.SysFsmount, Errno: unix.EPERM}, plan.Answer{Call: plan.SysMountSetattr, Has: "+ro", Errno: unix.EPERM})
	l.failed(unix.EPERM, "cgroup tree on /sys/fs/cgroup")
	if len(l.calls("|T_EMPTY_PATH")) > 0 {
		t.Error("mounted all the same")
	}
}

func TestDeviceThatIsThere(t *testing.T) {
	s := smallSpec()
	s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8, Minor: 0}}
	exists := plan.Answer{Call: plan.SysMknodat, Has: `"sda"`, Errno: unix.EEXIST}
	live(t, s, nil).executed()
	live(t, s, nil, exists, statxAnswer(unix.S_IFBLK|0o660, 8, 0)).executed()
	for name, there := range map[string]plan.Answer{
		"a file":         statxAnswer(unix.S_IFREG|0o644, 0, 0),
		"another kind":   statxAnswer(unix.S_IFCHR|0o660, 8, 0),
		"another device": statxAnswer(unix.S_IFBLK|0o660, 8, 1),
	} {
		t.Run(name, func(t *testing.T) {
			live(t, s, nil, exists, there).failed(unix.ENXIO, "/dev/sda exists and is not the device asked for")
		})
	}
	link := plan.Answer{Call: plan.SysOpenat2, Has: `"sda", {O_PATH|O_NOFOLLOW`, Errno: unix.ELOOP}
	live(t, s, nil, exists, link).failed(unix.ELOOP, "/dev/sda exists and is not the device asked for")
	// A read-only file system that has no such device.
	live(t, s, nil, plan.Answer{Call: plan.SysMknodat, Has: `"sda"`, Errno: unix.EROFS}).failed(unix.EROFS, "make the device /dev/sda")
}

// An image's own /dev/ptmx would open terminals of another devpts.
func TestPtmxOfTheImage(t *testing.T) {
	l := live(t, smallSpec(), nil, plan.Answer{Call: plan.SysSymlinkat, Has: `"ptmx"`, Only: 1, Errno: unix.EEXIST})
	l.executed()
	l.inOrder(`symlinkat("pts/ptmx"`, `unlinkat(`, `symlinkat("pts/ptmx"`)
}

// CVE-2025-52565: a terminal comes from a ptmx that is checked to be one, and
// goes on a /dev/console that is no link.
func TestTerminal(t *testing.T) {
	s := smallSpec()
	s.Process.Terminal = true
	ptmx := statxAnswer(unix.S_IFCHR|0o666, 5, 2)
	l := live(t, s, nil, ptmx)
	l.executed()
	l.inOrder("setsid()", "pivot_root(", `"dev/pts/ptmx"`, "TIOCGPTPEER", `"dev/console", {O_PATH|O_CLOEXEC, IN_ROOT|NO_MAGICLINKS|NO_SYMLINKS}`, "move_mount(", "sendmsg(console", "TIOCSCTTY", "execve(")
	live(t, s, nil, null()).failed(unix.ENXIO, "open a terminal")
	live(t, s, nil, ptmx, plan.Answer{Call: plan.SysOpenat2, Has: `"dev/console"`, Errno: unix.ELOOP}).failed(unix.ELOOP, "mount the terminal on /dev/console")
}

// stdio that is the host's /dev/null becomes the container's, if that has one.
func TestNullStdio(t *testing.T) {
	hosts := func(in *input) { in.Facts.Stdio[0].Null, in.Facts.Stdio[2].Null = true, true }
	l := live(t, smallSpec(), hosts, null())
	l.executed()
	if got := l.calls("dup3("); len(got) != 2 || !strings.Contains(got[0], ", 0, 0)") || !strings.Contains(got[1], ", 2, 0)") {
		t.Errorf("stdio: %q", got)
	}
	l = live(t, smallSpec(), hosts, plan.Answer{Call: plan.SysOpenat2, Has: `"dev/null", {O_RDWR`, Errno: unix.ENOENT})
	l.executed()
	if got := l.calls("dup3("); len(got) != 0 {
		t.Errorf("stdio: %q", got)
	}
	live(t, smallSpec(), hosts, statxAnswer(unix.S_IFCHR|0o666, 8, 0)).failed(unix.ENXIO, "use the container's /dev/null")
}

// The old root is out of reach, and of propagation, before anything of the
// container can run.
func TestPivot(t *testing.T) {
	l := live(t, smallSpec(), nil)
	l.inOrder(`mount_setattr(cwd, "/", AT_RECURSIVE, {slave})`, "move_mount(", "fchdir(", `pivot_root(".", ".")`, "umount2(", "fchdir(", "getcwd(", "execve(")
	s := smallSpec()
	s.Linux.RootfsPropagation = "shared"
	l = live(t, s, nil)
	l.inOrder("{private}", `pivot_root(".", ".")`, "{slave}", "umount2(", "{shared}", "execve(")
}

// Without pivot_root the old root stays in the mount namespace. The new one has
// to cover it: exec starts at the namespace's root, and chroot alone is no wall.
func TestNoPivotCoversTheOldRoot(t *testing.T) {
	l := live(t, smallSpec(), func(in *input) { in.NoPivot = true })
	l.executed()
	l.inOrder(`move_mount(fd2, "", cwd, "/"`, "fchdir(fd2)", `chroot(".")`, "execve(")

	// But not the host's.
	s := smallSpec()
	s.Linux.RootfsPropagation = "shared"
	l = live(t, s, func(in *input) { in.NoPivot = true })
	l.inOrder(`mount_setattr(cwd, "/", 0, {private})`, `move_mount(fd2, "", cwd, "/"`)
}

// What is kept for each of many mounts does not need a register each.
func TestMoreMountsThanRegisters(t *testing.T) {
	s := smallSpec()
	const n = 300
	for i := range n {
		dest := fmt.Sprintf("/many/%d", i)
		s.Mounts = append(s.Mounts,
			specs.Mount{Destination: dest, Type: "tmpfs", Options: []string{"ro"}},
			specs.Mount{Destination: "/other" + dest, Type: "tmpfs"},
			specs.Mount{Destination: "/cgroup" + dest, Type: "cgroup"})
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/other"+dest+"/file")
	}
	l := live(t, s, func(in *input) { in.Facts.Cgroup2 = false }, null())
	l.executed()
	if got := len(l.calls("{+ro}")); got != n {
		t.Errorf("%d mounts became read-only, want %d", got, n)
	}
	// The paths are looked for in the mounts themselves: "file", not "other/many/7/file".
	if got := len(l.calls(`"file", {O_PATH`)); got != n {
		t.Errorf("%d paths were masked in their mounts, want %d", got, n)
	}
	// All that is open at a time is more than the usual limit, which the program gets all the same.
	l.inOrder("prlimit64(0, RLIMIT_NOFILE, 0, limits)", "prlimit64(0, RLIMIT_NOFILE, higher limits", "pivot_root", "prlimit64(0, RLIMIT_NOFILE, limits", "execve(")
}

// Before Linux 6.17 nobody outside of a pid namespace can make a procfs of it, and whoever is
// inside has entered the user namespace, too.
func TestProcOfOthers(t *testing.T) {
	spec := smallSpec()
	spec.Linux = &specs.Linux{
		Namespaces: []specs.LinuxNamespace{
			{Type: specs.MountNamespace}, {Type: specs.UserNamespace}, {Type: specs.PIDNamespace, Path: "/proc/77/ns/pid"},
		},
		UIDMappings: []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}},
		GIDMappings: []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}},
	}
	spec.Mounts = []specs.Mount{{Destination: "/tmp", Type: "tmpfs"}, {Destination: "/proc", Type: "proc", Source: "proc"}}
	for _, test := range []struct {
		foreign, able bool
		want          string
	}{
		{true, false, "mounts[1]: a procfs of /proc/77/ns/pid, which does not belong to the container's user namespace, needs Linux 6.17"},
		{true, true, ""},
		{false, false, ""},
	} {
		in := ordinaryInput()
		in.Facts.Joined = map[int]facts.Namespace{2: {Foreign: test.foreign}}
		in.Facts.ProcOfOthers = test.able
		_, err := Create(&Input{ID: "c1", Bundle: "/bundle", Spec: spec, Facts: in.Facts, Warn: func(string) {}})
		if got := fmt.Sprint(err); (err != nil || test.want != "") && got != test.want {
			t.Errorf("foreign %v, pidns known %v: error %v, want %q", test.foreign, test.able, err, test.want)
		}
	}
}
