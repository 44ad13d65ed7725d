package cgroups

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Pids are the processes of the cgroup and of all cgroups below it, in ascending order, as this process's pid namespace numbers
// them. A cgroup that is gone has none.
func (c *Cgroup) Pids() ([]int, error) {
	n := c.procs()
	if n == nil {
		return nil, nil
	}
	return n.pids()
}

func (n *node) pids() ([]int, error) {
	dir, err := n.open()
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	pids, err := treePids(dir, n.path)
	if err != nil {
		return nil, err
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func treePids(dir int, path string) ([]int, error) {
	pids, err := dirPids(dir)
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("list the processes of %s: %w", path, err)
	}
	err = children(dir, path, func(child int, name string) error {
		more, err := treePids(child, path+"/"+name)
		pids = append(pids, more...)
		return err
	})
	return pids, err
}

func dirPids(dir int) ([]int, error) {
	text, err := readAt(dir, "cgroup.procs")
	if errors.Is(err, unix.EOPNOTSUPP) {
		// In a threaded cgroup only threads can be listed; a thread's id stands for its process in kill(2).
		text, err = readAt(dir, "cgroup.threads")
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		if pid > 0 { // 0 is a process that this pid namespace can't see
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// children calls f for each cgroup directly below dir. One that disappears meanwhile is skipped.
func children(dir int, path string, f func(child int, name string) error) error {
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	if st.Nlink == 2 { // kernfs counts a directory's subdirectories here, and most cgroups have none
		return nil
	}
	names, err := subdirs(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", path, err)
	}
	for _, name := range names {
		child, err := openAt(dir, name, unix.O_PATH|unix.O_DIRECTORY)
		if gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open %s/%s: %w", path, name, err)
		}
		err = f(child, name)
		unix.Close(child)
		if err != nil {
			return err
		}
	}
	return nil
}

func subdirs(dir int) ([]string, error) {
	fd, err := openAt(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		var st unix.Stat_t
		return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR
	}), nil
}
