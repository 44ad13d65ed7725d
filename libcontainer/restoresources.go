package libcontainer

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/crmounts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/stage"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// findSources says where criu finds what it is to bind. It gives the container's mounts the
// propagation that they had from the mount of the host in which it finds one of them: see
// crmounts.Widest. What is to be idmapped is found in an idmapped copy of that.
func (c *restoration) findSources(room string, list []crmounts.External) error {
	mounts, err := mountsOf("thread-self")
	if err != nil {
		return err
	}
	copies := map[string]string{}
	for i := range list {
		e := &list[i]
		mount, rel := widest(mounts, e.Value)
		e.Mount = mount
		if e.Mapped == nil {
			e.Value = path.Join(mount, rel)
			continue
		}
		name := fmt.Sprintf("%s of %s", compile.SourceFile(e.Mapped.Index), mount)
		if copies[name] == "" {
			at := fmt.Sprintf("%s/mount%d", room, len(copies))
			if err := c.attachIDMapped(e.Mapped.Index, name, mount, at); err != nil {
				return err
			}
			copies[name] = at
		}
		e.Value = path.Join(copies[name], rel)
	}
	return nil
}

// widest splits a path behind the mount point of the widest mount that shows what is there, or of
// none but itself.
func widest(mounts []crmounts.Mount, p string) (mount, rel string) {
	var there, wide unix.Statx_t
	const mask = unix.STATX_MNT_ID | unix.STATX_INO
	if unix.Statx(unix.AT_FDCWD, p, unix.AT_SYMLINK_NOFOLLOW, mask, &there) != nil {
		return p, ""
	}
	m, rel, ok := crmounts.Widest(mounts, int(there.Mnt_id), p)
	if !ok {
		return p, ""
	}
	// Something else may be mounted over it.
	err := unix.Statx(unix.AT_FDCWD, path.Join(m.Place, rel), unix.AT_SYMLINK_NOFOLLOW, mask, &wide)
	if err != nil || wide.Mnt_id != uint64(m.ID) || wide.Ino != there.Ino {
		return p, ""
	}
	return m.Place, rel
}

// idmapped is how the plan opens the source of an entry of mounts that is to be idmapped, or nil.
func (c *restoration) idmapped(i int) *plan.File {
	at := slices.IndexFunc(c.plan.Files, func(f plan.File) bool {
		return f.Name == compile.SourceFile(i) && f.Open == plan.OpenTree && f.IDMap != nil
	})
	if at < 0 {
		return nil
	}
	return &c.plan.Files[at]
}

// attachIDMapped mounts a copy of a mount, idmapped as an entry of mounts is to be.
func (c *restoration) attachIDMapped(i int, name, mount, at string) error {
	file := *c.idmapped(i)
	idmap := *file.IDMap
	idmap.Recursive = false
	file.Name, file.Path, file.Recursive, file.IDMap = name, mount, false, &idmap
	if err := c.files.OpenAll(&plan.Plan{Files: []plan.File{file}}); err != nil {
		return err
	}
	if err := stage.Attach(c.files.ByName[name], at); err != nil {
		return fmt.Errorf("mounts[%d]: %w", i, err)
	}
	return nil
}

// lend adds the device nodes of a container that can't make any, and binds in a room what criu
// would not get at: it looks for what it is to bind as root of the container's user namespace, who
// may not go wherever the host's root may, nor clone a mount without those that cover parts of it.
func (c *restoration) lend(room string, list []crmounts.External) ([]crmounts.External, error) {
	nodes, err := c.deviceNodes(room)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(e crmounts.External) bool { return nodes[e.Key] != "" })
	for _, place := range slices.Sorted(maps.Keys(nodes)) {
		list = append(list, crmounts.External{Key: place, Value: nodes[place]})
	}
	mounts, err := mountsOf("thread-self")
	if err != nil {
		return nil, err
	}
	for i := range list {
		source := list[i].Value
		covered := slices.ContainsFunc(mounts, func(m crmounts.Mount) bool { _, below := crmounts.Below(m.Place, source); return below })
		if !covered && openToAll(source) {
			continue
		}
		at := fmt.Sprintf("%s/external%d", room, i)
		if err := stage.Lend(source, at); err != nil {
			return nil, err
		}
		mount := list[i].Mount
		if mount == "" {
			mount, _ = widest(mounts, source)
		}
		c.lends = append(c.lends, lentMount{at, mount})
		list[i].Value = at
	}
	return list, nil
}

// lentMount is where something is bound that criu is to bind from there, and the mount of the host
// that it is of.
type lentMount struct{ at, mount string }

// widen puts whole mounts where parts of them were for criu, in another room over the first. By now
// the container has its own mount namespace, in which it binds the parts. It is in ours that criu
// looks for what to copy the propagation from, and there they would be too narrow: see
// crmounts.Widest. They can't be replaced: a directory that is removed is unmounted everywhere.
func (c *restoration) widen() error {
	if len(c.lends) == 0 {
		return nil
	}
	return stage.InMounts(c.worker.Pid, func() error {
		if err := c.makeRoom(c.room()); err != nil {
			return err
		}
		for _, l := range c.lends {
			if err := stage.Lend(l.mount, l.at); err != nil {
				return err
			}
		}
		return nil
	})
}

// openToAll says whether everybody may go to where a file is.
func openToAll(name string) bool {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		var st unix.Stat_t
		if unix.Stat(dir, &st) != nil || st.Mode&0o001 == 0 {
			return false
		}
		if dir == "/" {
			return true
		}
	}
}
