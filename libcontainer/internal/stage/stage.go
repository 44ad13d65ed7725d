// Package stage is the place from which criu is started: a thread whose mount namespace is its own,
// in which root file system and mount points are made ready for it. Nothing of that is to be seen
// on the host, and nothing has to be unmounted when somebody kills us.
package stage

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// Do calls f on a thread in a mount namespace of its own. What the host mounts shows there, too,
// but not the other way round; so what criu binds from there gets to the container as from the host
// itself, with the same propagation.
//
// The thread ends with f. It must not be used again for anything else: whatever f changes about it,
// as the session keyring, stays.
func Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- apart(f)
	}()
	return <-done
}

func apart(f func() error) error {
	// The first thread can't end, and /proc/self is what it sees: it gets its namespace back.
	host, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return fmt.Errorf("open the mount namespace: %w", err)
	}
	defer host.Close()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace for criu: %w", refusal.Explain("unshare", err))
	}
	defer func() { _ = unix.Setns(int(host.Fd()), unix.CLONE_NEWNS) }()
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make the mounts for criu slaves of the host's: %w", err)
	}
	return f()
}

// BindOnItself makes a directory a mount point, with what is mounted below: criu wants that of a
// root.
func BindOnItself(dir string) error {
	if err := unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s on itself: %w", dir, err)
	}
	return nil
}

// Attach mounts a detached tree in a room, on a directory or file that it makes for that.
func Attach(tree *os.File, on string) error {
	var st unix.Stat_t
	err := unix.Fstat(int(tree.Fd()), &st)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		err = unix.Mkdir(on, 0o755)
	} else if err == nil {
		err = unix.Mknod(on, unix.S_IFREG|0o600, 0)
	}
	if err != nil {
		return fmt.Errorf("make a mount point for criu: %w", err)
	}
	if err := unix.MoveMount(int(tree.Fd()), "", unix.AT_FDCWD, on, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount on %s: %w", on, refusal.Explain("move_mount", err))
	}
	return nil
}

// Room mounts a file system of the thread's own on a directory, for mounts that criu is to find by
// a path.
func Room(dir string) error {
	if err := unix.Mount("criu", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs for criu on %s: %w", dir, err)
	}
	return nil
}

// PublicPlace is a directory for a room to which everybody may go, and in which none of some paths
// lie, or "". It is not below /proc or /sys: the kernel lets a user namespace mount these two only
// where nothing of them is covered.
func PublicPlace(avoid []string) string {
	for _, dir := range [...]string{"/media", "/boot", "/mnt", "/srv", "/opt", "/home"} {
		var st unix.Stat_t
		used := slices.ContainsFunc(avoid, func(p string) bool { return p == dir || strings.HasPrefix(p, dir+"/") })
		if !used && unix.Lstat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return dir
		}
	}
	return ""
}

// Lend binds a file or directory of the host in a room.
func Lend(source, on string) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open %s: %w", source, refusal.Explain("open_tree", err))
	}
	tree := os.NewFile(uintptr(fd), source)
	defer tree.Close()
	return Attach(tree, on)
}

// CgroupYard shows cgroup v2 as "unified" in a room: criu, where nobody tells it of a place with
// mounts of all hierarchies, mounts them anew, and takes the host's own options away from the tree
// with that.
func CgroupYard(room, tree string) error {
	err := os.Mkdir(room+"/unified", 0o755)
	if err == nil {
		err = unix.Mount(tree, room+"/unified", "", unix.MS_BIND, "")
	}
	if err != nil {
		return fmt.Errorf("show criu the cgroups: %w", err)
	}
	return nil
}

// Keyring gives the thread a session keyring of its own, which its children inherit, as the
// container's init has one. A kernel without keyrings, or an exhausted quota, is no error, as in
// create.
func Keyring(name string) {
	id, err := unix.KeyctlJoinSessionKeyring(name)
	if err == nil {
		// What the kernel gives a new session keyring, plus "search" for the user.
		_ = unix.KeyctlSetperm(id, 0x3f130000|0x00080000)
	}
}

// InNamespace calls f on a thread that has joined a namespace of a process, for what takes its
// effect there.
func InNamespace(file string, flag int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- within(file, flag, f)
	}()
	return <-done
}

func within(file string, flag int, f func() error) error {
	there, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open the container's namespace: %w", err)
	}
	defer there.Close()
	here, err := os.Open(fmt.Sprintf("/proc/thread-self/ns/%s", kindOf(flag)))
	if err != nil {
		return fmt.Errorf("open our own namespace: %w", err)
	}
	defer here.Close()
	if err := unix.Setns(int(there.Fd()), flag); err != nil {
		return fmt.Errorf("join the container's %s namespace: %w", kindOf(flag), err)
	}
	defer func() { _ = unix.Setns(int(here.Fd()), flag) }()
	return f()
}

// InMounts calls f on a thread in the mount namespace of a process. As with Do, the thread ends
// with f.
func InMounts(pid int, f func() error) error {
	there, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return fmt.Errorf("open criu's mount namespace: %w", err)
	}
	defer there.Close()
	return Do(func() error {
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("join criu's mount namespace: %w", err)
		}
		return f()
	})
}

func kindOf(flag int) string {
	if flag == unix.CLONE_NEWNET {
		return "net"
	}
	return "cgroup"
}
