package unixsock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDial(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, strings.Repeat("d", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "s"), filepath.Join(long, "s")} {
		// A long path can be listened on from inside its directory.
		t.Chdir(filepath.Dir(path))
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: "s", Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.WriteString("hello"); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(accepted)
		if err != nil || !bytes.Equal(got, []byte("hello")) {
			t.Errorf("%d bytes of path: received %q, %v", len(path), got, err)
		}
		_ = accepted.Close()
		_ = l.Close()
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(long, "none")} {
		if _, err := Dial(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("dial of nothing: %v", err)
		}
	}
}

func TestDialRefused(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "left"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for path, want := range map[string]string{dir: "refused (it is no socket)", dir + "/left": "refused (nobody listens there)"} {
		if _, err := Dial(path); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
