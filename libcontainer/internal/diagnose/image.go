package diagnose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// image is where a container's files are while it does not run: in its root file system, and where
// mounts will bind them from, if the bundle is known.
type image struct {
	root   *os.File
	mounts []specs.Mount
	bundle string
}

// open finds a file as the container will see it. Of what a mount will make, nothing can be said:
// EAGAIN.
func (im *image) open(path string) (*os.File, error) {
	if im.bundle == "" {
		return openIn(im.root, path)
	}
	path = filepath.Clean("/" + path)
	for _, m := range slices.Backward(im.mounts) {
		at := filepath.Clean("/" + m.Destination)
		below, covered := strings.CutPrefix(path, strings.TrimSuffix(at, "/"))
		if !covered || below != "" && below[0] != '/' {
			continue
		}
		if !binds(&m) {
			return nil, unix.EAGAIN
		}
		return openBound(hostPath(m.Source, im.bundle), below)
	}
	return openIn(im.root, path)
}

// openBound opens what lies below a directory of the host that is going to be bound, or a file that
// is bound itself.
func openBound(source, below string) (*os.File, error) {
	dir, name := filepath.Split(source)
	if below != "" {
		dir, name = source, below
	}
	at, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	return openIn(at, name)
}
