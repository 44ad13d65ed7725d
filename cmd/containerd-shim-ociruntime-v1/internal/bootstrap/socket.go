package bootstrap

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// socketDir is where containerd's own shim has its sockets, too. The path of one must be short
// (sockaddr_un), so that it can't lie in the bundle.
const socketDir = "/run/containerd/s"

const maxSocketPath = 106

// annotations by which several containers share a shim, the first that is there.
var groups = [...]string{"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"}

// Group is the name of the shim's group: the containers of a pod have one shim.
func Group(annotations map[string]string, id string) string {
	for _, name := range groups {
		if g := annotations[name]; g != "" {
			return g
		}
	}
	return id
}

// SocketPath is where the shim of a group listens. `ctr shim` finds it by the same rule.
func SocketPath(dir, containerd, namespace, group string) (string, error) {
	if dir == "" {
		dir = socketDir
	}
	sum := sha256.Sum256([]byte(filepath.Join(containerd, namespace, group)))
	path := filepath.Join(dir, fmt.Sprintf("%x", sum))
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("%s: a socket's path has at most %d bytes", path, maxSocketPath)
	}
	return path, nil
}

// Listen makes the socket of a group, or finds that somebody listens there already, and then gives
// nil. Of two that do so at once, one makes it.
func Listen(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the socket: %w", err)
	}
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("make the socket: %w", err)
	}
	defer unlock()
	if Alive(path) {
		return nil, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make the socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("make the socket: %w", err), l.Close(), os.Remove(path))
	}
	return l, nil
}

// Socket is the socket that start has made for a daemon that it has started anew.
func Socket() (*net.UnixListener, error) {
	f := os.NewFile(SocketFD, "socket")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("the socket, which start makes: %w", err)
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(errors.New("the socket, which start makes: it is another kind of socket"), l.Close())
	}
	return u, nil
}

// Alive reports whether somebody listens. The socket of a shim that was killed stays, and refuses.
func Alive(path string) bool {
	conn, err := net.Dial("unix", path)
	if err != nil {
		// One whose queue is full is alive.
		return errors.Is(err, unix.EAGAIN)
	}
	conn.Close()
	return true
}

// RemoveDead removes the socket unless somebody listens there.
func RemoveDead(path string) error {
	unlock, err := lock(filepath.Dir(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if Alive(path) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// lock excludes other shims' starts. It is held for a moment only, so that one lock will do for all
// groups, and no file is left of it.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(d.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { d.Close() }, nil
}

// Path is a socket's path in an address as containerd writes it.
func Path(address string) string { return strings.TrimPrefix(address, "unix://") }
