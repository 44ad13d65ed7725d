package stage

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
)

// MakePoint makes a mount point below a directory, with the directories above it, where it is
// missing. No link leads out of the directory. place is the point's path without links.
func MakePoint(root, point string, dir bool) (place string, err error) {
	fd, err := fs.Open(root, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", root, err)
	}
	defer unix.Close(fd)
	found, err := fs.FindInRoot(fd, point, 0)
	if errors.Is(err, unix.ENOENT) {
		if err = makeAll(fd, path.Clean("/"+point), dir); err == nil {
			found, err = fs.FindInRoot(fd, point, 0)
		}
	}
	if err != nil {
		return "", fmt.Errorf("make the mount point %s below %s: %w", point, root, err)
	}
	defer unix.Close(found)
	return placeOf(fd, found)
}

// placeOf is the path of one descriptor below another.
func placeOf(root, fd int) (string, error) {
	top, err := os.Readlink(fmt.Sprintf("/proc/thread-self/fd/%d", root))
	if err != nil {
		return "", err
	}
	full, err := os.Readlink(fmt.Sprintf("/proc/thread-self/fd/%d", fd))
	if err != nil {
		return "", err
	}
	return path.Clean("/" + strings.TrimPrefix(full, top)), nil
}

// makeAll makes a point and what is missing above it.
func makeAll(root int, point string, dir bool) error {
	above, base := path.Split(point)
	above = path.Clean(above)
	find := func() (int, error) { return fs.FindInRoot(root, "./"+above, unix.O_DIRECTORY) }
	parent, err := find()
	if errors.Is(err, unix.ENOENT) && above != "/" {
		if err := makeAll(root, above, true); err != nil {
			return err
		}
		parent, err = find()
	}
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if dir {
		err = unix.Mkdirat(parent, base, 0o755)
	} else {
		err = unix.Mknodat(parent, base, unix.S_IFREG|0o644, 0)
	}
	if errors.Is(err, unix.EEXIST) {
		// A link to nothing: what it leads to is not known to be wanted.
		return nil
	}
	return err
}
