package integration

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Each test here tries a past escape. The root filesystem is the attacker's.

// link replaces a file or an empty directory of the root filesystem by a
// symbolic link.
func link(t *testing.T, b *harness.Bundle, name, target string) {
	t.Helper()
	full := filepath.Join(b.Rootfs, name)
	if err := os.RemoveAll(full); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, full); err != nil {
		t.Fatal(err)
	}
}

// wantUntouched checks that a directory of the host holds nothing and has no
// mount on it or below.
func wantUntouched(t *testing.T, dir string) {
	t.Helper()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the host's %s now holds %v", dir, left)
	}
	if strings.Contains(readFile(t, "/proc/self/mountinfo"), dir) {
		t.Errorf("there is a mount at the host's %s", dir)
	}
}

func TestChrootEscape(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Writable().Caps("CAP_SYS_CHROOT").Probe("chroot-escape", harness.Work())
	wantLines(t, b.MustRun(), "still inside")
}

// A process of the container must not get at the init that joins it.
func TestCVE2016_9962(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 makes its init dumpable while it waits")
	b := sleeper(t).MapIDs(100000, 65536).Create()
	// The kernel gives /proc/PID of an undumpable process to the real root.
	var stat unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/fd", b.Pid()), &stat); err != nil {
		t.Fatal(err)
	}
	if stat.Uid != 0 {
		t.Errorf("the waiting init is dumpable: its /proc belongs to %d", stat.Uid)
	}
}

// The init of a create that was killed lives on for a moment, here for longer,
// in the host's root: nobody may follow it there.
func TestExecIntoUnfinishedContainer(t *testing.T) {
	t.Parallel()
	ours(t, "keeps no state of a container that is being created")
	b := sleeper(t)
	addHook(b.Spec, "createRuntime", hook(`kill -STOP $(sed 's/.*"pid": *\([0-9]*\).*/\1/') && kill -KILL $PPID`))
	b.TryCreate()
	if status := b.State().Status; status != specs.StateCreating {
		t.Fatalf("status %s", status)
	}
	res := b.Exec("ls", "/")
	if res.Code == 0 || !strings.Contains(res.Message(), "being created") {
		t.Errorf("exec: %d, %s\n%s", res.Code, res.Message(), res.Stdout)
	}
	b.Must("delete", "--force", b.ID)
}

// What a container sees as /proc/PID/exe can't be written to, and is not
// the runtime's own file.
func TestCVE2019_5736(t *testing.T) {
	t.Parallel()
	before := fileSum(t, harness.Path())
	b := sleeper(t).Create()
	exe := fmt.Sprintf("/proc/%d/exe", b.Pid())
	if a, err := os.Stat(exe); err != nil {
		t.Fatal(err)
	} else if own, err := os.Stat(harness.Path()); harness.Peer() == "" && (err != nil || os.SameFile(a, own)) {
		t.Errorf("the waiting init is the runtime's own file (%v)", err)
	}
	if f, err := os.OpenFile(exe, os.O_WRONLY, 0); err == nil {
		f.Close()
		t.Error("the waiting init's file can be opened for writing")
	}
	if harness.Peer() == "" {
		f, err := os.Open(exe)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
		if seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0); err != nil || seals&want != want {
			t.Errorf("seals %#x, %v", seals, err)
		}
	}
	b.Must("start", b.ID)

	// The classic: the container asks the runtime to execute itself.
	self := harness.NewBundle(t).Args("/proc/self/exe", "--version")
	if res := self.Run(); strings.Contains(res.Stdout, " version ") && harness.Peer() == "" {
		t.Errorf("the container executed the runtime: %q", res.Stdout)
	}

	// And an attacker who watches for those that come by exec.
	watch := harness.NewBundle(t).Caps("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE").Sh(`
		while :; do for p in /proc/[0-9]*; do
			l=$(readlink $p/exe) && case $l in /bin/busybox|"") ;; *) echo "$l";; esac
			{ echo owned >>$p/exe; } 2>/dev/null && [ "$l" != /bin/busybox ] && echo "WRITTEN $l"
		done; done 2>/dev/null`).Start()
	for range 10 {
		watch.MustExec("true")
	}
	if out := watch.Output(); strings.Contains(out, "WRITTEN") || strings.Contains(out, harness.Path()) {
		t.Errorf("seen from inside: %s", out)
	}
	if fileSum(t, harness.Path()) != before {
		t.Error("the runtime's own file has changed")
	}
}

