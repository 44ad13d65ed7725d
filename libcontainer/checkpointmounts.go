package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/crmounts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// externalMounts names the mounts that show something of the host.
func (d *dump) externalMounts() error {
	pid := d.c.rec.InitPid
	own, err := mountsOf(strconv.Itoa(pid))
	if err != nil {
		return err
	}
	host, err := mountsOf("self")
	if err != nil {
		return err
	}
	spec := d.withNotify()
	in := &crmounts.Container{
		Spec: spec, Places: map[int]int{}, Mounts: own, Host: host,
		OwnCgroup: !sameNamespace(pid, "cgroup") && !d.foreignCgroup(pid),
		Source:    func(i int) string { return bindSource(&spec.Mounts[i], d.c.rec.Bundle) },
	}
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the container's root: %w", err)
	}
	defer unix.Close(root)
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		source := compile.HostPath(m.Source, d.c.rec.Bundle)
		if !mountopt.ParseMountOptions(m.Options).Bind || crmounts.FromInside(d.c.rec.Config.Rootfs, source, spec.Mounts[:i]) {
			continue
		}
		if id, ok := mountAt(root, m.Destination); ok {
			in.Places[i] = id
		}
	}
	if !sameNamespace(pid, "user") {
		for _, place := range devicePlaces(d.spec) {
			if id, ok := mountAt(root, place); ok {
				in.Devices = append(in.Devices, id)
			}
		}
	}
	places := crmounts.Dumped(in)
	for _, place := range places {
		d.opts.ExtMnt = append(d.opts.ExtMnt, extMount(place, place))
	}
	return checkIDMaps(crmounts.Unmapped(own, places), spec, root)
}

// checkIDMaps refuses idmapped mounts that criu would make again without their mappings.
func checkIDMaps(lost []crmounts.Mount, spec *specs.Spec, root int) error {
	if len(lost) == 0 {
		return nil
	}
	m := &lost[0]
	for i := range slices.Backward(spec.Mounts) {
		if id, ok := mountAt(root, spec.Mounts[i].Destination); ok && id == m.ID {
			return undumpable(fmt.Sprintf("mounts[%d]: the idmapped mount on %s can't be checkpointed: its source is in the container, "+
				"and criu would restore it without its mapping (bind a source of the host)", i, m.Place))
		}
	}
	return undumpable(fmt.Sprintf("the idmapped mount on %s, which the container has made itself, can't be checkpointed: "+
		"criu would restore it without its mapping (unmount it before)", m.Place))
}

// bindSource is the host's path of what is bound, without symbolic links, as mounts are known by.
func bindSource(m *specs.Mount, bundle string) string {
	source := compile.HostPath(m.Source, bundle)
	dir, last := source, ""
	if mountopt.ParseMountOptions(m.Options).SrcNoFollow {
		dir, last = filepath.Split(source)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return filepath.Join(real, last)
	}
	return source
}

// withNotify is the configuration with the mount that create has added to it, if it has.
func (d *dump) withNotify() *specs.Spec {
	dir := state.NotifyDir(d.c.rt.Root, d.c.ID())
	if unix.Access(dir, unix.F_OK) != nil {
		return d.spec
	}
	own := *d.spec
	own.Mounts = append(slices.Clip(own.Mounts), specs.Mount{Destination: notifyMount, Source: dir, Options: []string{"bind"}})
	return &own
}

// foreignCgroup says whether the container's cgroup namespace will not belong to its user namespace
// when it is restored, so that nothing of it can be mounted there: without the help of criu it is
// made before there is one.
func (d *dump) foreignCgroup(pid int) bool {
	return d.o.CgroupsMode == ignoreCgroups && !sameNamespace(pid, "user")
}

func extMount(key, value string) *rpc.ExtMountMap {
	return &rpc.ExtMountMap{Key: &key, Val: &value}
}

// mountAt is the id of the mount whose root is at a path of the container. Links lead where they
// led when it was made.
func mountAt(root int, p string) (id int, ok bool) {
	fd, err := fs.FindInRoot(root, path.Clean("/"+p), 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil {
		return 0, false
	}
	return int(st.Mnt_id), st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// devicePlaces are the device nodes of a container that can't make any.
func devicePlaces(spec *specs.Spec) []string {
	places := []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}
	for i := range spec.Linux.Devices {
		places = append(places, filepath.Clean(spec.Linux.Devices[i].Path))
	}
	return places
}

// mountsOf reads the mounts of a process or thread, by its name below /proc.
func mountsOf(process string) ([]crmounts.Mount, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%s/mountinfo", process))
	var list []*mountinfo.Info
	if err == nil {
		list, err = mountinfo.GetMountsFromReader(f, nil)
		f.Close()
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("read the mounts of process %s: %w", process, err)
	}
	mounts := make([]crmounts.Mount, len(list))
	for i, m := range list {
		mounts[i] = crmounts.Mount{ID: m.ID, Parent: m.Parent, Major: m.Major, Minor: m.Minor, Root: m.Root, Place: m.Mountpoint, FSType: m.FSType,
			IDMapped: slices.Contains(strings.Split(m.Options, ","), "idmapped"), Group: m.Optional}
	}
	return mounts, nil
}

// sameNamespace says whether a process has this namespace from us.
func sameNamespace(pid int, link string) bool {
	var ours, theirs unix.Stat_t
	return unix.Stat("/proc/self/ns/"+link, &ours) == nil && unix.Stat(fmt.Sprintf("/proc/%d/ns/%s", pid, link), &theirs) == nil && ours.Ino == theirs.Ino
}
