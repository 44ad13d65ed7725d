//go:build amd64 || arm64

package kernel

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
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

// TestMakeNetwork: the namespace is a new one of the right kind, our own stays, and nothing is left when nobody takes it.
func TestMakeNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	own := inode(t, func(st *unix.Stat_t) error { return unix.Stat("/proc/self/ns/net", st) })
	before := descriptors(t)
	for i := range 50 {
		a := ahead(t, unix.CLONE_NEWNET, "net", "lo")
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
		if err := loopbackUp(fd); err != nil {
			t.Error(err)
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

func ahead(t *testing.T, flag uintptr, file, device string) *Ahead {
	t.Helper()
	a, err := makeAhead(flag, file, device)
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
	before := descriptors(t)
	for _, c := range []struct {
		flag         uintptr
		file, device string
		want         unix.Errno
	}{{1 << 40, "net", "", unix.EINVAL}, {0, "nothing", "", unix.ENOENT}, {0, "net", "nothing", unix.ENODEV}} {
		a := ahead(t, c.flag, c.file, c.device)
		if _, err := a.Take(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.file, err, c.want)
		}
		a.Close()
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
}

// loopbackUp looks at lo in another network namespace.
func loopbackUp(namespace int) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
		return err
	}
	lo, err := net.InterfaceByName("lo")
	if err == nil && lo.Flags&net.FlagUp == 0 {
		err = errors.New("lo is down")
	}
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return back // with the thread, which no other goroutine gets
	}
	runtime.UnlockOSThread()
	return err
}
