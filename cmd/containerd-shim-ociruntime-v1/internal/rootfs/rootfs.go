// Package rootfs mounts a container's root file system where containerd wants it, in the bundle.
package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// Mount mounts a snapshot, one mount on the other, at dir. When that fails, nothing is mounted.
// userns is asked for what an idmapped mount needs.
func Mount(mounts []*api.Mount, dir string, userns Namespace) error {
	if len(mounts) == 0 {
		return nil // it is there already
	}
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("rootfs: %w", err)
	}
	for i, m := range mounts {
		if err := mount(m, dir, userns); err != nil {
			return errors.Join(fmt.Errorf("rootfs: mount %s (%s) at %s: %w", m.GetSource(), m.GetType(), dir, err), unmount(dir, i))
		}
	}
	return nil
}

// Unmount undoes Mount, however often something is mounted there.
func Unmount(dir string) error {
	const most = 1000
	return unmount(dir, most)
}

func unmount(dir string, times int) error {
	for range times {
		switch err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); {
		case err == unix.EINVAL || err == unix.ENOENT:
			return nil // no mount is left
		case err != nil:
			return fmt.Errorf("rootfs: unmount %s: %w", dir, err)
		}
	}
	return nil
}

func mount(m *api.Mount, dir string, userns Namespace) error {
	o := mountopt.ParseMountOptions(m.GetOptions())
	maps, err := takeMaps(&o, userns)
	if err != nil {
		return err
	}
	defer maps.Close() // nil, if there are none
	fd, err := detached(m, &o, maps, dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if o.AttrSet != 0 || o.AttrClr != 0 {
		attr := &unix.MountAttr{Attr_set: o.AttrSet, Attr_clr: o.AttrClr}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, attr); err != nil {
			return err
		}
	}
	return unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// detached makes a mount that is not attached to anything.
func detached(m *api.Mount, o *mountopt.MountOptions, maps *os.File, dir string) (int, error) {
	switch {
	case o.Bind || m.GetType() == "bind":
		return clone(m.GetSource(), o.Recursive, maps)
	case maps == nil:
		return create(m, o)
	case m.GetType() == "overlay":
		return createMapped(m, o, maps, dir)
	}
	return -1, fmt.Errorf("uidmap, gidmap: %w for this file system", errors.ErrUnsupported)
}

func create(m *api.Mount, o *mountopt.MountOptions) (int, error) {
	fs, err := unix.Fsopen(m.GetType(), unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := configure(fs, m, o); err != nil {
		return -1, explain(fs, err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, explain(fs, err)
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
}

func configure(fs int, m *api.Mount, o *mountopt.MountOptions) error {
	if m.GetSource() != "" {
		if err := unix.FsconfigSetString(fs, "source", m.GetSource()); err != nil {
			return err
		}
	}
	if o.AttrSet&unix.MOUNT_ATTR_RDONLY != 0 {
		if err := unix.FsconfigSetFlag(fs, "ro"); err != nil {
			return err
		}
	}
	for _, name := range o.Super {
		if err := unix.FsconfigSetFlag(fs, name); err != nil {
			return err
		}
	}
	for _, d := range o.Data {
		if err := setOption(fs, d); err != nil {
			return fmt.Errorf("%.200s: %w", d, err)
		}
	}
	return nil
}

// setOption sets an option of the file system's. fsconfig takes values of up to 255 bytes, and the
// page that mount(2) takes has room for some fifty layers: hence one call for each layer.
func setOption(fs int, d mountopt.FSOption) error {
	switch {
	case !d.HasValue:
		return unix.FsconfigSetFlag(fs, d.Key)
	case d.Key != "lowerdir" || strings.Contains(d.Value, "::"):
		return unix.FsconfigSetString(fs, d.Key, d.Value)
	}
	for _, layer := range splitLayers(d.Value) {
		err := unix.FsconfigSetString(fs, "lowerdir+", layer)
		if errors.Is(err, unix.EINVAL) {
			// Before Linux 6.5 there is no such option.
			return unix.FsconfigSetString(fs, d.Key, d.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// splitLayers takes a list of layers apart. A backslash keeps the colon behind it.
func splitLayers(list string) []string {
	var layers []string
	var layer strings.Builder
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '\\' && i+1 < len(list):
			i++
			layer.WriteByte(list[i])
		case list[i] == ':':
			layers = append(layers, layer.String())
			layer.Reset()
		default:
			layer.WriteByte(list[i])
		}
	}
	return append(layers, layer.String())
}

// explain adds to an error what the kernel has to say about a file system that it would not make:
// lines of a letter, for error, warning or information, and a text.
func explain(fs int, err error) error {
	for {
		buf := make([]byte, 4096)
		n, rerr := unix.Read(fs, buf)
		if rerr != nil || n <= 0 {
			return err
		}
		line := strings.TrimSpace(string(buf[:n]))
		if _, text, ok := strings.Cut(line, " "); ok {
			line = text
		}
		err = fmt.Errorf("%w (%s)", err, line)
	}
}
