package facts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// KernelMounts finds the mountpoints of proc and sysfs that do not lie below root, in the reverse of the order in which they
// were made.
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

// mountAttr gives the restrictions of the mount that path lies in. statfs(2) would not do: it says "read-only" for a
// read-only file system, too, whose mount is not.
func mountAttr(path string) (uint64, error) {
	id, err := MountID(path)
	if err != nil {
		return 0, err
	}
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		same := uint64(m.ID) == id
		return !same, same
	})
	if err != nil {
		return 0, fmt.Errorf("list the mounts: %w", err)
	}
	var attr uint64
	for _, m := range mounts {
		for option := range strings.SplitSeq(m.Options, ",") {
			attr |= attrOf(option)
		}
	}
	return attr, nil
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
