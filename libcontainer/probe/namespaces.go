// Package probe fills in [facts.Facts] from the kernel and the host, before anything is touched.
package probe

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/feature"
	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// Namespaces opens the namespaces that linux.namespaces has paths for, and notes in f what they
// are. The files, by the names that the plan has for them, are the ones to join: a path may lead
// elsewhere when it is looked at again, a descriptor does not. They are the caller's to close. One
// with an error that bears is true of has no file, and is taken for a namespace as it should be.
func Namespaces(f *facts.Facts, list []specs.LinuxNamespace, bears func(error) bool) (map[string]*os.File, error) {
	files := make(map[string]*os.File)
	for i := range list {
		if list[i].Path == "" {
			continue
		}
		name := problem.NamespaceFile(i)
		file, ns, err := joined(&list[i])
		if err != nil && !bears(err) {
			for _, f := range files {
				f.Close()
			}
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if f.Joined == nil {
			f.Joined = make(map[int]facts.Namespace)
		}
		f.Joined[i] = ns
		if err == nil {
			files[name] = file
		}
		f.ProcOfOthers = f.ProcOfOthers || list[i].Type == specs.PIDNamespace && feature.Running().Has(feature.ProcOfOthers)
	}
	for i, ns := range f.Joined {
		ns.Foreign = foreign(list, files, files[problem.NamespaceFile(i)])
		f.Joined[i] = ns
	}
	return files, nil
}

// foreign says whether a namespace belongs neither to the container's user namespace nor to one
// below.
func foreign(list []specs.LinuxNamespace, files map[string]*os.File, ns *os.File) bool {
	user := "/proc/self/ns/user"
	for i := range list {
		switch {
		case list[i].Type != specs.UserNamespace:
		case list[i].Path == "":
			return true // a new one has nothing yet
		default:
			user = fmt.Sprintf("/proc/self/fd/%d", files[problem.NamespaceFile(i)].Fd())
		}
	}
	if ns == nil {
		return false
	}
	// The owner, its parent, and so on. The kernel does not show those above our own
	// (ioctl_nsfs(2)).
	fd, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_USERNS)
	for err == nil {
		found := sameFile(fd, user)
		above, aboveErr := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		unix.Close(fd)
		if found {
			if aboveErr == nil {
				unix.Close(above)
			}
			return false
		}
		fd, err = above, aboveErr
	}
	return true
}

// joined opens a namespace and looks at it.
func joined(entry *specs.LinuxNamespace) (file *os.File, ns facts.Namespace, err error) {
	fd, err := unix.Open(entry.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, ns, fmt.Errorf("open %s: %w", entry.Path, err)
	}
	opened := os.NewFile(uintptr(fd), entry.Path)
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	// setns would answer with a bare EINVAL.
	flag, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		return nil, ns, fmt.Errorf("%s is not a namespace: %w", entry.Path, err)
	}
	kind, _ := namespace.ByName(string(entry.Type))
	if uint64(flag) != kind.Flag {
		return nil, ns, fmt.Errorf("%s is a namespace of another type (%s)", entry.Path, plan.CloneText(uint64(flag)))
	}
	ns.Own = sameFile(fd, "/proc/self/ns/"+kind.Link)
	ns.Host = ns.Own || sameFile(fd, "/proc/1/ns/"+kind.Link)
	switch {
	case ns.Own && (flag == unix.CLONE_NEWNS || flag == unix.CLONE_NEWUSER):
		// In the mount namespace the container's root would take the place of the root that is
		// there, for everybody. The user namespace can't be joined again (setns(2)).
		err = fmt.Errorf("%s is the runtime's own %s namespace: to share it, leave the entry out", entry.Path, entry.Type)
	case ns.Host && flag == unix.CLONE_NEWNS:
		err = fmt.Errorf("%s is the mount namespace of process 1, which would lose its root", entry.Path)
	}
	return opened, ns, err
}

// OtherNamespaces are the CLONE_NEW* flags of the namespaces of a process that are not ours.
// Joining one's own user namespace is an error, and joining the others would be work for nothing.
func OtherNamespaces(pid int) (uint64, error) { return OtherAmong(pid, ^uint64(0)) }

// OtherAmong is OtherNamespaces of those kinds alone that have their flag in among.
func OtherAmong(pid int, among uint64) (uint64, error) {
	ours, err := fs.Open("/proc/self/ns", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return 0, fmt.Errorf("open /proc/self/ns: %w", err)
	}
	defer unix.Close(ours)
	theirs, err := fs.Open(fmt.Sprintf("/proc/%d/ns", pid), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return 0, fmt.Errorf("look at the namespaces of process %d: %w", pid, ended(err))
	}
	defer unix.Close(theirs)
	var flags uint64
	for _, k := range namespace.Kinds() {
		// The text of the link, "net:[4026531840]", tells namespaces apart as device and inode do
		// (namespaces(7)), which to ask for takes twice as long.
		var own, its [64]byte
		if among&k.Flag == 0 {
			continue
		}
		n, err := unix.Readlinkat(ours, k.Link, own[:])
		if err != nil {
			continue // a kernel without this kind
		}
		m, err := unix.Readlinkat(theirs, k.Link, its[:])
		if err != nil {
			return 0, fmt.Errorf("look at the %s namespace of process %d: %w", k.Name, pid, ended(err))
		}
		if string(own[:n]) != string(its[:m]) {
			flags |= k.Flag
		}
	}
	return flags, nil
}

// ended makes of the error for a process that has just ended ESRCH: engines take the kernel's word
// for a missing file to mean the program to be executed.
func ended(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return unix.ESRCH
	}
	return err
}

// sameFile reports whether a descriptor and a path lead to the same file, by device and inode
// (namespaces(7)). What can't be looked at is another.
func sameFile(fd int, path string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(path, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}
