package check

import (
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
	"github.com/ociruntime/ociruntime/specconv/names"
)

func (c *checker) root(root *specs.Root) {
	switch {
	case root == nil:
		c.bad("root", "must be set")
	case root.Path == "":
		c.bad("root.path", "must not be empty")
	case nul(root.Path):
		c.bad("root.path", hasNUL)
	}
}

func (c *checker) mounts(mounts []specs.Mount) {
	for i := range mounts {
		c.mount(i, &mounts[i])
	}
}

func (c *checker) mount(i int, m *specs.Mount) {
	o := mountopt.ParseMountOptions(m.Options)
	c.mountDestination(i, m, &o)
	c.mountSource(i, m, &o)
	c.mountData(i, m, &o)
	c.mountIDMap(i, m, &o)
	if !o.Bind && (o.CopySymlink || o.SrcNoFollow) {
		c.warn(at("mounts", i)+".options", "copy-symlink and src-nofollow have no meaning for a mount that is not a bind mount")
	}
	if o.TmpCopyUp && m.Type != "tmpfs" {
		c.warn(at("mounts", i)+".options", "tmpcopyup has no meaning for a mount that is not a tmpfs")
	}
}

func (c *checker) mountDestination(i int, m *specs.Mount, o *mountopt.MountOptions) {
	switch {
	case m.Destination == "":
		c.bad(at("mounts", i)+".destination", "must not be empty")
		return
	case nul(m.Destination):
		c.bad(at("mounts", i)+".destination", hasNUL)
		return
	case m.Destination[0] != '/':
		c.warn(at("mounts", i)+".destination", "%q is taken from /: it should be absolute", m.Destination)
	}
	destination := names.Absolute(m.Destination)
	switch {
	case destination == "/":
		c.bad(at("mounts", i)+".destination", "nothing can be mounted over the container's root: %q", m.Destination)
	case destination == "/proc":
		// Whether the source of a bind mount is a procfs is not known here.
		if m.Type != "proc" && !o.Bind && !o.Remount {
			c.bad(at("mounts", i)+".destination", "only a proc file system can be mounted on /proc, not %q", m.Type)
		}
	case strings.HasPrefix(destination, "/proc/") && !mayCoverProc(destination):
		c.bad(at("mounts", i)+".destination", "%q can't be mounted over: what the runtime reads and writes in /proc must be the kernel's", destination)
	}
}

// mayCoverProc lists the files of /proc that may be mounted over: what lxcfs
// emulates, and two that only tell.
func mayCoverProc(destination string) bool {
	switch destination {
	case "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/loadavg",
		"/proc/slabinfo", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled":
		return true
	}
	return false
}

func (c *checker) mountSource(i int, m *specs.Mount, o *mountopt.MountOptions) {
	if nul(m.Source) {
		c.bad(at("mounts", i)+".source", hasNUL)
	}
	if nul(m.Type) {
		c.bad(at("mounts", i)+".type", hasNUL)
	}
	switch {
	case o.Remount:
	case o.Bind && m.Source == "":
		c.bad(at("mounts", i)+".source", "must not be empty for a bind mount")
	case o.Bind:
	case m.Type == "":
		c.bad(at("mounts", i)+".type", "must be set; for a bind mount add bind or rbind to the options")
	case m.Type == "bind", m.Type == "none":
		c.bad(at("mounts", i)+".type", "%s makes no mount: for a bind mount add bind or rbind to the options", m.Type)
	}
}

