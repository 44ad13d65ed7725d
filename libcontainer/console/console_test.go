package console

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudoterminal. Its reads time out, so that a test fails and doesn't hang.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	for _, f := range []*os.File{master, slave} {
		if err := f.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return master, slave
}

// handOver is a copy of a test's master for Attach to own, blocking as one that comes out of a
// socket.
func handOver(t *testing.T, master *os.File) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = master.Close()
	return os.NewFile(uintptr(fd), "master")
}

func modes(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

func size(t *testing.T, f *os.File) unix.Winsize {
	t.Helper()
	s, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

func setSize(t *testing.T, f *os.File, rows, cols uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		t.Fatal(err)
	}
}

func wantRead(t *testing.T, f *os.File, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if n, err := io.ReadFull(f, buf); err != nil || string(buf) != want {
		t.Fatalf("read %q (%v), want %q", buf[:n], err, want)
	}
}

func write(t *testing.T, f *os.File, text string) {
	t.Helper()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestReceive(t *testing.T) {
	master, _ := openTerminal(t)
	for _, c := range []struct {
		name string
		text string
		fds  []int
		ok   bool
	}{
		{"a master", "/dev/pts/ptmx", []int{int(master.Fd())}, true},
		{"no descriptor", "/dev/pts/ptmx", nil, false},
		{"two descriptors", "/dev/pts/ptmx", []int{0, 1}, false},
	} {
		ours, theirs := socketpair(t)
		var control []byte
		if c.fds != nil {
			control = unix.UnixRights(c.fds...)
		}
		if err := unix.Sendmsg(theirs, []byte(c.text), control, nil, 0); err != nil {
			t.Fatal(err)
		}
		f, err := Receive(ours)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			continue
		}
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if !IsTerminal(int(f.Fd())) || f.Name() != c.text || err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: received %s, flags %x, %v", c.name, f.Name(), flags, err)
		}
		_ = f.Close()
	}
}

func TestReceiveFromAClosedSocket(t *testing.T) {
	ours, theirs := socketpair(t)
	if err := unix.Shutdown(theirs, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if f, err := Receive(ours); err == nil {
		t.Errorf("received %s", f.Name())
	}
}

func socketpair(t *testing.T) (ours *os.File, theirs int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours = os.NewFile(uintptr(pair[0]), "ours")
	t.Cleanup(func() { _ = ours.Close(); _ = unix.Close(pair[1]) })
	return ours, pair[1]
}
