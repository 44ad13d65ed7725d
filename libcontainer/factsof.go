package libcontainer

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// gatherFacts asks what the plan for this configuration depends on. It changes nothing.
func gatherFacts(spec *specs.Spec, bundle string, host *cgroups.Layout, places []cgroups.Place, stdio [3]*os.File) (*facts.Facts, error) {
	f, err := facts.Gather(stdio)
	if err != nil {
		return nil, err
	}
	cgroupFacts(f, host, places)
	root := rootfsPath(spec, bundle)
	f.Targets = danglingTargets(root, spec.Mounts)
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		o := mountopt.ParseMountOptions(m.Options)
		switch {
		case o.Bind:
			if f.Sources == nil {
				f.Sources = make(map[int]facts.Source)
			}
			f.Sources[i] = bindSource(spec, bundle, i, &o)
		case m.Type == "overlay":
			f.OverlayLayers = facts.KernelIs(6, 11)
		case m.Type == "tmpfs":
			if mode, ok := coveredMode(root, m.Destination); ok {
				if f.Covered == nil {
					f.Covered = make(map[int]uint32)
				}
				f.Covered[i] = mode
			}
		}
	}
	if spec.Linux == nil {
		return f, nil
	}
	deviceFacts(f, spec.Linux.Devices)
	if strings.TrimPrefix(spec.Linux.RootfsPropagation, "r") == "shared" {
		if f.RootParent, err = facts.MountpointOf(root); err != nil {
			return nil, fmt.Errorf("linux.rootfsPropagation: find the mount of root.path: %w", err)
		}
	}
	return f, nil
}

func hasUserNamespace(spec *specs.Spec) bool {
	return spec.Linux != nil && slices.ContainsFunc(spec.Linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		return ns.Type == specs.UserNamespace
	})
}

func inBundle(p, bundle string) string {
	if !filepath.IsAbs(p) {
		return filepath.Join(bundle, p)
	}
	return p
}

func rootfsPath(spec *specs.Spec, bundle string) string {
	if spec.Root == nil {
		return ""
	}
	return inBundle(spec.Root.Path, bundle)
}

func cgroupsPath(spec *specs.Spec) string {
	if spec.Linux == nil {
		return ""
	}
	return spec.Linux.CgroupsPath
}

// cgroupFacts says how the container joins its cgroups and what its /sys/fs/cgroup shows.
func cgroupFacts(f *facts.Facts, host *cgroups.Layout, places []cgroups.Place) {
	f.Cgroup2 = host.Unified()
	for _, p := range places {
		h := facts.Hierarchy{Name: path.Base(p.Tree.Mount), V2: p.V2, Host: p.Path()}
		f.JoinDir = f.JoinDir || p.V2
		if !p.V2 {
			h.Controllers = p.Tree.Controllers
			for _, c := range h.Controllers {
				if c != h.Name && !strings.HasPrefix(c, "name=") {
					h.Links = append(h.Links, c)
				}
			}
			f.JoinTasks = append(f.JoinTasks, strings.Join(h.Controllers, ","))
		}
		f.Hierarchies = append(f.Hierarchies, h)
	}
}

// coveredMode is the mode of the directory that a tmpfs covers, if the image has one there.
func coveredMode(root, dest string) (uint32, bool) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, strings.TrimLeft(dest, "/"), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, false
	}
	return st.Mode & 0o7777, true
}

// deviceFacts finds the host's node of each device by its numbers: a container without mknod gets that one, whatever its path
// in the container is.
func deviceFacts(f *facts.Facts, list []specs.LinuxDevice) {
	for i := range list {
		if p, ok := hostDevice(&list[i]); ok && p != list[i].Path {
			if f.Devices == nil {
				f.Devices = make(map[int]string)
			}
			f.Devices[i] = p
		}
	}
}

// hostID is the id on the host of a user of the container.
func hostID(spec *specs.Spec, uid uint32) (uint32, bool) {
	if spec.Linux == nil {
		return uid, true
	}
	return compile.MapID(spec.Linux.UIDMappings, uid)
}
