package libcontainer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
)

// descriptorsFile stands among the images: where the standard streams of the container led when it
// was created, as in images of runc.
const descriptorsFile = "descriptors.json"

// externalDescriptors says which standard streams lead out of the container to what is connected
// again when it is restored, nil if none does: pipes, under the name that criu and runc give them,
// fifos and logs of the host, under criu's name for a file of another mount namespace, and
// terminals. A log is a file that is only added to: there is no place in it to go back to.
func externalDescriptors(stdio [3]*os.File, are [3]facts.Stdio) []string {
	list := make([]string, len(stdio))
	found := false
	for i, f := range stdio {
		list[i] = os.DevNull
		var st unix.Statx_t
		if f == nil || unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_TYPE|unix.STATX_MNT_ID, &st) != nil {
			continue
		}
		switch {
		case are[i].Pipe:
			list[i], found = fmt.Sprintf("pipe:[%d]", st.Ino), true
		case st.Mode&unix.S_IFMT == unix.S_IFIFO:
			list[i], found = externalFile(st.Mnt_id, st.Ino), true
		case st.Mode&unix.S_IFMT == unix.S_IFREG && appends(f):
			list[i], found = asItIs(externalFile(st.Mnt_id, st.Ino)), true
		case console.IsTerminal(int(f.Fd())):
			list[i], found = externalTerminal(&st), true
		}
	}
	if !found {
		return nil
	}
	return list
}

func appends(f *os.File) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_APPEND != 0
}

const externalFilePrefix = "file["

// asItIs is the name under which criu takes a descriptor for an external file as it is. It opens
// what it finds under the file's own name anew, and checks its size.
func asItIs(key string) string { return key[1:] }

// externalFile is criu's name for a file in a mount that is not the container's.
func externalFile(mount, inode uint64) string {
	return fmt.Sprintf("%s%x:%x]", externalFilePrefix, mount, inode)
}

const externalTerminalPrefix = "tty["

// externalTerminal is criu's name for a terminal that is not the container's.
func externalTerminal(st *unix.Statx_t) string {
	device := func(major, minor uint32) uint32 { return uint32(unix.Mkdev(major, minor)) }
	return fmt.Sprintf("%s%x:%x]", externalTerminalPrefix, device(st.Rdev_major, st.Rdev_minor), device(st.Dev_major, st.Dev_minor))
}

// external gives criu's name for what was a standard stream, if it is a file or a terminal of the
// host.
func external(key string) (name string, ok bool) {
	switch {
	case strings.HasPrefix(key, externalFilePrefix), strings.HasPrefix(key, externalTerminalPrefix):
		return key, true
	case strings.HasPrefix(key, asItIs(externalFilePrefix)):
		return externalFilePrefix + strings.TrimPrefix(key, asItIs(externalFilePrefix)), true
	}
	return "", false
}

// externalFiles names the fifos, logs and, if they are to be, terminals of the host that the
// standard streams are: criu leaves them out, but for what waits in a fifo to be read.
func (d *dump) externalFiles() {
	for _, key := range d.c.rec.ExternalDescriptors {
		name, ok := external(key)
		if !ok || slices.Contains(d.opts.External, name) || strings.HasPrefix(name, externalTerminalPrefix) && !d.o.ShellJob {
			continue
		}
		d.opts.External = append(d.opts.External, name)
	}
}

func (d *dump) writeDescriptors() error {
	list := d.c.rec.ExternalDescriptors
	if list == nil {
		list = []string{os.DevNull, os.DevNull, os.DevNull}
	}
	data, err := json.Marshal(list)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.o.ImageDir, descriptorsFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("--image-path: %w", err)
	}
	return nil
}

// checkStreams refuses standard streams that are files of the host: criu can't find them again, but
// for those that externalFiles names. mounts are the ids of the container's own.
func (d *dump) checkStreams(pid int, mounts mountIDs) error {
	for fd := range 3 {
		path := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
		link, err := os.Readlink(path)
		if err != nil || !strings.HasPrefix(link, "/") {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
		if err != nil || mounts[field(string(info), "mnt_id:")] {
			continue
		}
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_TYPE, &st); err != nil {
			continue
		}
		mount, err := strconv.ParseUint(field(string(info), "mnt_id:"), 10, 64)
		if err == nil && slices.Contains(d.opts.External, externalFile(mount, st.Ino)) || slices.Contains(d.opts.External, externalTerminal(&st)) {
			continue
		}
		return streamError(pid, fd, link)
	}
	return nil
}

var streamNames = [...]string{"standard input", "standard output", "standard error"}

// streamError names a standard stream that can't be checkpointed.
func streamError(pid, fd int, link string) error {
	way := "connect the container with pipes"
	if slices.Contains(strings.Split(link, "/"), "pts") || strings.HasPrefix(link, "/dev/tty") {
		way = "give the container a terminal of its own, or --shell-job"
	}
	return undumpable(fmt.Sprintf("%s of process %d is the host's %s, which is outside of the container: it can't be checkpointed (%s)", streamNames[fd], pid, link, way))
}
