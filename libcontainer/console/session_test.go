package console

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

func TestSession(t *testing.T) {
	// a person's keyboard and screen, and the terminal that we were started on
	user, ours := openTerminal(t)
	master, theirs := openTerminal(t)
	setSize(t, ours, 40, 100)
	before := modes(t, ours)

	s, err := Attach(handOver(t, master), ours, ours)
	if err != nil {
		t.Fatal(err)
	}
	if got := size(t, theirs); got.Row != 40 || got.Col != 100 {
		t.Errorf("size of the container's terminal: %+v", got)
	}
	write(t, user, "typed\r")
	wantRead(t, theirs, "typed\n")
	wantRead(t, user, "typed\r\n") // the container's terminal echoes, ours doesn't
	write(t, theirs, "said\n")
	wantRead(t, user, "said\r\n")

	setSize(t, ours, 50, 120)
	if err := s.Resize(); err != nil {
		t.Fatal(err)
	}
	if got := size(t, theirs); got.Row != 50 || got.Col != 120 {
		t.Errorf("size after a change: %+v", got)
	}
	write(t, theirs, "last words\n")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantRead(t, user, "last words\r\n")
	if now := modes(t, ours); now != before {
		t.Errorf("modes after the session: %+v, before: %+v", now, before)
	}
}

// A process that has ended may leave others at the terminal: its output is complete all the same,
// and theirs isn't waited for.
func TestSessionDrains(t *testing.T) {
	master, theirs := openTerminal(t)
	in, _, out, screen := pipes(t)
	s, err := Attach(handOver(t, master), in, out)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("x", 3000)
	write(t, theirs, want)
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > drainTime/2 {
		t.Errorf("closing took %v", d)
	}
	wantRead(t, screen, want)
}

func TestSessionOverPipes(t *testing.T) {
	master, theirs := openTerminal(t)
	setSize(t, theirs, 24, 80)
	in, keyboard, out, screen := pipes(t)
	s, err := Attach(handOver(t, master), in, out)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := size(t, theirs); got.Row != 24 || got.Col != 80 {
		t.Errorf("a session without a terminal of ours changed the size to %+v", got)
	}
	write(t, keyboard, "typed\n")
	wantRead(t, theirs, "typed\n")
	wantRead(t, screen, "typed\n") // the echo
	write(t, theirs, "said\n")
	wantRead(t, screen, "said\n")
}

// With our output in a pipe, lines end as those of any program do, and what reads the pipe can
// still write to our terminal.
func TestSessionInAPipeline(t *testing.T) {
	user, ours := openTerminal(t)
	master, theirs := openTerminal(t)
	_, _, out, screen := pipes(t)
	s, err := Attach(handOver(t, master), ours, out)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write(t, theirs, "said\n")
	wantRead(t, screen, "said\n")
	write(t, ours, "tee\n")
	wantRead(t, user, "tee\r\n")
	write(t, user, "typed\r")
	wantRead(t, theirs, "typed\n")
}

// wantEnd reads an end of file.
func wantEnd(t *testing.T, f *os.File) {
	t.Helper()
	var buf [10]byte
	if n, err := f.Read(buf[:]); !errors.Is(err, io.EOF) {
		t.Fatalf("read %q (%v), want the end of file", buf[:n], err)
	}
}

// The end of our input is the end of the terminal's, for whoever reads it, behind a last line that
// has no end, too.
func TestSessionEndsInput(t *testing.T) {
	for _, text := range []string{"", "a line\n", "a line\nand half of one"} {
		master, theirs := openTerminal(t)
		in, keyboard, out, _ := pipes(t)
		s, err := Attach(handOver(t, master), in, out)
		if err != nil {
			t.Fatal(err)
		}
		write(t, keyboard, text)
		_ = keyboard.Close()
		wantRead(t, theirs, text)
		wantEnd(t, theirs)
		wantEnd(t, theirs)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// In raw mode the key for the end is a byte like any other: one is enough.
func TestSessionEndsInputInRawMode(t *testing.T) {
	master, theirs := openTerminal(t)
	in, keyboard, out, _ := pipes(t)
	terminal, err := console.ConsoleFromFile(theirs)
	if err == nil {
		err = terminal.SetRaw()
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := Attach(handOver(t, master), in, out)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write(t, keyboard, "typed")
	_ = keyboard.Close()
	wantRead(t, theirs, "typed\x04")
	if err := theirs.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var buf [10]byte
	if n, err := theirs.Read(buf[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %q (%v) after the end", buf[:n], err)
	}
	if err := theirs.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Reset(); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, theirs)
}

// Our standard files are those of other processes, too: whether they block is left alone.
func TestSessionLeavesBlockingAlone(t *testing.T) {
	for _, nonblock := range []bool{false, true} {
		master, _ := openTerminal(t)
		_, slave := openTerminal(t)
		fd, err := unix.FcntlInt(slave.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.SetNonblock(fd, nonblock); err != nil {
			t.Fatal(err)
		}
		ours := os.NewFile(uintptr(fd), "ours") // as package os makes its Stdin
		s, err := Attach(handOver(t, master), ours, ours)
		if err != nil {
			t.Fatal(err)
		}
		flags, err := unix.FcntlInt(ours.Fd(), unix.F_GETFL, 0)
		if got := flags&unix.O_NONBLOCK != 0; got != nonblock || err != nil {
			t.Errorf("O_NONBLOCK is %v, was %v (%v)", got, nonblock, err)
		}
		if err := errors.Join(s.Close(), ours.Close()); err != nil {
			t.Error(err)
		}
	}
}

// When our output is gone the container's terminal goes, too.
func TestSessionHangsUp(t *testing.T) {
	master, theirs := openTerminal(t)
	in, _, out, screen := pipes(t)
	_ = screen.Close()
	s, err := Attach(handOver(t, master), in, out)
	if err != nil {
		t.Fatal(err)
	}
	write(t, theirs, "nobody reads this\n")
	if n, err := theirs.Read(make([]byte, 10)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes from a terminal that should have gone: %v", n, err)
	}
	if err := s.Resize(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Errorf("resize after the hang-up: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// pipes are what a session reads and writes, with their other ends.
func pipes(t *testing.T) (in, keyboard, out, screen *os.File) {
	t.Helper()
	var err [2]error
	in, keyboard, err[0] = os.Pipe()
	screen, out, err[1] = os.Pipe()
	for _, e := range err {
		if e != nil {
			t.Fatal(e)
		}
	}
	t.Cleanup(func() {
		for _, f := range []*os.File{in, keyboard, out, screen} {
			_ = f.Close()
		}
	})
	if err := screen.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return in, keyboard, out, screen
}
