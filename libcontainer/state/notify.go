package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// NotifyDir is what a container sees of the host to report over sd_notify(3): nothing but
// NotifySocket is ever in it.
func NotifyDir(root, id string) string { return filepath.Join(root, id, notifyDir) }

const (
	notifyDir = "notify"
	// NotifySocket is the name of the socket in NotifyDir.
	NotifySocket = "notify.sock"
)

// MakeNotify makes NotifyDir.
func (d *Dir) MakeNotify() error {
	dir := NotifyDir(d.root, d.id)
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		// Whoever the container's user is on the host.
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("make the directory of the container's notify socket: %w", err)
	}
	return nil
}

// ListenNotify makes the socket in NotifyDir, to which everybody in the container may send. It
// returns nil where there is no NotifyDir.
func (d *Dir) ListenNotify() (*os.File, error) {
	f, err := d.socket(unix.SOCK_DGRAM, notifyDir+"/"+NotifySocket, func(fd int, addr *unix.SockaddrUnix) error {
		// A name may be left from a start that was killed.
		if err := unix.Unlink(addr.Name); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		if err := unix.Bind(fd, addr); err != nil {
			return err
		}
		return unix.Chmod(addr.Name, 0o777)
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("make the container's notify socket: %w", err)
	}
	return f, nil
}
