// Package crmounts says which mounts of a container CRIU does not write down, since they show
// something of the host, and what takes their place when the container is made again. It is pure:
// config.json and tables of mounts in, lists out.
//
// CRIU knows such a mount by a key. It is the mount's place in the container, as in images of runc,
// which are to be restored here, too.
package crmounts

import (
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// Mount is a line of a mountinfo (proc_pid_mountinfo(5)).
type Mount struct {
	ID, Parent   int
	Major, Minor int
	Root, Place  string
	FSType       string
	IDMapped     bool
	// Group is the propagation that it shares with other mounts (mount_namespaces(7)), or "".
	Group string
}

// External is what stands for a mount: its key, and the path on the host.
type External struct {
	Key, Value string
	Mapped     *Bind  // whose idmap it is to have, or nil
	Mount      string // of the host, in which it is found
}

// Container is what Dumped looks at.
type Container struct {
	Spec *specs.Spec
	// Places has the id of the mount at the destination of each entry of mounts that is a bind, by
	// its index, and Devices those of the device nodes that are binds.
	Places  map[int]int
	Devices []int
	// Mounts are the container's, Host the host's.
	Mounts, Host []Mount
	// OwnCgroup says that it has a cgroup namespace: its cgroup mounts are then its own.
	OwnCgroup bool
	// Source gives the host's path of the source of an entry of mounts.
	Source func(i int) string
}

// Dumped are the places of the mounts that are not to be written down.
func Dumped(c *Container) []string {
	var places []string
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if m.Place == "/" {
			continue
		}
		cgroup := (m.FSType == "cgroup" || m.FSType == "cgroup2") && !c.OwnCgroup
		if (cgroup || slices.Contains(c.Devices, m.ID) || c.isBind(m.ID) || c.cameWith(m)) && !slices.Contains(places, m.Place) {
			places = append(places, m.Place)
		}
	}
	return places
}

// Unmapped are the mounts that criu would make without the idmap that they have: those that it
// makes anew. places are what it does not write down.
func Unmapped(mounts []Mount, places []string) []Mount {
	var list []Mount
	for _, m := range mounts {
		if m.IDMapped && m.Place != "/" && !slices.Contains(places, m.Place) {
			list = append(list, m)
		}
	}
	return list
}

func (c *Container) isBind(id int) bool {
	for _, bind := range c.Places {
		if bind == id {
			return true
		}
	}
	return false
}

// cameWith says whether a mount came into the container with one that was bound recursively: below
// the source, the host has the same at the same place.
func (c *Container) cameWith(m *Mount) bool {
	for i, id := range c.Places {
		if !mountopt.ParseMountOptions(c.Spec.Mounts[i].Options).Recursive {
			continue
		}
		bind := slices.IndexFunc(c.Mounts, func(b Mount) bool { return b.ID == id })
		if bind < 0 {
			continue
		}
		rel, below := Below(m.Place, c.Mounts[bind].Place)
		if !below {
			continue
		}
		on := path.Join(c.Source(i), rel)
		if slices.ContainsFunc(c.Host, func(h Mount) bool {
			return h.Place == on && h.Major == m.Major && h.Minor == m.Minor && h.Root == m.Root
		}) {
			return true
		}
	}
	return false
}

// Below gives the rest of a path that lies below dir.
func Below(p, dir string) (rel string, ok bool) {
	if dir == "/" {
		return strings.TrimPrefix(p, "/"), p != "/"
	}
	return strings.CutPrefix(p, dir+"/")
}

// Bind is an entry of mounts that is bound again when the container is restored.
type Bind struct {
	Index     int
	Keys      []string // the places that an image may have it under
	Source    string   // on the host
	Recursive bool
	// IDMapped says that it is to be idmapped, IDMappedTree that the mounts below are, too.
	IDMapped, IDMappedTree bool
}

// Restored gives what stands for the binds of an image, and for what the host has mounted below
// those that are recursive.
func Restored(binds []Bind, host []Mount) []External {
	var list []External
	for i := range binds {
		b := &binds[i]
		var top, tree *Bind
		if b.IDMapped {
			top = b
		}
		if b.IDMappedTree {
			tree = b
		}
		for _, key := range b.Keys {
			list = append(list, External{Key: key, Value: b.Source, Mapped: top})
			if !b.Recursive {
				continue
			}
			for i := range host {
				if rel, below := Below(host[i].Place, b.Source); below {
					list = append(list, External{Key: path.Join(key, rel), Value: host[i].Place, Mapped: tree})
				}
			}
		}
	}
	return list
}

// Widest is the mount that shows most of a file system among those with the same propagation as the
// mount with an id, and the rest of the path of something in that. criu gives the propagation of
// one mount of the host's to others, and the kernel wants that to show all that they show.
func Widest(mounts []Mount, id int, place string) (w Mount, rel string, ok bool) {
	at := slices.IndexFunc(mounts, func(m Mount) bool { return m.ID == id })
	if at < 0 {
		return w, "", false
	}
	m := mounts[at]
	rel, below := Below(place, m.Place)
	if !below && place != m.Place {
		return w, "", false
	}
	if !below {
		rel = ""
	}
	inside := path.Join(m.Root, rel)
	w = m
	for _, o := range mounts {
		same := m.Group != "" && o.Group == m.Group && o.Major == m.Major && o.Minor == m.Minor && !o.IDMapped && !m.IDMapped
		if r, under := Below(inside, o.Root); same && under && len(o.Root) < len(w.Root) {
			w, rel = o, r
		}
	}
	return w, rel, true
}

// Masked stands for the masked files in images of other runtimes: all have the key of the null
// device in those of runc, and each that of its own place in those of crun.
func Masked(spec *specs.Spec) []External {
	const null = "/dev/null"
	list := []External{{Key: null, Value: null}}
	for _, p := range spec.Linux.MaskedPaths {
		list = append(list, External{Key: path.Clean(p), Value: null})
	}
	return list
}

// Covering is the innermost of some mounts that a destination lies in or at, the last where there
// are several, or -1 for the root file system.
func Covering(mounts []specs.Mount, destination string) int {
	found, longest := -1, ""
	for i := range mounts {
		at := path.Clean("/" + mounts[i].Destination)
		if _, below := Below(destination, at); (below || at == destination) && len(at) >= len(longest) {
			found, longest = i, at
		}
	}
	return found
}

// FromInside says whether a bind shows what an earlier mount has brought into the container: then
// it is not of the host.
func FromInside(root, source string, earlier []specs.Mount) bool {
	rel, below := Below(source, root)
	return below && Covering(earlier, "/"+rel) >= 0
}
