package diagnose

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/similar"
)

// ExplainCreate adds to the error of a container that could not be made what the kernel's word
// leaves open, and the way out: a file system that it does not have, a file where a directory has
// to be or the other way round, a setting that does not exist; and what [ExplainExec] has to say of
// the program.
func ExplainCreate(err error, spec *specs.Spec, bundle, rootfs string) error {
	var step *launch.StepError
	if !errors.As(err, &step) {
		return err
	}
	var i int
	why := ""
	switch from := step.Step.From; {
	case strings.HasPrefix(from, "linux.sysctl") && step.Errno == unix.ENOENT:
		why = noSetting(step.Op)
	case from == "process.cwd" && step.Errno == unix.ENOTDIR && spec.Process != nil:
		if file := inTheWay(spec.Process.Cwd, bundle, rootfs, spec.Mounts); file != "" {
			why = file + " is a file"
		}
	case scan(from, "mounts[%d]", &i) && i < len(spec.Mounts):
		why = mountReason(step, spec.Mounts, i, bundle, rootfs)
	default:
		return ExplainExec(err, spec, rootfs)
	}
	if why == "" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, why)
}

// scan reads a number out of a text of which nothing may be left.
func scan(text, format string, n *int) bool {
	_, err := fmt.Sscanf(text, format, n)
	return err == nil && text == fmt.Sprintf(format, *n)
}

// mountReason says why mounts[i] could not be mounted.
func mountReason(step *launch.StepError, mounts []specs.Mount, i int, bundle, rootfs string) string {
	m := &mounts[i]
	at := fmt.Sprintf("mounts[%d]", i)
	switch call := step.Op.Call; {
	case call == plan.SysFsopen && step.Errno == unix.ENODEV:
		return noFilesystem(at, m, bundle)
	case call == plan.SysMoveMount && step.Errno == unix.EINVAL && binds(m) && !isDir(hostPath(m.Source, bundle)):
		return fmt.Sprintf("%s.destination has to be a file, or nothing yet, as %s", at, path.Join("/", m.Destination, path.Base(m.Source)))
	case call == plan.SysOpenat2 && step.Errno == unix.ENOTDIR:
		what := "no file system"
		if binds(m) {
			what = "no directory"
		}
		switch file := inTheWay(m.Destination, bundle, rootfs, mounts[:i]); file {
		case "":
			return fmt.Sprintf("a file is at %s.destination, or on the way to it", at)
		case path.Join("/", m.Destination):
			return fmt.Sprintf("%s is a file, on which %s can be mounted: %s.destination has to be a directory, or nothing yet", file, what, at)
		default:
			return fmt.Sprintf("%s is a file, and %s.destination leads through it", file, at)
		}
	}
	return ""
}

func binds(m *specs.Mount) bool {
	return slices.ContainsFunc(m.Options, func(o string) bool { return o == "bind" || o == "rbind" })
}

func hostPath(p, bundle string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(bundle, p)
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

// noFilesystem says that the kernel does not know a type, having looked for a module of that name,
// and what may have been meant.
func noFilesystem(at string, m *specs.Mount, bundle string) string {
	why := fmt.Sprintf("%s.type: this kernel has no file system %q, and no module for it: /proc/filesystems lists those that it has", at, m.Type)
	list, _ := os.ReadFile("/proc/filesystems") // a hint more, if it is there
	var known []string
	for line := range strings.Lines(string(list)) {
		known = append(known, strings.TrimSpace(strings.TrimPrefix(line, "nodev")))
	}
	if hint := similar.Hint(m.Type, known); hint != "" {
		return why + hint
	}
	source := hostPath(m.Source, bundle)
	if st, err := os.Stat(source); m.Source != "" && err == nil && (st.IsDir() || st.Mode().IsRegular()) {
		return fmt.Sprintf("%s; to bind %s, add bind or rbind to %s.options", why, source, at)
	}
	return why
}

// noSetting names the file of a kernel setting that is not there.
func noSetting(o *plan.Op) string {
	if o.Call != plan.SysOpenat2 || len(o.Args) < 2 {
		return ""
	}
	file := path.Join("/proc", o.Args[1].Str)
	dir, name := path.Split(file)
	entries, _ := os.ReadDir(dir) // a hint more, if it is there
	var known []string
	for _, e := range entries {
		known = append(known, e.Name())
	}
	return "there is no " + file + " in the container's namespaces" + similar.Hint(name, known)
}

// inTheWay is the first file, of whatever kind but a directory, on the way to a directory of the
// container. "" is for what can't be seen.
func inTheWay(dir, bundle, rootfs string, mounts []specs.Mount) string {
	root, err := os.OpenFile(rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return ""
	}
	defer root.Close()
	im := &image{root: root, mounts: mounts, bundle: bundle}
	at := "/"
	for name := range strings.SplitSeq(strings.Trim(path.Clean("/"+dir), "/"), "/") {
		at = path.Join(at, name)
		f, err := im.open(at)
		if errors.Is(err, unix.ENOENT) {
			continue // what is missing will be made for a mount below it
		}
		if err != nil {
			return ""
		}
		st, err := f.Stat()
		f.Close()
		switch {
		case err != nil:
			return ""
		case !st.IsDir():
			return at
		}
	}
	return ""
}
