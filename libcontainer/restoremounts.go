package libcontainer

import (
	"fmt"
	"os"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/crmounts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/rootfs"
	"github.com/ociruntime/ociruntime/libcontainer/internal/stage"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// nameMounts makes the mount points that are missing, as in a new root file system, and says what
// criu is to bind on which.
func (c *restoration) nameMounts() error {
	places := make([]string, len(c.spec.Mounts))
	var binds []crmounts.Bind
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		o := mountopt.ParseMountOptions(m.Options)
		if o.Remount {
			continue
		}
		source := compile.HostPath(m.Source, c.o.Bundle)
		var err error
		if places[i], err = c.makePoint(i, o.Bind && !isDirectory(source), places); err != nil {
			return fmt.Errorf("mounts[%d]: %w", i, err)
		}
		if !o.Bind || o.CopySymlink || crmounts.FromInside(c.rec.Config.Rootfs, source, c.spec.Mounts[:i]) {
			continue
		}
		if err := unix.Access(source, unix.F_OK); err != nil {
			return fmt.Errorf("mounts[%d].source: %s is not there to be bound on %s: %w", i, source, m.Destination, unwordy(err))
		}
		keys := []string{places[i]}
		if clean := path.Clean("/" + m.Destination); clean != places[i] {
			keys = append(keys, clean)
		}
		binds = append(binds, crmounts.Bind{Keys: keys, Source: source, Recursive: o.Recursive})
	}
	host, err := mountsOf(os.Getpid())
	if err != nil {
		return err
	}
	for _, e := range crmounts.Restored(binds, host) {
		c.req.opts.ExtMnt = append(c.req.opts.ExtMnt, extMount(e.Key, e.Value))
	}
	c.req.opts.ExtMnt = append(c.req.opts.ExtMnt, extMount(crmounts.Null, os.DevNull))
	c.nameCgroups()
	return nil
}

// unwordy is an errno without the kernel's words, which engines take to be about the program.
func unwordy(err error) error {
	if errno, ok := err.(unix.Errno); ok {
		return errnoError(errno)
	}
	return err
}

type errnoError unix.Errno

func (e errnoError) Error() string { return unix.ErrnoName(unix.Errno(e)) }

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

// nameCgroups names the container's cgroups, for one that sees them through mounts of the host.
func (c *restoration) nameCgroups() {
	if hasNamespace(c.spec, specs.CgroupNamespace) {
		return
	}
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
			c.req.opts.ExtMnt = append(c.req.opts.ExtMnt, extMount(key, h.Host))
		}
	}
}

// openIDMapped opens the sources of idmapped mounts.
func (c *restoration) openIDMapped() error {
	var only plan.Plan
	for _, f := range c.plan.Files {
		if f.IDMap != nil && f.Open == plan.OpenTree {
			only.Files = append(only.Files, f)
		}
	}
	return c.files.OpenAll(&only)
}

// attachTrees gives paths to what is mounted nowhere: idmapped sources, and device nodes for a
// container that can't make any.
func (c *restoration) attachTrees(room string) error {
	for i := range c.spec.Mounts {
		tree := c.files.ByName[compile.SourceFile(i)]
		if tree == nil {
			continue
		}
		at := fmt.Sprintf("%s/mount%d", room, i)
		if err := stage.Attach(tree, at); err != nil {
			return fmt.Errorf("mounts[%d]: %w", i, err)
		}
		source := compile.HostPath(c.spec.Mounts[i].Source, c.o.Bundle)
		for _, e := range c.req.opts.ExtMnt {
			if e.GetVal() == source {
				e.Val = &at
			}
		}
	}
	if !hasNamespace(c.spec, specs.UserNamespace) {
		return nil
	}
	nodes := map[string]string{}
	for _, place := range devicePlaces(c.spec) {
		nodes[place] = place
	}
	if len(c.spec.Linux.Devices) > 0 {
		tree, err := rootfs.MakeDevices(c.spec)
		if err != nil {
			return err
		}
		defer tree.Close()
		if err := stage.Attach(tree, room+"/devices"); err != nil {
			return err
		}
		for i := range c.spec.Linux.Devices {
			nodes[path.Clean(c.spec.Linux.Devices[i].Path)] = fmt.Sprintf("%s/devices/%d", room, i)
		}
	}
	for place, node := range nodes {
		if place != crmounts.Null || node != place {
			c.req.opts.ExtMnt = append(c.req.opts.ExtMnt, extMount(place, node))
		}
	}
	return nil
}