func fileSum(t *testing.T, name string) [32]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// With something else than a procfs at /proc, writes that the runtime owes
// the container must not end in the attacker's files.
func TestCVE2019_16884(t *testing.T) {
	t.Parallel()
	fake := harness.TempDir(t)
	shmmni := filepath.Join(fake, "sys/kernel/shmmni")
	if err := os.MkdirAll(filepath.Dir(shmmni), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(shmmni, []byte("4096\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := sleeper(t)
	b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = nil, nil
	b.Spec.Mounts[0] = specs.Mount{Source: fake, Destination: "/proc", Type: "bind", Options: []string{"bind"}}
	b.Spec.Linux.Sysctl = map[string]string{"kernel.shmmni": "1234"}
	res := b.TryCreate()
	if got := readFile(t, shmmni); got != "4096\n" {
		t.Errorf("the write went to the fake file: %q", got)
	}
	if res.Code == 0 {
		out, err := exec.Command("nsenter", "-t", fmt.Sprint(b.Pid()), "-i", "cat", "/proc/sys/kernel/shmmni").Output()
		if err != nil || string(out) != "1234\n" {
			t.Errorf("created, but the sysctl is %q (%v)", out, err)
		}
	}
}

// /proc and /sys must be real directories: also CVE-2023-27561,
// CVE-2023-28642 and youki's CVE-2025-54867.
func TestCVE2019_19921(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"proc", "sys"} {
		for _, target := range []string{"tmp", "/tmp", "../../../../tmp"} {
			b := sleeper(t)
			link(t, b, name, target)
			message := b.FailRun()
			if harness.Peer() == "" {
				contains(t, message, "/"+name)
				contains(t, message, "a symbolic link of the root file system is in the way")
			}
		}
	}
}

// Another container with the same root filesystem gives /proc a new name while this one
// is being made. The mount goes with it, and so must its protection.
func TestCVE2019_19921Rename(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "protects paths by their names")
	harness.SkipOnPeer(t, "crun", "protects paths by their names")
	b := harness.NewBundle(t).Writable().Sh("for d in /proc /renamed; do ! test -e $d/sys/kernel || ! true >$d/sys/kernel/core_pattern || echo open $d; done 2>/dev/null")
	b.Caps().Save()
	stop := make(chan struct{})
	var attacker sync.WaitGroup
	attacker.Go(func() {
		proc, renamed := filepath.Join(b.Rootfs, "proc"), filepath.Join(b.Rootfs, "renamed")
		for {
			select {
			case <-stop:
				return
			default:
			}
			if os.Rename(proc, renamed) == nil {
				_ = os.Mkdir(proc, 0o755)
				time.Sleep(200 * time.Microsecond)
				_ = os.Remove(proc)
			}
			_ = os.Rename(renamed, proc)
			time.Sleep(800 * time.Microsecond)
		}
	})
	// Some fail, which is as good.
	for range 60 {
		if res := b.Run(); strings.Contains(res.Stdout, "open") {
			t.Error(res.Stdout)
		}
	}
	close(stop)
	attacker.Wait()
}

// Mount targets that are links, or become links while the runtime works, never
// lead out of the root filesystem. Also CVE-2019-18837.
func TestCVE2021_30465(t *testing.T) {
	t.Parallel()
	host := harness.TempDir(t)
	for _, target := range []string{host, strings.Repeat("../", 20) + host[1:]} {
		b := harness.NewBundle(t).Writable().Sh("grep -c evil /proc/self/mountinfo")
		link(t, b, "evil", target)
		b.Mount("evil", "/evil/below", "tmpfs")
		if res := b.Run(); res.Code == 0 && strings.TrimSpace(res.Stdout) != "1" {
			t.Errorf("the mount is not inside: %+v", res)
		}
		wantUntouched(t, host)
	}
}

func TestCVE2021_30465Race(t *testing.T) {
	t.Parallel()
	raceWithLink(t, func(b *harness.Bundle) { b.Mount("evil", "/race/x", "tmpfs") })
}

// Directories and files for mount points are never made outside.
func TestCVE2024_45310Race(t *testing.T) {
	t.Parallel()
	source := harness.TempDir(t)
	raceWithLink(t, func(b *harness.Bundle) {
		b.Mount(source, "/race/a/b/c", "bind", "bind").Mount("/etc/hostname", "/race/d/e", "bind", "bind")
	})
}

// raceWithLink creates containers while somebody exchanges /race, all the
// time, with a link that leads to a directory of the host.
func raceWithLink(t *testing.T, prepare func(b *harness.Bundle)) {
	t.Helper()
	harness.SkipOnPeer(t, "runc", "1.1 loses the race")
	host := harness.TempDir(t)
	b := sleeper(t).Writable()
	prepare(b)
	race, evil := filepath.Join(b.Rootfs, "race"), filepath.Join(b.Rootfs, "evil")
	if err := os.Mkdir(race, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(strings.Repeat("../", 20)+host[1:], evil); err != nil {
		t.Fatal(err)
	}
	b.Save()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, race, unix.AT_FDCWD, evil, unix.RENAME_EXCHANGE)
				time.Sleep(20 * time.Microsecond)
			}
		}
	})
	came := 0
	for range 20 {
		if res := b.TryCreate(); res.Code == 0 {
			came++
		}
		b.Must("delete", "--force", b.ID)
		wantUntouched(t, host)
	}
	close(stop)
	wg.Wait()
	t.Logf("%d of 20 containers came up", came)
}

