package libcontainer

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv"
)

// A container without a mount namespace has its mounts on the host (spec, "Namespaces": a type that is not listed is inherited). They
// all lie in one mount on root.path, which goes with the container.

// recordHostMounts notes what root.path is before the mounts are made, so that delete can tell ours from an engine's.
func recordHostMounts(rec *state.Record, spec *specs.Spec) error {
	if !specconv.MountsOnHost(spec) {
		return nil
	}
	id, err := facts.MountID(rec.Config.Rootfs)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	rec.RootBelow = id
	return nil
}

// removeHostMounts takes the container's mounts away from the host, if they are there.
func removeHostMounts(rec *state.Record) error {
	if rec == nil || rec.RootBelow == 0 {
		return nil
	}
	// A creation that was killed may have left a mount over its root.
	for {
		id, err := facts.MountID(rec.Config.Rootfs)
		if err != nil || id == rec.RootBelow {
			return nil // nothing of ours is there any more, or yet
		}
		err = unix.Unmount(rec.Config.Rootfs, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) {
			return nil // not even the mount is there any more that root.path was: an engine has taken it away first
		}
		if err != nil {
			return fmt.Errorf("unmount the container's root file system %s: %w", rec.Config.Rootfs, err)
		}
	}
}
