package rootfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
)

// Namespace makes a user namespace that has these maps.
type Namespace func(uids, gids []specs.LinuxIDMapping) (*os.File, error)

// takeMaps takes containerd's own options of an idmapped snapshot out of the others, and gives a
// user namespace for them; without such options nil.
func takeMaps(o *mountopt.MountOptions, userns Namespace) (*os.File, error) {
	maps := make(map[string][]specs.LinuxIDMapping)
	var err error
	o.Data = slices.DeleteFunc(o.Data, func(d mountopt.FSOption) bool {
		if d.Key != "uidmap" && d.Key != "gidmap" {
			return false
		}
		var perr error
		maps[d.Key], perr = parseMaps(d.Value)
		err = errors.Join(err, perr)
		return true
	})
	switch {
	case err != nil || len(maps) == 0:
		return nil, err
	case len(maps) == 1:
		return nil, errors.New("uidmap, gidmap: there has to be none or both")
	}
	return userns(maps["uidmap"], maps["gidmap"])
}

// parseMaps reads what containerd writes: the container's id, the host's and the size, with colons,
// and commas between maps.
func parseMaps(text string) ([]specs.LinuxIDMapping, error) {
	const fields = 3
	var maps []specs.LinuxIDMapping
	for part := range strings.SplitSeq(text, ",") {
		var n [fields]uint32
		words := strings.Split(part, ":")
		if len(words) != fields {
			return nil, fmt.Errorf("idmap %q is not CONTAINER:HOST:SIZE", part)
		}
		for i, word := range words {
			v, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("idmap %q: %w", part, err)
			}
			n[i] = uint32(v)
		}
		maps = append(maps, specs.LinuxIDMapping{ContainerID: n[0], HostID: n[1], Size: n[2]})
	}
	return maps, nil
}

// clone makes a mount of a directory's tree, with its owners mapped if there are maps.
func clone(dir string, recursive bool, maps *os.File) (int, error) {
	flags := uint(0)
	if recursive {
		flags = unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil || maps == nil {
		return fd, err
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(maps.Fd())}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|flags, attr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("idmap %s: %w", dir, err)
	}
	return fd, nil
}

// createMapped makes an overlay of idmapped layers: it can't be idmapped itself. The upper
// directory is not mapped, its files belong to the container's users on the host.
//
// Before Linux 6.13 overlayfs takes no layer that is not attached. Hence the layers are attached,
// for the moment in which it makes mounts of its own of them: where the overlay will be, so that
// whoever cleans up behind a shim that was killed finds them.
func createMapped(m *api.Mount, o *mountopt.MountOptions, maps *os.File, dir string) (int, error) {
	at := slices.IndexFunc(o.Data, func(d mountopt.FSOption) bool { return d.Key == "lowerdir" })
	if at < 0 || strings.Contains(o.Data[at].Value, "::") {
		return -1, errors.New("uidmap, gidmap: there has to be lowerdir, without data-only layers")
	}
	layers, err := attach(splitLayers(o.Data[at].Value), maps, dir)
	defer closeAll(layers)
	fd := -1
	if err == nil {
		paths := make([]string, len(layers))
		for i, layer := range layers {
			paths[i] = fmt.Sprintf("/proc/self/fd/%d", layer)
		}
		o.Data[at].Value = strings.Join(paths, ":")
		fd, err = create(m, o)
	}
	if uerr := unmount(dir, len(layers)); uerr != nil {
		closeAll([]int{fd})
		return -1, errors.Join(err, uerr)
	}
	return fd, err
}

// attach mounts directories with their owners mapped, one on the other. With an error it gives
// those that are mounted.
func attach(layers []string, maps *os.File, dir string) (mounts []int, err error) {
	for _, layer := range layers {
		fd, err := clone(layer, false, maps)
		if err != nil {
			return mounts, err
		}
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			unix.Close(fd)
			return mounts, fmt.Errorf("idmap %s: %w", layer, err)
		}
		mounts = append(mounts, fd)
	}
	return mounts, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