// Oversized values must not overflow into their neighbours.
func TestCVE2021_43784(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Namespace(specs.NetworkNamespace, "/"+strings.Repeat("x", 70000))
	b.FailRun()
	big := harness.NewBundle(t).Sh("echo ${#A} ${#1} $#")
	big.Spec.Process.Env = append(big.Spec.Process.Env, "A="+strings.Repeat("a", 70000))
	big.Spec.Process.Args = append(big.Spec.Process.Args, "0", strings.Repeat("b", 100000))
	for range 2000 {
		big.Spec.Process.Args = append(big.Spec.Process.Args, "arg")
	}
	wantLines(t, big.MustRun(), "70000 100000 2001")
}

// No capability is inheritable unless config.json says so, neither for the
// container's process nor by `exec --cap` (CVE-2022-27650).
func TestCVE2022_29162(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	if got := harness.StatusField(b.Pid(), "CapInh"); got != capMask() {
		t.Errorf("CapInh is %s", got)
	}
	for _, args := range [][]string{{"exec", b.ID}, {"exec", "--cap", "CAP_NET_RAW", b.ID}} {
		out := b.Must(append(args, "grep", "CapInh", "/proc/self/status")...)
		if out != "CapInh:\t"+capMask()+"\n" {
			t.Errorf("%v: %s", args, out)
		}
	}
}

// A working directory through a leaked descriptor would be the host's.
func TestCVE2024_21626(t *testing.T) {
	t.Parallel()
	script := "ls -d ./../../../../../../../../.." + harness.Work() + " && echo ESCAPED"
	running := sleeper(t).Start()
	for fd := 3; fd < 20; fd++ {
		cwd := fmt.Sprintf("/proc/self/fd/%d", fd)
		b := harness.NewBundle(t).Sh(script)
		if fd%2 == 0 {
			link(t, b, "cwd", cwd)
			cwd = "/cwd"
		}
		b.Spec.Process.Cwd = cwd
		if res := b.Run(); strings.Contains(res.Stdout, "ESCAPED") || res.Code == 0 {
			t.Errorf("cwd %s: %+v", cwd, res)
		}
		res := running.Runtime.Run("exec", "--cwd", fmt.Sprintf("/proc/self/fd/%d", fd), running.ID, "sh", "-c", script)
		if strings.Contains(res.Stdout, "ESCAPED") || res.Code == 0 {
			t.Errorf("exec --cwd %s: %+v", cwd, res)
		}
	}
}

// The mask of a file is the host's null device, whatever the container has
// at /dev/null. Also youki's CVE-2025-62161.
func TestCVE2025_31133(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 binds what it finds")
	b := harness.NewBundle(t).File("evil", "evil\n", 0o666).File("secret", "secret\n", 0o644).Sh("wc -c </secret; stat -c %t:%T /secret")
	// Without a fresh /dev, the image's own link is there.
	b.Spec.Mounts = []specs.Mount{b.Spec.Mounts[0]}
	b.Spec.Linux.MaskedPaths = []string{"/secret"}
	link(t, b, "dev/null", "../evil")
	if res := b.Run(); res.Code == 0 && res.Stdout != "0\n1:3\n" {
		t.Errorf("masked by the attacker's file: %+v", res)
	}
	if got := readFile(t, filepath.Join(b.Rootfs, "evil")); got != "evil\n" {
		t.Errorf("the link was followed: %q", got)
	}
}

