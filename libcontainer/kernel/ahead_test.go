//go:build amd64 || arm64

package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func inode(t *testing.T, stat func(*unix.Stat_t) error) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := stat(&st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// TestMakeAhead: the namespace is a new one of the right kind, our own stays, and nothing is left when nobody takes it.
func TestMakeAhead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	own := inode(t, func(st *unix.Stat_t) error { return unix.Stat("/proc/self/ns/net", st) })
	before := descriptors(t)
	for i := range 50 {
		a := makeAhead(t, unix.CLONE_NEWNET, "net")
		if i%2 == 0 {
			a.Close()
			continue
		}
		fd, err := a.Take()
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
			t.Errorf("kind %#x, %v", kind, err)
		}
		if inode(t, func(st *unix.Stat_t) error { return unix.Fstat(fd, st) }) == own {
			t.Error("it is our own")
		}
		a.Close()
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	}
	if now := inode(t, func(st *unix.Stat_t) error { return unix.Stat("/proc/self/ns/net", st) }); now != own {
		t.Error("we are in another namespace")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("a child is left: %v", err)
	}
}

func makeAhead(t *testing.T, flag uintptr, file string) *Ahead {
	t.Helper()
	a, err := MakeAhead(flag, file)
	if errors.Is(err, unix.EINVAL) {
		t.Skip("no process may share our memory here, as under user-mode emulation")
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestMakeAheadRefused(t *testing.T) {
	for _, c := range []struct {
		flag uintptr
		file string
		want unix.Errno
	}{{1 << 40, "net", unix.EINVAL}, {0, "nothing", unix.ENOENT}} {
		a := makeAhead(t, c.flag, c.file)
		if _, err := a.Take(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.file, err, c.want)
		}
		a.Close()
	}
}
