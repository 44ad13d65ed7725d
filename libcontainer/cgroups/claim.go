package cgroups

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// A cgroup that is made for a container holds no process yet, so that nothing in it tells a second
// creation with the same linux.cgroupsPath that it is taken. A flock(2) does, from mkdir until the
// init is inside. One hierarchy stands for all, and is made first.

// byClaim are the indices of nodes in the order in which they are tried for the lock: the same for
// every creation.
func byClaim(nodes []backend.Cgroup) []int {
	var order [3][]int
	for i, n := range nodes {
		rank := 2
		switch {
		case isV2(n):
			rank = 0
		case slices.Contains(n.Names(), "devices"):
			rank = 1
		}
		order[rank] = append(order[rank], i)
	}
	return slices.Concat(order[:]...)
}

// claim makes the cgroup in the first hierarchy in which it may, and takes the lock there.
func (m *creator) claim(places []Place) error {
	nodes := make([]backend.Cgroup, len(places))
	for i, p := range places {
		nodes[i] = p.node()
	}
	for _, i := range byClaim(nodes) {
		err := m.claimPlace(places[i], nodes[i])
		nodes[i].Dir().Close()
		if err == nil || !m.skip(err) {
			return err
		}
	}
	return nil
}

func (m *creator) claimPlace(p Place, n backend.Cgroup) error {
	for range 3 {
		existed, err := m.mkdir(p)
		if err != nil {
			return err
		}
		n.Dir().Made = !existed
		lock, err := lock(n)
		if errors.Is(err, unix.EWOULDBLOCK) {
			m.made = nil // they serve somebody else now
			return err
		}
		if err == nil {
			m.c.claim, m.claimed, m.claimedExisted = lock, p.Path(), existed
			return nil
		}
		n.Dir().Close()
		if !backend.Gone(err) {
			return err
		}
		// Its former user has removed it meanwhile.
	}
	return fmt.Errorf("linux.cgroupsPath: %s is being removed again and again", p.Path())
}

// lock takes the lock. The error is ENOENT when the cgroup has been removed, EWOULDBLOCK when
// another process holds it.
func lock(n backend.Cgroup) (*os.File, error) {
	dir, err := n.Dir().Open()
	if err != nil {
		return nil, err
	}
	name, flags := n.LockFile()
	fd, err := backend.OpenAt(dir, name, flags)
	if err != nil {
		return nil, &backend.FileError{From: "linux.cgroupsPath", Verb: "open", Path: n.Dir().File(name), Err: err}
	}
	f := os.NewFile(uintptr(fd), n.Dir().File(name))
	var own, now unix.Stat_t
	if err = unix.Fstat(fd, &own); err == nil {
		err = backend.Retry(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	}
	switch {
	case err == unix.EWOULDBLOCK:
		err = fmt.Errorf("linux.cgroupsPath: %s is taken: %s is making a container in it (%w)", n.Dir().Path, holder(&own), err)
	case err != nil:
	case unix.Stat(f.Name(), &now) != nil || now.Ino != own.Ino:
		err = &backend.FileError{From: "linux.cgroupsPath", Verb: "lock", Path: n.Dir().Path, Err: unix.ENOENT}
	default:
		return f, nil
	}
	f.Close()
	return nil, err
}

// holder names the process that has a flock on the file (proc_locks(5)).
func holder(file *unix.Stat_t) string {
	locks, _ := backend.ReadFile("/proc/locks")
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
	name, err := backend.ReadFile("/proc/" + pid + "/comm")
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
		lock, err := lock(c.nodes[i])
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil
		}
		if err == nil {
			defer lock.Close()
			break
		}
	}
	var failure error
	for _, n := range c.nodes {
		err := backend.Rmdir(n.Dir().Path)
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
			failure = backend.Also(failure, err)
		}
	}
	return failure
}