// The terminal is not put over whatever /dev/console points at.
func TestCVE2025_52565(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 follows the link")
	socket := harness.NewSocket(t)
	b := sleeper(t).File("victim", "victim\n", 0o644).Edit(process(func(p *specs.Process) { p.Terminal = true }))
	b.Spec.Mounts = []specs.Mount{b.Spec.Mounts[0], b.Spec.Mounts[2]}
	if err := os.MkdirAll(filepath.Join(b.Rootfs, "dev/pts"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.Writable()
	link(t, b, "dev/console", "../victim")
	if res := b.TryCreate("--console-socket", socket.Path); res.Code == 0 {
		if out := b.MustExec("cat", "/proc/self/mountinfo"); strings.Contains(out, " /victim ") {
			t.Error("the terminal is mounted over the link's target")
		}
	}
}

// Writes below /proc/sys can't be redirected by what is mounted there.
func TestCVE2025_52881(t *testing.T) {
	t.Parallel()
	victim := filepath.Join(harness.TempDir(t), "victim")
	if err := os.WriteFile(victim, []byte("victim"), 0o666); err != nil {
		t.Fatal(err)
	}
	b := sleeper(t).Mount(victim, "/proc/sys/kernel/shmmni", "bind", "bind")
	b.Spec.Linux.Sysctl = map[string]string{"kernel.shmmni": "1234"}
	b.TryCreate()
	if got := readFile(t, victim); got != "victim" {
		t.Errorf("the sysctl was written to the mounted file: %q", got)
	}
}

// /dev as a link in the image, before the root is changed. Also crun's
// CVE-2026-47766.
func TestCVE2026_41579(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 writes its links to the host")
	for _, keepDevMount := range []bool{true, false} {
		host := harness.TempDir(t)
		b := sleeper(t).Writable()
		link(t, b, "dev", host)
		if !keepDevMount {
			b.Spec.Mounts = []specs.Mount{b.Spec.Mounts[0]}
		}
		res := b.TryCreate()
		t.Logf("create: exit %d", res.Code)
		wantUntouched(t, host)
	}
}

// `exec --user 1` means uid 1.
func TestCVE2026_30892(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	for user, want := range map[string]string{"1": "1 0", "1:2": "1 2", "0:7": "0 7", "4294967294": "4294967294 0"} {
		if user == "4294967294" && harness.Peer() == "runc" {
			continue
		}
		if out := b.Must("exec", "--user", user, b.ID, "sh", "-c", "echo $(id -u) $(id -g)"); out != want+"\n" {
			t.Errorf("--user %s: %s", user, out)
		}
	}
}

// exec gives the capabilities of config.json and not more, for root and for
// other users (youki).
func TestCVE2025_27612(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Caps("CAP_CHOWN").Start()
	want := "CapInh:\t" + capMask() + "\nCapPrm:\t" + capMask(capChown) + "\nCapEff:\t" + capMask(capChown) + "\nCapBnd:\t" + capMask(capChown) + "\nCapAmb:\t" + capMask()
	if out := b.MustExec("grep", "^Cap", "/proc/self/status"); out != want {
		t.Errorf("exec: %q, want %q", out, want)
	}
	out := b.Must("exec", "--user", "1000", b.ID, "grep", "-E", "^Cap(Prm|Eff|Amb)", "/proc/self/status")
	if strings.Count(out, capMask()) != 3 {
		t.Errorf("exec as another user: %q", out)
	}
}

// A container without a terminal gets no hold of its caller's: it could put
// keystrokes into it (bubblewrap).
func TestCVE2017_5226(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("echo terminal $(cut -d' ' -f7 /proc/self/stat); (: </dev/tty) 2>/dev/null && echo OPENED; echo end")
	cmd := b.Command("run")
	master := startOnPty(t, cmd)
	out := readUntil(t, master, "end")
	contains(t, out, "terminal 0\r\n")
	if strings.Contains(out, "OPENED") {
		t.Error("the container opened its caller's terminal")
	}
}

// Nothing of the host's is reachable through the descriptors or the memory
// of the waiting init.
func TestWaitingInitHoldsNothingOfTheHosts(t *testing.T) {
	t.Parallel()
	ours(t, "it is a copy of the runtime")
	b := sleeper(t).Create()
	pid := b.Pid()
	const kept = 4 // standard input, output and error, and the socket on which it waits
	var fds []os.DirEntry
	// Create ends a moment before the init lets go of what it needs no more.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if fds, err = os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err != nil {
			t.Fatal(err)
		}
		if len(fds) <= kept || time.Now().After(deadline) {
			break
		}
	}
	for _, fd := range fds {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		t.Logf("fd %s: %s", fd.Name(), target)
		if fd.Name() > "2" && strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "/memfd:") && !strings.HasPrefix(target, "/dev/null") {
			t.Errorf("fd %s of the waiting init is %s", fd.Name(), target)
		}
	}
	if env := readFile(t, fmt.Sprintf("/proc/%d/environ", pid)); env != "" {
		t.Errorf("the waiting init has an environment: %q", env)
	}
	for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/maps", pid))) {
		if fields := strings.Fields(line); len(fields) > 5 && strings.HasPrefix(fields[5], "/") &&
			!strings.HasPrefix(fields[5], "/memfd:") && !strings.HasPrefix(fields[5], b.Root) {
			t.Errorf("mapped: %s", line)
		}
	}
	if root, _ := os.Readlink(fmt.Sprintf("/proc/%d/root", pid)); root != "/" {
		t.Errorf("root %s", root)
	}
}
