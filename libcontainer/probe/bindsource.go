package probe

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// bindSource looks at the source of mounts[i].
func bindSource(spec *specs.Spec, bundle string, i int, o *mountopt.MountOptions) facts.Source {
	root, m := compile.RootfsPath(spec, bundle), &spec.Mounts[i]
	if p, ok := MountedInside(root, m.Source, spec.Mounts[:i]); ok {
		return facts.Source{Inside: p, Dir: sourceInside(root, bundle, p, spec.Mounts[:i])}
	}
	source := compile.HostPath(m.Source, bundle)
	_, userNS := namespace.Of(spec, specs.UserNamespace)
	s := ofSource(source, o.AttrClr != 0 && userNS, o.SrcNoFollow || o.CopySymlink)
	if !o.CopySymlink {
		return s
	}
	if link, err := os.Readlink(source); err == nil {
		s.Link = link
		s.LinkThere = linkOfImage(root, m.Destination) == link
	}
	return s
}

// MountedInside tells a bind source that an earlier mount brings into the root file system, and
// gives its path there: nothing is mounted yet, so that on the host there may be something else, or
// nothing.
func MountedInside(root, source string, earlier []specs.Mount) (inside string, ok bool) {
	inside, ok = strings.CutPrefix(filepath.Clean(source), filepath.Clean(root)+"/")
	if !ok {
		return "", false
	}
	inside = "/" + inside
	return inside, covering(inside, earlier) >= 0
}

// covering is the last of the mounts that p lies in, or -1.
func covering(p string, mounts []specs.Mount) int {
	for i := len(mounts) - 1; i >= 0; i-- {
		dest := path.Clean("/" + mounts[i].Destination)
		if p == dest || strings.HasPrefix(p, strings.TrimSuffix(dest, "/")+"/") {
			return i
		}
	}
	return -1
}

// sourceInside guesses whether p will be a directory. What is not there yet will be made as a
// mountpoint.
func sourceInside(root, bundle, p string, earlier []specs.Mount) (dir bool) {
	i := covering(p, earlier)
	if i < 0 {
		s := ofSource(filepath.Join(root, p), false, false)
		return s.Dir || s.Err != nil
	}
	m := &earlier[i]
	rest := strings.TrimPrefix(p, path.Clean("/"+m.Destination))
	o := mountopt.ParseMountOptions(m.Options)
	from := ""
	switch {
	case o.Remount:
		return sourceInside(root, bundle, p, earlier[:i])
	case o.Bind:
		from = filepath.Join(m.Source, rest)
	case m.Type == "proc":
		from = "/proc" + rest
	case m.Type == "sysfs":
		from = "/sys" + rest
	default:
		return true
	}
	if inside, ok := MountedInside(root, from, earlier[:i]); ok {
		return sourceInside(root, bundle, inside, earlier[:i])
	}
	s := ofSource(compile.HostPath(from, bundle), false, false)
	return s.Dir || s.Err != nil
}

// Assume puts a source that could be in the place of each that could not be looked at, with an
// error that bears is true of: one of the kind of what the image has at the destination.
func Assume(f *facts.Facts, spec *specs.Spec, bundle string, bears func(error) bool) {
	for i, s := range f.Sources {
		if s.Err == nil || !bears(s.Err) {
			continue
		}
		f.Sources[i] = facts.Source{Dir: !holdsFile(compile.RootfsPath(spec, bundle), spec.Mounts[i].Destination)}
	}
}
