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

// Foresee says why the program of a configuration could not be run, with the place in front. "" is
// for what looks right, and for what this process can't see.
func Foresee(spec *specs.Spec, rootfs string) string {
	place, why, sure := Judge(spec, "", rootfs)
	switch {
	case why == "":
		return ""
	case !sure:
		why += ", unless a mount brings it"
	}
	return place + ": " + why
}

// Judge says why the program of a configuration could not be run: there is no root file system, the
// program is not in it, or not one for this machine. It is not sure where a mount may bring what is
// missing. Without a bundle, what is bound into the container is not looked at.
func Judge(spec *specs.Spec, bundle, rootfs string) (place, why string, sure bool) {
	if spec.Root == nil {
		return "", "", true
	}
	root, err := os.OpenFile(rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return "root.path", "there is no root file system in " + rootfs, true
	case err != nil, spec.Process == nil, len(spec.Process.Args) == 0:
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
