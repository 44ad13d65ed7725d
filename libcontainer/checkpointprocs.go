package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// descriptorsFile stands among the images: where the standard streams of the container led when it
// was created, as in images of runc.
const descriptorsFile = "descriptors.json"

// externalDescriptors says which standard streams lead out of the container to what is connected
// again when it is restored, nil if none does: pipes, under the name that criu and runc give them,
// and fifos and logs of the host, under criu's name for a file of another mount namespace. A log is
// a file that is only added to: there is no place in it to go back to.
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

// external gives criu's name for what was a standard stream, if it is a file of the host.
func external(key string) (name string, ok bool) {
	switch {
	case strings.HasPrefix(key, externalFilePrefix):
		return key, true
	case strings.HasPrefix(key, asItIs(externalFilePrefix)):
		return externalFilePrefix + strings.TrimPrefix(key, asItIs(externalFilePrefix)), true
	}
	return "", false
}

// externalFiles names the fifos and logs of the host that the standard streams are: criu leaves
// them out, but for what waits in a fifo to be read.
func (d *dump) externalFiles() {
	for _, key := range d.c.rec.ExternalDescriptors {
		if name, ok := external(key); ok && !slices.Contains(d.opts.External, name) {
			d.opts.External = append(d.opts.External, name)
		}
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

// checkProcesses refuses what criu would find out in the middle of a dump, and says what it leaves
// out.
func (d *dump) checkProcesses() error {
	cg, err := d.c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	pids, err := cg.Pids()
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		pids = []int{d.c.rec.InitPid}
	}
	own, err := mountsOf(strconv.Itoa(d.c.rec.InitPid))
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for i := range own {
		ids[strconv.Itoa(own[i].ID)] = true
	}
	var strangers []string
	for _, pid := range pids {
		if !d.descends(pid) {
			strangers = append(strangers, strconv.Itoa(pid))
			continue
		}
		if err := d.checkStreams(pid, ids); err != nil {
			return err
		}
	}
	if len(strangers) > 0 {
		d.c.rt.warn(fmt.Sprintf("not among what is checkpointed, as it is not a child of the container's init: process %s (of exec)",
			strings.Join(strangers, ", ")))
	}
	return nil
}

// descends says whether a process is the container's init or one of its children's children.
func (d *dump) descends(pid int) bool {
	for pid > 1 {
		if pid == d.c.rec.InitPid {
			return true
		}
		p, err := state.ReadProcess(pid)
		if err != nil {
			return true // it is gone, and nothing to be warned of
		}
		pid = p.Parent
	}
	return false
}

// checkStreams refuses standard streams that are files of the host: criu can't find them again, but
// for those that externalFiles names. mounts are the ids of the container's own.
func (d *dump) checkStreams(pid int, mounts map[string]bool) error {
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
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			continue
		}
		mount, err := strconv.ParseUint(field(string(info), "mnt_id:"), 10, 64)
		if err == nil && slices.Contains(d.opts.External, externalFile(mount, st.Ino)) {
			continue
		}
		if d.o.ShellJob && st.Mode&unix.S_IFMT == unix.S_IFCHR && !strings.HasPrefix(link, "/dev/null") {
			continue
		}
		return streamError(pid, fd, link)
	}
	return nil
}

// streamError names a standard stream that can't be checkpointed.
func streamError(pid, fd int, link string) error {
	stream := [...]string{"standard input", "standard output", "standard error"}[fd]
	way := "connect the container with pipes"
	if slices.Contains(strings.Split(link, "/"), "pts") || strings.HasPrefix(link, "/dev/tty") {
		way = "give the container a terminal of its own, or --shell-job"
	}
	return undumpable(fmt.Sprintf("%s of process %d is the host's %s, which is outside of the container: it can't be checkpointed (%s)", stream, pid, link, way))
}

// undumpable is why a container can't be checkpointed, whatever is tried.
type undumpable string

func (e undumpable) Error() string { return string(e) }

func (e undumpable) Unwrap() error { return errors.ErrUnsupported }

// field is the value of a line of fdinfo.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
