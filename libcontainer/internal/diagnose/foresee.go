package diagnose

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Foresee says why the program of a configuration could not be run: there is no root file system,
// the program is not in it, or not one for this machine. "" is for what looks right, and for what
// this process can't see.
func Foresee(spec *specs.Spec, rootfs string) string {
	if spec.Root == nil {
		return ""
	}
	root, err := os.OpenFile(rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return fmt.Sprintf("root.path: there is no root file system in %s", rootfs)
	case err != nil, spec.Process == nil, len(spec.Process.Args) == 0:
		return ""
	}
	defer root.Close()
	paths := candidates(spec.Process)
	for _, path := range paths {
		f, err := openIn(root, path)
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			continue
		case err != nil:
			return ""
		}
		defer f.Close()
		if why := diagnose(root, f); why != "" {
			return fmt.Sprintf("process.args: %s %s", path, why)
		}
		return ""
	}
	if len(paths) == 0 {
		return ""
	}
	note := fmt.Sprintf("process.args: there is no %s in the root file system", spec.Process.Args[0])
	if slices.ContainsFunc(spec.Mounts, bringsPrograms) {
		note += ", unless a mount brings it"
	}
	return note
}

// bringsPrograms reports whether a mount may cover programs: anything but the kernel's own file
// systems, and single files.
func bringsPrograms(m specs.Mount) bool {
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run", "/etc", "/tmp"} {
		if at := filepath.Clean("/" + m.Destination); at == dir || strings.HasPrefix(at, dir+"/") {
			return false
		}
	}
	return true
}
