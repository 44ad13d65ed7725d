package probe

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/feature"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// Container asks what the plan for a configuration depends on: what [Host] asks, and what is at the
// paths that config.json has, of which relative ones start in bundle. places are where in host the
// container's cgroups are to be. It changes nothing. The error that there is no root file system
// comes with the facts as they would be if there were one.
func Container(spec *specs.Spec, bundle string, host *cgroups.Layout, places []cgroups.Place, stdio [3]*os.File) (*facts.Facts, error) {
	f, err := Host(stdio)
	if err != nil {
		return nil, err
	}
	cgroupFacts(f, host, places)
	root := compile.RootfsPath(spec, bundle)
	f.Targets = dangling(root, spec.Mounts)
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
			f.OverlayLayers = feature.Running().Has(feature.OverlayLayers)
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
		if f.RootParent, err = mountpointOf(root); err != nil {
			return f, fmt.Errorf("linux.rootfsPropagation: find the mount of root.path: %w", err)
		}
	}
	return f, nil
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
