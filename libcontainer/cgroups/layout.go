package cgroups

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Layout says which cgroup hierarchies a host has and where. It is plain data: Probe fills it in,
// tests write it by hand.
type Layout struct {
	V1 []Hierarchy // mounted v1 hierarchies, controllers that share one together
	V2 *Hierarchy  // the cgroup2 tree, nil when there is none; with V1 the host is called hybrid
	// Hidden says that there are hierarchies which are not mounted here, as in a container.
	Hidden bool
}

// Hierarchy is one mounted cgroup tree.
type Hierarchy struct {
	Mount string // the tree's root as this process sees it, e.g. /sys/fs/cgroup/cpu,cpuacct
	Own   string // this process's own cgroup below Mount, "/" for Mount itself

	// Controllers of a v1 tree, "name=systemd" for a named one without controllers; for v2 those
	// that its root offers.
	Controllers []string
}

// Unified says that the host has cgroup v2 and nothing else.
func (l *Layout) Unified() bool { return l.V2 != nil && len(l.V1) == 0 }

// RestrictsDevices reports whether there is a hierarchy that keeps a container away from the host's
// devices: the v1 controller, or any cgroup2 tree, which takes a device program.
func (l *Layout) RestrictsDevices() bool { return l.V2 != nil || l.version("devices") == 1 }

// version says which kind of tree carries the controller: 1, 2, or 0 for none.
func (l *Layout) version(controller string) int {
	for i := range l.V1 {
		if slices.Contains(l.V1[i].Controllers, controller) {
			return 1
		}
	}
	if l.V2 != nil && slices.Contains(l.V2.Controllers, controller) {
		return 2
	}
	return 0
}

// root is where every distribution mounts cgroups: the v2 tree itself, or a tmpfs with one
// directory per v1 hierarchy.
const root = "/sys/fs/cgroup"

// UnifiedMount is where the v2 tree is usually mounted beside those of v1.
const UnifiedMount = root + "/unified"

// UsualMount is where every distribution mounts the v1 hierarchy of these controllers.
func UsualMount(controllers []string) string {
	return root + "/" + strings.TrimPrefix(strings.Join(controllers, ","), "name=")
}

// Probe looks at the usual mount points, which costs a few statfs calls, and reads
// /proc/self/mountinfo only when something that /proc/self/cgroup names is not where it should be.
// Of the mounts there only those count that can be seen: another may lie over them. A host without
// any mounted cgroup gives an empty Layout.
func Probe() (*Layout, error) {
	own, err := backend.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find this process's cgroups: %w", err)
	}
	members := parseMembership(own)
	l, complete := usualLayout(members)
	if !complete {
		mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
			switch m.FSType {
			case "cgroup":
				return !isFilesystem(m.Mountpoint, unix.CGROUP_SUPER_MAGIC), false
			case "cgroup2":
				return !isFilesystem(m.Mountpoint, unix.CGROUP2_SUPER_MAGIC), false
			}
			return true, false
		})
		if err != nil {
			return nil, fmt.Errorf("find the cgroup mounts: %w", err)
		}
		l = layoutFromMounts(members, mounts)
	}
	l.Hidden = slices.ContainsFunc(members, func(m membership) bool { return !l.shows(m) })
	if l.V2 != nil {
		list, err := backend.ReadFile(l.V2.Mount + "/cgroup.controllers")
		if err != nil {
			return nil, fmt.Errorf("find the cgroup2 controllers: %w", err)
		}
		l.V2.Controllers = strings.Fields(list)
	}
	return l, nil
}

// shows says whether a hierarchy is mounted.
func (l *Layout) shows(m membership) bool {
	return len(m.controllers) == 0 && l.V2 != nil || slices.ContainsFunc(l.V1, func(h Hierarchy) bool { return slices.Equal(h.Controllers, m.controllers) })
}

// membership is one line of /proc/PID/cgroup: "4:cpu,cpuacct:/docker/x", "1:name=systemd:/",
// "0::/docker/x".
type membership struct {
	controllers []string // empty for v2
	path        string
}

func parseMembership(text string) []membership {
	var list []membership
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, dir, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		m := membership{path: dir}
		if controllers != "" {
			m.controllers = strings.Split(controllers, ",")
		}
		list = append(list, m)
	}
	return list
}

// usualLayout finds every tree at its usual place; complete is false when one of them is not there,
// or when this process's own cgroup cannot be seen below the mount (a container without a cgroup
// namespace mounts a part of the tree).
func usualLayout(members []membership) (l *Layout, complete bool) {
	l = &Layout{}
	complete = true
	for _, m := range members {
		mount, magic := root, int64(unix.CGROUP2_SUPER_MAGIC)
		if len(m.controllers) > 0 {
			mount, magic = UsualMount(m.controllers), unix.CGROUP_SUPER_MAGIC
		} else if !isFilesystem(mount, magic) {
			mount = UnifiedMount
		}
		// The kernel lists the v2 tree here even when nobody has mounted it, so its absence is no
		// reason to search.
		if !isFilesystem(mount, magic) {
			complete = complete && len(m.controllers) == 0
			continue
		}
		if m.path != "/" && unix.Access(mount+m.path, unix.F_OK) != nil {
			complete = false
		}
		l.add(m, mount, "/")
	}
	return l, complete
}

func isFilesystem(dir string, magic int64) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && int64(st.Type) == magic
}

// add takes in a tree that is mounted at mount and shows what lies below mountRoot.
func (l *Layout) add(m membership, mount, mountRoot string) {
	h := Hierarchy{Mount: mount, Own: below(m.path, mountRoot), Controllers: m.controllers}
	if len(m.controllers) == 0 {
		l.V2 = &h
		return
	}
	l.V1 = append(l.V1, h)
}

// below is dir seen from mountRoot. A dir outside of it, or outside of the cgroup namespace
// ("/../x"), has no place there: its root is as near as one can get.
func below(dir, mountRoot string) string {
	if mountRoot != "/" {
		rest, ok := strings.CutPrefix(dir, mountRoot)
		if !ok || rest != "" && rest[0] != '/' {
			return "/"
		}
		dir = rest
	}
	if dir == "" || dir == "/.." || strings.HasPrefix(dir, "/../") {
		return "/"
	}
	return path.Clean(dir)
}

// layoutFromMounts finds the trees among the mounts.
func layoutFromMounts(members []membership, mounts []*mountinfo.Info) *Layout {
	l := &Layout{}
	for _, m := range members {
		if found := findMount(m, mounts); found != nil {
			l.add(m, found.Mountpoint, found.Root)
		}
	}
	return l
}

// findMount takes the first mount of the tree that shows the process's own cgroup, else the first
// mount of the tree, else nil.
func findMount(own membership, mounts []*mountinfo.Info) *mountinfo.Info {
	var first *mountinfo.Info
	for _, m := range mounts {
		if !isTree(own, m) {
			continue
		}
		if m.Root == "/" || own.path == m.Root || strings.HasPrefix(own.path, m.Root+"/") {
			return m
		}
		if first == nil {
			first = m
		}
	}
	return first
}

func isTree(own membership, m *mountinfo.Info) bool {
	if len(own.controllers) == 0 {
		return m.FSType == "cgroup2"
	}
	return m.FSType == "cgroup" && slices.Contains(strings.Split(m.VFSOptions, ","), own.controllers[0])
}
