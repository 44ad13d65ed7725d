package sdnotify

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a socket of which nobody reads.
func manager(t *testing.T) *unix.SockaddrUnix {
	t.Helper()
	sa := &unix.SockaddrUnix{Name: filepath.Join(t.TempDir(), "manager")}
	if err := unix.Bind(socket(t, 0), sa); err != nil {
		t.Fatal(err)
	}
	return sa
}

func socket(t *testing.T, flags int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// A service manager that hangs does not make the command hang.
func TestManagerDoesNotRead(t *testing.T) {
	const patience = 50 * time.Millisecond
	for name, c := range map[string]struct {
		full bool
		want string
	}{
		"queue with room": {false, ""},
		"full queue":      {true, `NOTIFY_SOCKET: send "READY=1\n": the service manager does not read`},
	} {
		t.Run(name, func(t *testing.T) {
			sa := manager(t)
			var err error
			for c.full && err == nil {
				err = unix.Sendto(socket(t, unix.SOCK_NONBLOCK), []byte("X=1"), 0, sa)
			}
			if c.full && !errors.Is(err, unix.EAGAIN) {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- tell(sa.Name, 1, patience) }()
			select {
			case err := <-done:
				if (err != nil) != c.full || err != nil && !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits for ever")
			}
		})
	}
}
