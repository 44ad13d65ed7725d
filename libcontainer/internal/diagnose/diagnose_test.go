package diagnose

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/internal/rootfs"
	"golang.org/x/sys/unix"
)

// A pipe stands for devices here: whether it was opened can be seen.
func TestImageDevicesAreNotOpened(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "app")
	if err := unix.Mkfifo(pipe, 0o777); err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := openIn(root, "/app")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fd, err := rootfs.OpenSource(int(root.Fd()), "app", unix.O_RDONLY); err == nil {
		defer unix.Close(fd)
		t.Error("opened to be copied")
	}
	fd, err := unix.Open(pipe, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	if !errors.Is(err, unix.ENXIO) {
		t.Errorf("somebody has opened the pipe (%v)", err)
	}
}
