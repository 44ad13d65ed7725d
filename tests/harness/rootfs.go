package harness

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Rootfs makes a root filesystem in a directory that doesn't exist yet, or
// skips the test with a reason.
type Rootfs func(t T, dir string)

// Empty is a directory with nothing in it.
func Empty(t T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Busybox is a static busybox with a link for each applet: a private copy for
// the test, made in a few milliseconds.
func Busybox(t T, dir string) {
	t.Helper()
	bin, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox on this host (tests/install-deps)")
	}
	for _, d := range []string{"bin", "dev", "etc", "proc", "root", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(busyboxCopy(t, bin), filepath.Join(dir, "bin/busybox")); err != nil {
		t.Fatal(err)
	}
	for _, applet := range applets(bin) {
		// Hard links: hundreds of symbolic ones cost a second on some disks.
		if err := os.Link(filepath.Join(dir, "bin/busybox"), filepath.Join(dir, "bin", applet)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
		"etc/group":  "root:x:0:\ntty:x:5:\nuser:x:1000:\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var busyboxMutex sync.Mutex

// busyboxCopy is the run's one copy of busybox, which the root filesystems
// have hard links of.
func busyboxCopy(t T, bin string) string {
	t.Helper()
	busyboxMutex.Lock()
	defer busyboxMutex.Unlock()
	name := filepath.Join(Work(), "busybox")
	if _, err := os.Stat(name); err == nil {
		return name
	}
	if err := CopyFile(bin, name, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// chown hands a tree over to a user. Of files with more links than one, a
// copy takes the place: the others' files keep their owner.
func chown(t T, dir string, id int) {
	t.Helper()
	copies := map[uint64]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(name, &stat); err != nil {
			return err
		}
		if d.Type().IsRegular() && stat.Nlink > 1 {
			if first, ok := copies[stat.Ino]; ok {
				return errors.Join(os.Remove(name), os.Link(first, name))
			}
			copies[stat.Ino] = name
			fresh := name + ".copy"
			if err := CopyFile(name, fresh, os.FileMode(stat.Mode&0o777)); err != nil {
				return err
			}
			if err := os.Rename(fresh, name); err != nil {
				return err
			}
		}
		return os.Lchown(name, id, id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

var (
	appletsOnce sync.Once
	appletNames []string
)

func applets(busybox string) []string {
	appletsOnce.Do(func() {
		out, _ := exec.Command(busybox, "--list").Output()
		appletNames = strings.Fields(string(out))
	})
	return appletNames
}

// MkRootfs is a root filesystem of the host's own programs, made by
// contrib/mkrootfs.
func MkRootfs(programs ...string) Rootfs {
	return func(t T, dir string) {
		t.Helper()
		script := filepath.Join(sourceTop(t), "contrib/mkrootfs")
		if out, err := exec.Command(script, append([]string{dir}, programs...)...).CombinedOutput(); err != nil {
			t.Fatalf("mkrootfs: %v\n%s", err, out)
		}
	}
}

// Debian is a minimal Debian by debootstrap. It is made once, kept in the
// user's cache folder and copied by hard links: a test may add and remove
// files, and must not change one in place.
func Debian(t T, dir string) {
	t.Helper()
	cached := debian(t)
	if err := exec.Command("cp", "-al", cached, dir).Run(); err == nil {
		return
	}
	// The cache may lie on another filesystem.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", cached, dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
}

var debianMutex sync.Mutex

const debianSuite = "bookworm"

func debian(t T) string {
	t.Helper()
	debianMutex.Lock()
	defer debianMutex.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no place to keep a Debian root filesystem: %v", err)
	}
	dir := filepath.Join(cache, "ociruntime-tests", debianSuite)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		t.Skip("no debootstrap on this host (tests/install-deps)")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	unfinished := dir + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("debootstrap", "--variant=minbase", debianSuite, unfinished)
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(unfinished)
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skipf("debootstrap: %v: %s", err, lines[len(lines)-1])
	}
	if err := os.Rename(unfinished, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sourceTop is the top of the source tree.
func sourceTop(t T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

// notWhileForking runs write, which writes a program, while no other test
// forks: a child would keep the file open for writing until its own execve,
// and nobody could execute it (ETXTBSY).
func notWhileForking(write func() error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return write()
}

// CopyFile copies a program that is then executed.
func CopyFile(from, to string, mode os.FileMode) error {
	return notWhileForking(func() error { return copyData(from, to, mode) })
}

func copyData(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
