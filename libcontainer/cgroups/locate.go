package cgroups

import (
	"fmt"
	"path"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/v1"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/v2"
)

// Place is a cgroup's directory in one hierarchy.
type Place struct {
	Tree *Hierarchy
	V2   bool
	Rel  string // below Tree.Mount, clean, beginning with "/"
}

// Path is the directory's absolute path.
func (p Place) Path() string { return path.Join(p.Tree.Mount, p.Rel) }

func (p Place) node() backend.Cgroup {
	if p.V2 {
		return v2.New(p.Path())
	}
	return v1.New(p.Path(), p.Tree.Controllers)
}

// Own are the places of the cgroup that this process is in.
func (l *Layout) Own() []Place {
	places := make([]Place, 0, len(l.V1)+1)
	for i := range l.V1 {
		places = append(places, Place{Tree: &l.V1[i], Rel: l.V1[i].Own})
	}
	if l.V2 != nil {
		places = append(places, Place{Tree: l.V2, V2: true, Rel: l.V2.Own})
	}
	return places
}

// Locate says where linux.cgroupsPath puts the container id in each hierarchy (config-linux.md,
// "Cgroups Path"). An absolute path counts from the mount. A relative one counts from this
// process's own cgroup, on a pure v2 host from that one's parent, because a v2 cgroup that holds
// processes can't give controllers to its children. Without a path the id is the relative path.
// ".." never leads above the place that the path counts from.
func (l *Layout) Locate(cgroupsPath, id string) ([]Place, error) {
	if cgroupsPath == "" {
		cgroupsPath = id
	}
	if strings.ContainsAny(cgroupsPath, "\x00\n") {
		return nil, fmt.Errorf("linux.cgroupsPath: %q holds a character that no cgroup's name may have", cgroupsPath)
	}
	absolute := strings.HasPrefix(cgroupsPath, "/")
	rel := path.Clean("/" + cgroupsPath)
	places := make([]Place, 0, len(l.V1)+1)
	put := func(tree *Hierarchy, base string, v2 bool) {
		p := Place{Tree: tree, V2: v2, Rel: rel}
		if !absolute {
			p.Rel = path.Join(base, rel)
		}
		places = append(places, p)
	}
	for i := range l.V1 {
		put(&l.V1[i], l.V1[i].Own, false)
	}
	if l.V2 != nil {
		base := l.V2.Own
		if l.Unified() {
			base = path.Dir(base)
		}
		put(l.V2, base, true)
	}
	for _, p := range places {
		if p.Rel == "/" {
			return nil, fmt.Errorf("linux.cgroupsPath: %q is the root of the cgroup hierarchy %s", cgroupsPath, p.Tree.Mount)
		}
	}
	return places, nil
}