// mountData checks the options that belong to the file system: a bind mount
// has none, and ids among them must be ids of the container.
func (c *checker) mountData(i int, m *specs.Mount, o *mountopt.MountOptions) {
	for j, option := range m.Options {
		if nul(option) {
			c.bad(at(at("mounts", i)+".options", j), hasNUL)
		}
	}
	for _, d := range o.Data {
		place := func() string { return at(at("mounts", i)+".options", d.Index) }
		switch {
		case o.Bind && d.Value != "":
			// The kernel takes no notice of these; a word alone may be a misspelt flag, as
			// readonly, and someone relies on it.
			c.warn(place(), "%q belongs to a file system: it has no meaning for a bind mount", d)
		case o.Bind:
			c.bad(place(), "%q belongs to a file system: it has no meaning for a bind mount", d)
		case o.Remount:
			c.bad(place(), "%q belongs to the file system: remount changes the flags of a mount alone", d)
		case d.Key == "":
			c.bad(place(), "%q has no name", d)
		case d.Key == "uid":
			c.mountID(place, d, "linux.uidMappings", c.linux.UIDMappings)
		case d.Key == "gid":
			c.mountID(place, d, "linux.gidMappings", c.linux.GIDMappings)
		}
	}
}

// mountID refuses what the kernel, in a new user namespace, would answer with
// EINVAL.
func (c *checker) mountID(place func() string, d mountopt.FSOption, list string, mappings []specs.LinuxIDMapping) {
	id, err := strconv.ParseUint(d.Value, 10, 32)
	if err != nil || len(mappings) == 0 || !c.newUserNamespace() {
		return
	}
	if !idmap.Has(mappings, uint32(id)) {
		c.bad(place(), "%q: %d is not mapped by %s", d, id, list)
	}
}

func (c *checker) mountIDMap(i int, m *specs.Mount, o *mountopt.MountOptions) {
	uids, gids := len(m.UIDMappings), len(m.GIDMappings)
	switch {
	case o.IDMapText != "" && uids+gids > 0:
		c.bad(at("mounts", i)+".options", "idmap must not have a value beside uidMappings and gidMappings")
	case o.IDMapText != "" && o.Bind:
		u, g, err := mountopt.IDMapOption(o.IDMapText, c.linux)
		if err != nil {
			c.bad(at("mounts", i)+".options", "idmap: %v", err)
			break
		}
		c.mappings(at("mounts", i)+".options.idmap.uids", u)
		c.mappings(at("mounts", i)+".options.idmap.gids", g)
	case !o.Bind && (uids+gids > 0 || o.IDMap != mountopt.IDMapNone):
		c.bad(at("mounts", i), "only a bind mount can be idmapped")
	case uids > 0 && gids == 0:
		c.bad(at("mounts", i)+".gidMappings", "must be set, as uidMappings is")
	case uids == 0 && gids > 0:
		c.bad(at("mounts", i)+".uidMappings", "must be set, as gidMappings is")
	case uids > 0:
		c.mappings(at("mounts", i)+".uidMappings", m.UIDMappings)
		c.mappings(at("mounts", i)+".gidMappings", m.GIDMappings)
	case o.IDMap != mountopt.IDMapNone && c.namespace(specs.UserNamespace) == nil:
		c.bad(at("mounts", i)+".options", "idmap needs uidMappings and gidMappings, or a user namespace whose mappings it can take")
	}
}

// rootfs checks what is done to the whole tree at the end.
func (c *checker) rootfs() {
	l := c.linux
	if p, ok := mountopt.RootfsPropagation(l.RootfsPropagation); l.RootfsPropagation != "" {
		switch {
		case !ok:
			c.bad("linux.rootfsPropagation", "must be shared, slave, private or unbindable, not %q", l.RootfsPropagation)
		case c.opts.NoPivot && p.Type == unix.MS_PRIVATE:
			c.bad("linux.rootfsPropagation", "%s can't be had without pivot_root", l.RootfsPropagation)
		}
	}
	c.hiddenPaths("linux.maskedPaths", l.MaskedPaths)
	c.hiddenPaths("linux.readonlyPaths", l.ReadonlyPaths)
	if nul(l.MountLabel) {
		c.bad("linux.mountLabel", hasNUL)
	}
}

func (c *checker) hiddenPaths(list string, paths []string) {
	if len(paths) > 0 && c.namespace(specs.MountNamespace) == nil {
		c.bad(list, "needs a mount namespace: without one the host's own %q would change", paths[0])
	}
	for i, p := range paths {
		if p == "" || p[0] != '/' || nul(p) {
			c.absolute(at(list, i), p)
		}
	}
}
