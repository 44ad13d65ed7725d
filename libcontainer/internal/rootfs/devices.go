package rootfs

import (
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/idmap"
)

// MakeDevices makes the nodes of linux.devices in a tmpfs that is not mounted anywhere, for a
// container in a user namespace, which may not: of the host's own nodes owner and permissions are
// not the container's to choose.
func MakeDevices(spec *specs.Spec) (*os.File, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("linux.devices: make a tmpfs for the nodes: %w", refusal.Explain("fsopen", err))
	}
	defer unix.Close(fs)
	fd := -1
	if err = refusal.Explain("fsconfig", unix.FsconfigCreate(fs)); err == nil {
		fd, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
		err = refusal.Explain("fsmount", err)
	}
	if err != nil {
		return nil, fmt.Errorf("linux.devices: make a tmpfs for the nodes: %w", err)
	}
	dir := os.NewFile(uintptr(fd), compile.FileDevices)
	for i := range spec.Linux.Devices {
		if err := makeDevice(fd, fmt.Sprint(i), &spec.Linux.Devices[i], spec); err != nil {
			dir.Close()
			return nil, fmt.Errorf("linux.devices[%d]: make %s: %w", i, spec.Linux.Devices[i].Path, err)
		}
	}
	return dir, nil
}

func makeDevice(dir int, name string, d *specs.LinuxDevice, spec *specs.Spec) error {
	kind := uint32(unix.S_IFCHR)
	switch d.Type {
	case "b":
		kind = unix.S_IFBLK
	case "p":
		return nil
	}
	if err := unix.Mknodat(dir, name, kind|0o600, int(unix.Mkdev(uint32(d.Major), uint32(d.Minor)))); err != nil {
		return err
	}
	uid, gid := uint32(0), uint32(0)
	if d.UID != nil {
		uid = *d.UID
	}
	if d.GID != nil {
		gid = *d.GID
	}
	hostUID, ok := idmap.HostID(spec.Linux.UIDMappings, uid)
	hostGID, ok2 := idmap.HostID(spec.Linux.GIDMappings, gid)
	if !ok || !ok2 {
		return fmt.Errorf("its owner %d:%d has no id in the container: %w", uid, gid, unix.EINVAL)
	}
	if err := unix.Fchownat(dir, name, int(hostUID), int(hostGID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	mode := uint32(0o666)
	if d.FileMode != nil {
		mode = uint32(*d.FileMode) & 0o7777
	}
	return unix.Fchmodat(dir, name, mode, 0)
}
