package rootfs

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// A container without a mount namespace has its mounts on the host (spec, "Namespaces": a type that
// is not listed is inherited). They all lie in one mount on root.path, which goes with the
// container.

// RecordHostMounts notes what root.path is before the mounts are made, so that delete can tell ours
// from an engine's.
func RecordHostMounts(rec *state.Record, spec *specs.Spec) error {
	if !compile.MountsOnHost(spec) {
		return nil
	}
	id, err := probe.MountID(rec.Config.Rootfs)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	rec.RootBelow = id
	return nil
}

// NoteHostMount notes which mount on root.path is the container's, once it is there.
func NoteHostMount(rec *state.Record) error {
	if rec.RootBelow == 0 || rec.RootMount != 0 {
		return nil
	}
	id, err := probe.UniqueMountID(rec.Config.Rootfs)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	rec.RootMount = id
	return nil
}

// RemoveHostMounts takes the container's mount away from the host, if it is there. Anything else
// that lies on root.path by now belongs to somebody else.
func RemoveHostMounts(rec *state.Record) error {
	if rec == nil || rec.RootBelow == 0 {
		return nil
	}
	if ours, err := isHostMount(rec); err != nil || !ours {
		return err
	}
	err := unix.Unmount(rec.Config.Rootfs, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) { // it has just gone
		return fmt.Errorf("unmount the container's root file system %s: %w", rec.Config.Rootfs, err)
	}
	return nil
}

// isHostMount reports whether what is mounted on root.path is the container's.
func isHostMount(rec *state.Record) (bool, error) {
	if rec.RootMount != 0 {
		id, err := probe.UniqueMountID(rec.Config.Rootfs)
		return err == nil && id == rec.RootMount, nil // root.path may be gone
	}
	// A creation that was killed has noted nothing: what lies right on the mount that root.path was
	// in is what it has made.
	id, err := probe.MountID(rec.Config.Rootfs)
	if err != nil || id == rec.RootBelow {
		return false, nil
	}
	parent, err := probe.ParentMount(id)
	return parent == rec.RootBelow, err
}
