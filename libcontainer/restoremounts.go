package libcontainer

import (
	"fmt"
	"os"
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/crmounts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/rootfs"
	"github.com/ociruntime/ociruntime/libcontainer/internal/stage"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// nameMounts makes the mount points that are missing, as in a new root file system, and says what
// criu is to bind on which.
func (c *restoration) nameMounts(room string) error {
	binds, err := c.binds()
	if err != nil {
		return err
	}
	host, err := mountsOf("self")
	if err != nil {
		return err
	}
	list := crmounts.Restored(binds, host)
	if !slices.ContainsFunc(list, func(e crmounts.External) bool { return e.Key == notifyMount }) {
		// For a container that has been made with one: it has reported that it is ready, and has no
		// more use for the socket.
		if err := c.dir.MakeNotify(); err != nil {
			return err
		}
		list = append(list, crmounts.External{Key: notifyMount, Value: state.NotifyDir(c.rt.Root, c.id)})
	}
	if err := c.findSources(room, list); err != nil {
		return err
	}
	list = append(append(list, crmounts.Masked(c.spec)...), c.cgroupMounts()...)
	if hasNamespace(c.spec, specs.UserNamespace) {
		if list, err = c.lend(room, list); err != nil {
			return err
		}
	}
	for _, e := range list {
		c.req.opts.ExtMnt = append(c.req.opts.ExtMnt, extMount(e.Key, e.Value))
	}
	return nil
}

// binds makes the mount points of all mounts, and gives those that come from the host.
func (c *restoration) binds() (binds []crmounts.Bind, err error) {
	places := make([]string, len(c.spec.Mounts))
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		o := mountopt.ParseMountOptions(m.Options)
		if o.Remount {
			continue
		}
		source := compile.HostPath(m.Source, c.o.Bundle)
		if places[i], err = c.makePoint(i, o.Bind && !isDirectory(source), places); err != nil {
			return nil, fmt.Errorf("mounts[%d]: %w", i, err)
		}
		if !o.Bind || o.CopySymlink || crmounts.FromInside(c.rec.Config.Rootfs, source, c.spec.Mounts[:i]) {
			continue
		}
		if err := unix.Access(source, unix.F_OK); err != nil {
			return nil, fmt.Errorf("mounts[%d].source: %s is not there to be bound on %s: %w", i, source, m.Destination, err)
		}
		// criu does not follow links.
		b := crmounts.Bind{Index: i, Keys: []string{places[i]}, Source: bindSource(m, c.o.Bundle), Recursive: o.Recursive}
		if clean := path.Clean("/" + m.Destination); clean != places[i] {
			b.Keys = append(b.Keys, clean)
		}
		if f := c.idmapped(i); f != nil {
			b.IDMapped, b.IDMappedTree = true, f.IDMap.Recursive
		}
		binds = append(binds, b)
	}
	return binds, nil
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// makePoint makes the mount point of an entry of mounts and gives its place in the container. What
// lies in another file system of the container is in the images.
func (c *restoration) makePoint(i int, file bool, places []string) (string, error) {
	dest := path.Clean("/" + c.spec.Mounts[i].Destination)
	in := crmounts.Covering(c.spec.Mounts[:i], dest)
	if in < 0 {
		return stage.MakePoint(c.rec.Config.Rootfs, dest, !file)
	}
	m := &c.spec.Mounts[in]
	rel, below := crmounts.Below(dest, path.Clean("/"+m.Destination))
	switch {
	case !below:
		return places[in], nil
	case !mountopt.ParseMountOptions(m.Options).Bind:
		return path.Join(places[in], rel), nil
	}
	rel, err := stage.MakePoint(compile.HostPath(m.Source, c.o.Bundle), rel, !file)
	return path.Join(places[in], rel), err
}

// cgroupMounts are the container's cgroups, for one that sees them through mounts of the host.
// Whether it does, the images say.
func (c *restoration) cgroupMounts() (list []crmounts.External) {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		if m.Type != "cgroup" && m.Type != "cgroup2" {
			continue
		}
		dest := path.Clean("/" + m.Destination)
		for _, h := range c.facts.Hierarchies {
			key := dest
			if !c.facts.Cgroup2 {
				key = path.Join(dest, h.Name)
			}
			list = append(list, crmounts.External{Key: key, Value: h.Host})
		}
	}
	return list
}

// deviceNodes are the nodes for the container's devices, by their places in it.
func (c *restoration) deviceNodes(room string) (map[string]string, error) {
	nodes := map[string]string{}
	for _, place := range devicePlaces(c.spec) {
		nodes[place] = place
	}
	if len(c.spec.Linux.Devices) == 0 {
		return nodes, nil
	}
	tree, err := rootfs.MakeDevices(c.spec)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	for i := range c.spec.Linux.Devices {
		nodes[path.Clean(c.spec.Linux.Devices[i].Path)] = fmt.Sprintf("%s/devices/%d", room, i)
	}
	return nodes, stage.Attach(tree, room+"/devices")
}
