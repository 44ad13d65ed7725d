package stdio

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, c *Config) *Streams {
	t.Helper()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// run runs a shell with the streams and waits for it.
func run(t *testing.T, s *Streams, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Files[0], s.Files[1], s.Files[2]
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Launched()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Output waits for a client that comes after the process has ended, and has an end.
func TestFifosOutliveTheProcess(t *testing.T) {
	c := &Config{Stdin: fifo(t), Stdout: fifo(t), Stderr: "fifo://" + fifo(t)}
	s := open(t, c)
	client, err := os.OpenFile(c.Stdin, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(client, "typed")
	client.Close()
	if err := s.CloseInput(); err != nil {
		t.Fatal(err)
	}
	run(t, s, "cat; echo complaint >&2")
	for path, want := range map[string]string{c.Stdout: "typed\n", strings.TrimPrefix(c.Stderr, "fifo://"): "complaint\n"} {
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // there is no writer to wait for
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(got) != want {
			t.Errorf("%q, %v, not %q", got, err, want)
		}
	}
}

// A client that leaves does not end the process.
func TestReaderGoesAway(t *testing.T) {
	c := &Config{Stdout: fifo(t)}
	s := open(t, c)
	client, err := os.Open(c.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	run(t, s, "echo to nobody")
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "log")
	s := open(t, &Config{Stdout: "file://" + path, Stderr: "file://" + path})
	run(t, s, "echo out; echo err >&2")
	if text, err := os.ReadFile(path); err != nil || string(text) != "out\nerr\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// Nobody is waited for where a log file is a fifo.
func TestFileThatIsAFifo(t *testing.T) {
	path := fifo(t)
	s := open(t, &Config{Stdout: "file://" + path})
	run(t, s, "echo early")
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != "early\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOpenErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Config{
		{Stdin: "/no/such"}, {Stdout: plain}, {Stderr: "telnet://host"}, {Stdout: "binary:///no/such"},
		{Terminal: true, Stdin: "/no/such"}, {Terminal: true, Stdout: "/no/such"},
	} {
		if s, err := Open(c); err == nil {
			s.Close()
			t.Errorf("%+v: no error", c)
		}
	}
}

func TestLogProgram(t *testing.T) {
	dir := t.TempDir()
	program, log := filepath.Join(dir, "logger"), filepath.Join(dir, "log")
	// The shell itself has to close 5, its copies as well: exec does both.
	script := "#!/bin/sh\nexec 5>&-\n(echo \"$CONTAINER_NAMESPACE/$CONTAINER_ID $*\"; cat <&3; cat <&4) >" + log + "\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, &Config{Stdout: "binary://" + program + "?level=3&x", ID: "i", Namespace: "n", Warn: func(m string) { t.Error(m) }})
	run(t, s, "echo out; echo err >&2")
	want := "n/i level 3 x\nout\nerr\n"
	for range 500 {
		if text, _ := os.ReadFile(log); string(text) == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, err := os.ReadFile(log)
	t.Errorf("%q, %v, not %q", text, err, want)
}

func TestTerminal(t *testing.T) {
	c := &Config{Terminal: true, Stdin: fifo(t), Stdout: fifo(t)}
	s := open(t, c)
	if err := s.Resize(91, 33); err != nil { // before there is one
		t.Fatal(err)
	}
	master, slave := pty(t)
	if err := s.Console(master); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "stty size; read line; echo got $line; stty size")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	s.Launched()
	out, err := os.Open(c.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if size := make([]byte, 7); func() bool { _, err := io.ReadFull(out, size); return err != nil }() || string(size) != "33 91\r\n" {
		t.Fatalf("size %q", size)
	}
	if err := s.Resize(100, 50); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(c.Stdin, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, "this")
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	// The output has an end before Close: CRI deletes a process after it.
	rest, err := io.ReadAll(out)
	if err != nil || !strings.HasSuffix(string(rest), "got this\r\n50 100\r\n") {
		t.Errorf("%q, %v", rest, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}
