package cgroups

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A cgroup that is made for a container holds no process yet, so that nothing in it tells a second
// creation with the same linux.cgroupsPath that it is taken. A flock(2) does, from mkdir until the
// init is inside. One hierarchy stands for all, and is made first. The file is one that only the
// cgroup's owner may open: anybody could hold a lock on a file that everybody may read.

// claimFile is the file of a cgroup's directory on which the lock lies.
func (n *node) claimFile() (name string, flags uint64) {
	switch {
	case n.v2:
		return "cgroup.kill", unix.O_WRONLY
	case n.has("devices"):
		return "devices.allow", unix.O_WRONLY
	}
	return ".", unix.O_RDONLY | unix.O_DIRECTORY
}

// byClaim are the indices of nodes in the order in which they are tried for the lock: the same for
// every creation.
func byClaim(nodes []node) []int {
	var order []int
	for _, rank := range []func(n *node) bool{
		func(n *node) bool { return n.v2 },
		func(n *node) bool { return n.has("devices") },
		func(n *node) bool { return !n.v2 && !n.has("devices") },
	} {
		for i := range nodes {
			if rank(&nodes[i]) {
				order = append(order, i)
			}
		}
	}
	return order
}

// claim makes the cgroup in the first hierarchy in which it may, and takes the lock there.
func (m *maker) claim(places []Place) error {
	nodes := make([]node, len(places))
	for i, p := range places {
		nodes[i] = p.node()
	}
	for _, i := range byClaim(nodes) {
		err := m.claimPlace(places[i], &nodes[i])
		nodes[i].close()
		if err == nil || !m.excuse(err) {
			return err
		}
	}
	return nil
}

func (m *maker) claimPlace(p Place, n *node) error {
	for range 3 {
		existed, err := m.mkdir(p)
		if err != nil {
			return err
		}
		n.ours = !existed
		lock, err := n.lock()
		if errors.Is(err, unix.EWOULDBLOCK) {
			m.made = nil // they serve somebody else now
			return err
		}
		if err == nil {
			m.c.claim, m.claimed, m.claimedExisted = lock, p.Path(), existed
			return nil
		}
		n.close()
		if !gone(err) {
			return err
		}
		// Its former user has removed it meanwhile.
	}
	return fmt.Errorf("linux.cgroupsPath: %s is being removed again and again", n.path)
}

// lock takes the lock. The error is ENOENT when the cgroup has been removed, EWOULDBLOCK when
// another process holds it.
func (n *node) lock() (*os.File, error) {
	dir, err := n.open()
	if err != nil {
		return nil, err
	}
	name, flags := n.claimFile()
	fd, err := openAt(dir, name, flags)
	if err != nil {
		return nil, &FileError{From: "linux.cgroupsPath", Verb: "open", Path: n.file(name), Err: err}
	}
	f := os.NewFile(uintptr(fd), n.file(name))
	var own, now unix.Stat_t
	if err = unix.Fstat(fd, &own); err == nil {
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		}
	}
	switch {
	case err == unix.EWOULDBLOCK:
		err = fmt.Errorf("linux.cgroupsPath: %s is taken: %s is making a container in it (%w)", n.path, holder(&own), err)
	case err != nil:
	case unix.Stat(f.Name(), &now) != nil || now.Ino != own.Ino:
		err = &FileError{From: "linux.cgroupsPath", Verb: "lock", Path: n.path, Err: unix.ENOENT}
	default:
		return f, nil
	}
	f.Close()
	return nil, err
}

// holder names the process that has a flock on the file (proc_locks(5)).
func holder(file *unix.Stat_t) string {
	locks, _ := readFile("/proc/locks")
	id := fmt.Sprintf("%02x:%02x:%d", unix.Major(file.Dev), unix.Minor(file.Dev), file.Ino)
	for line := range strings.Lines(locks) {
		f := strings.Fields(line) // 1: FLOCK  ADVISORY  WRITE 1234 00:1a:5678 0 EOF
		if len(f) > 5 && f[1] == "FLOCK" && f[5] == id && f[4] != "0" {
			return "process " + f[4] + commandOf(f[4])
		}
	}
	return "a process of another pid namespace"
}

// commandOf is " (NAME)" of a process.
func commandOf(pid string) string {
	name, err := readFile("/proc/" + pid + "/comm")
	if err != nil {
		return ""
	}
	return " (" + strings.TrimSpace(name) + ")"
}

// RemoveUnused removes the directories, as Paths gave them, of a creation that ended before its
// limits were in force. It leaves those alone that are in use or that another creation has claimed.
func RemoveUnused(paths map[string]string) error {
	c, err := Open(paths)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, i := range byClaim(c.nodes) {
		lock, err := c.nodes[i].lock()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil
		}
		if err == nil {
			defer lock.Close()
			break
		}
	}
	var failure error
	for i := range c.nodes {
		err := rmdir(c.nodes[i].path)
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
			failure = also(failure, err)
		}
	}
	return failure
}
