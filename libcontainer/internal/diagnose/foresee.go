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

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
)

// Rootfs says that there is no root file system where a configuration has it, with the kernel's
// word, which engines look for. One that we may not look at is left to the init, as is one in a
// mount namespace that is joined.
func Rootfs(spec *specs.Spec, rootfs string) error {
	if joinsMounts(spec) {
		return nil
	}
	var st unix.Stat_t
	err := unix.Stat(rootfs, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = unix.ENOTDIR
	}
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return fmt.Errorf("there is no root file system in %s: %w", rootfs, err)
	}
	return nil
}

func joinsMounts(spec *specs.Spec) bool {
	path, _ := namespace.Of(spec, specs.MountNamespace)
	return path != ""
}

// Judge says why the program of a configuration could not be run: there is no root file system, the
// program is not in it, or not one for this machine. It is not sure where a mount may bring what is
// missing.
func Judge(spec *specs.Spec, bundle, rootfs string) (place, why string, sure bool) {
	if spec.Root == nil || joinsMounts(spec) {
		return "", "", true
	}
	if err := Rootfs(spec, rootfs); err != nil {
		return "root.path", err.Error(), true
	}
	if spec.Process == nil || len(spec.Process.Args) == 0 {
		return "", "", true
	}
	root, err := os.OpenFile(rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", "", true
	}
	defer root.Close()
	im := &image{root: root, mounts: spec.Mounts, bundle: bundle}
	const args = "process.args"
	paths := candidates(spec.Process)
	for _, path := range paths {
		f, err := im.open(path)
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			continue
		case err != nil:
			return "", "", false
		}
		defer f.Close()
		why := notExecutable(f)
		if why != "" && len(paths) > 1 {
			continue // execvp(3) looks further
		}
		if why == "" {
			why = diagnose(im, f)
		}
		if why != "" {
			why = path + " " + why
		}
		return args, why, true
	}
	if len(paths) == 0 {
		return "", "", true
	}
	why = fmt.Sprintf("there is no %s in the root file system", spec.Process.Args[0])
	return args, why, !slices.ContainsFunc(spec.Mounts, bringsPrograms)
}

// notExecutable says why a file is none that anybody may execute.
func notExecutable(f *os.File) string {
	switch st, err := f.Stat(); {
	case err != nil:
		return ""
	case st.IsDir():
		return "is a directory"
	case st.Mode().IsRegular() && st.Mode()&0o111 == 0:
		return fmt.Sprintf("is not executable: its mode is %04o", st.Mode().Perm())
	}
	return ""
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
