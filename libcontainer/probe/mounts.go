package probe

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// KernelMounts finds the mountpoints of proc and sysfs that do not lie below root, in the reverse
// of the order in which they were made.
func KernelMounts(root string) ([]string, error) {
	below := strings.TrimSuffix(root, "/") + "/"
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		kernels := m.FSType == "proc" || m.FSType == "sysfs"
		return !kernels || m.Mountpoint == root || strings.HasPrefix(m.Mountpoint, below), false
	})
	if err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	var list []string
	for _, m := range slices.Backward(mounts) {
		list = append(list, m.Mountpoint)
	}
	return list, nil
}

// MountID is the id of the mount that path lies in (statx(2), Linux 5.8), as mountinfo has it. Once
// the mount is gone, another one may get it.
func MountID(path string) (uint64, error) { return statxMountID(path, unix.STATX_MNT_ID) }

// UniqueMountID is an id that no other mount has had or will have (Linux 6.8). On an older kernel
// it is that of [MountID].
func UniqueMountID(path string) (uint64, error) {
	return statxMountID(path, unix.STATX_MNT_ID|unix.STATX_MNT_ID_UNIQUE)
}

// RootMount is the id of the mount that a process has for its root, and whether it is one as
// [UniqueMountID] gives it. 0 is for a process that has ended, or that we may not look at.
func RootMount(pid int) (id uint64, unique bool) {
	var st unix.Statx_t
	mask := unix.STATX_MNT_ID | unix.STATX_MNT_ID_UNIQUE
	if err := unix.Statx(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/root", pid), 0, mask, &st); err != nil {
		return 0, false
	}
	return st.Mnt_id, st.Mask&unix.STATX_MNT_ID_UNIQUE != 0
}

func statxMountID(path string, mask int) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, mask, &st); err != nil {
		return 0, fmt.Errorf("look at %s: %w", path, refusal.Explain("statx", err))
	}
	return st.Mnt_id, nil
}

// ParentMount is the id of the mount that the one with the given id lies on, or 0.
func ParentMount(id uint64) (uint64, error) {
	m, err := mountByID(id)
	if err != nil || m == nil {
		return 0, err
	}
	return uint64(m.Parent), nil
}

// mountByID finds a mount of ours, or nil.
func mountByID(id uint64) (*mountinfo.Info, error) {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		same := uint64(m.ID) == id
		return !same, same
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("list the mounts: %w", err)
	case len(mounts) == 0:
		return nil, nil
	}
	return mounts[0], nil
}

// mountAttr gives the restrictions of the mount that path lies in. statfs(2) tells them at once,
// but "read-only" also for a read-only file system, whose mount may not be: then it takes the table
// of mounts. To read that for each source was 6 % of the CPU time of a pod's `run`.
func mountAttr(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err == nil && st.Flags&unix.ST_RDONLY == 0 {
		return attrOfFlags(int64(st.Flags)), nil
	}
	id, err := MountID(path)
	if err != nil {
		return 0, err
	}
	m, err := mountByID(id)
	if err != nil || m == nil {
		return 0, err
	}
	var attr uint64
	for option := range strings.SplitSeq(m.Options, ",") {
		attr |= attrOf(option)
	}
	return attr, nil
}

// attrOfFlags are the restrictions in the flags that statfs(2) gives.
func attrOfFlags(flags int64) (attr uint64) {
	for _, f := range [...]struct {
		flag int64
		attr uint64
	}{
		{unix.ST_NOSUID, unix.MOUNT_ATTR_NOSUID},
		{unix.ST_NODEV, unix.MOUNT_ATTR_NODEV},
		{unix.ST_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
		{0x2000, unix.MOUNT_ATTR_NOSYMFOLLOW}, // ST_NOSYMFOLLOW
	} {
		if flags&f.flag != 0 {
			attr |= f.attr
		}
	}
	return attr
}

func attrOf(option string) uint64 {
	switch option {
	case "ro":
		return unix.MOUNT_ATTR_RDONLY
	case "nosuid":
		return unix.MOUNT_ATTR_NOSUID
	case "nodev":
		return unix.MOUNT_ATTR_NODEV
	case "noexec":
		return unix.MOUNT_ATTR_NOEXEC
	case "nosymfollow":
		return unix.MOUNT_ATTR_NOSYMFOLLOW
	}
	return 0
}

// mountpointOf is the mountpoint of the mount that path lies in. Of a path that there is not, it is
// that of the nearest directory above, and the error says so.
func mountpointOf(path string) (string, error) {
	id, missing := MountID(path)
	for err := missing; err != nil; {
		if !errors.Is(err, unix.ENOENT) || path == "/" {
			return "", missing
		}
		path = filepath.Dir(path)
		id, err = MountID(path)
	}
	for path != "/" {
		parent := filepath.Dir(path)
		other, err := MountID(parent)
		if err != nil {
			return "", err
		}
		if other != id {
			break
		}
		path = parent
	}
	return path, missing
}
