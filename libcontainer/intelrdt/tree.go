package intelrdt

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// usualMount is where the file system nearly always is.
const usualMount = "/sys/fs/resctrl"

// ErrDisabled says that there is no resctrl file system.
var ErrDisabled = errors.New("intelRdt is specified in config, but Intel RDT is not enabled")

// Tree is a mounted resctrl file system.
type Tree struct {
	root string
	// mkdir and rmdir are the kernel's, which fills a new group with files, and takes them away
	// with the group.
	mkdir func(dir string) error
	rmdir func(dir string) error
}

// Find finds the mounted resctrl file system. The error is ErrDisabled and says what is missing.
func Find() (*Tree, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(usualMount, &st); err == nil && st.Type == unix.RDTGROUP_SUPER_MAGIC {
		return At(usualMount), nil
	}
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("resctrl"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDisabled, err)
	}
	if len(mounts) > 0 {
		return At(mounts[0].Mountpoint), nil
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err == nil && strings.Contains(string(known), "\tresctrl\n") {
		return nil, fmt.Errorf("%w: the resctrl file system is not mounted on %s", ErrDisabled, usualMount)
	}
	return nil, fmt.Errorf("%w: this kernel, or the processor, has no resctrl", ErrDisabled)
}

// At is the tree that is mounted on root.
func At(root string) *Tree {
	return &Tree{
		root:  root,
		mkdir: func(dir string) error { return unix.Mkdir(dir, 0o755) },
		rmdir: unix.Rmdir,
	}
}

// read gives the text of a file without blanks around it, "" if there is none.
func read(file string) string {
	data, _ := os.ReadFile(file)
	return strings.TrimSpace(string(data))
}

// write writes a line to an existing file in one system call. When the kernel refuses it, its own
// words follow the errno.
func (t *Tree) write(file, line string) error {
	// Appending means nothing to the kernel; in a tree of plain files it keeps the lines apart.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	err = errors.Join(err, f.Close())
	if err == nil {
		return nil
	}
	if words := read(t.root + "/info/last_cmd_status"); words != "" && words != "ok" {
		return fmt.Errorf("write %q to %s: %s: %w", line, file, words, errno(err))
	}
	return fmt.Errorf("write %q to %s: %w", line, file, errno(err))
}

// errno leaves the kernel's word of an error that names the file once more.
func errno(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
