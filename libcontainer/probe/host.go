package probe

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
)

// Host asks for what does not depend on the configuration. stdio is what the process gets as 0, 1
// and 2; an entry may be nil. It changes nothing.
func Host(stdio [3]*os.File) (*facts.Facts, error) {
	f := &facts.Facts{EUID: uint32(os.Geteuid()), EGID: uint32(os.Getegid())}
	if err := readCapabilities(f); err != nil {
		return nil, err
	}
	f.InUserNS = InUserNS()
	f.MakesDevices = f.Privileged && !f.InUserNS && f.Permitted>>unix.CAP_MKNOD&1 != 0
	f.OwnsMounts = f.Privileged && (!f.InUserNS || ownsMounts())
	f.Kcore = unix.Access("/proc/kcore", unix.F_OK) == nil
	f.SELinux = unix.Access("/sys/fs/selinux/enforce", unix.F_OK) == nil
	if b, err := fs.ReadFile("/sys/module/apparmor/parameters/enabled"); err == nil {
		f.AppArmor = len(b) > 0 && b[0] == 'Y'
	}
	for i, file := range stdio {
		if file != nil {
			f.Stdio[i] = OfStdio(int(file.Fd()))
		}
	}
	return f, nil
}

// readCapabilities reads our bounding set, how many capabilities there are, and whether
// CAP_SYS_ADMIN is effective.
func readCapabilities(f *facts.Facts) error {
	for f.LastCap = -1; f.LastCap < 63; f.LastCap++ {
		// PR_CAPBSET_READ is answered from the credentials, without a look at /proc. The first
		// capability that the kernel does not know is EINVAL.
		v, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(f.LastCap+1), 0, 0, 0)
		if err != nil {
			break
		}
		f.Bounding |= uint64(v) << (f.LastCap + 1)
	}
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	f.Permitted = uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32
	f.Privileged = data[unix.CAP_SYS_ADMIN/32].Effective&(1<<(unix.CAP_SYS_ADMIN%32)) != 0
	return nil
}

// InUserNS reports whether this process is in a user namespace other than the first, which maps all
// ids onto themselves (user_namespaces(7)).
func InUserNS() bool {
	b, err := fs.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	f := strings.Fields(string(b))
	return len(f) != 3 || f[0] != "0" || f[1] != "0" || f[2] != "4294967295"
}

// ownsMounts asks whether our mount namespace belongs to our user namespace (ioctl_nsfs(2)): after
// `unshare --user` it does not.
func ownsMounts() bool {
	mnt, err := unix.Open("/proc/self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(mnt)
	owner, err := unix.IoctlRetInt(mnt, unix.NS_GET_USERNS)
	if err != nil {
		return false
	}
	defer unix.Close(owner)
	return sameFile(owner, "/proc/self/ns/user")
}

// OfStdio looks at a descriptor that a process is to get as stdio.
func OfStdio(fd int) facts.Stdio {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return facts.Stdio{}
	}
	var fs unix.Statfs_t
	pipe := st.Mode&unix.S_IFMT == unix.S_IFIFO && unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.PIPEFS_MAGIC
	return facts.Stdio{Pipe: pipe, Null: st.Mode&unix.S_IFMT == unix.S_IFCHR && uint64(st.Rdev) == unix.Mkdev(1, 3), UID: st.Uid}
}

// ofSource looks at the source of a bind mount, and if asked to at the flags of the mount that it
// lies in. The answer chooses between a file and a directory as mountpoint, and whether options are
// refused, no more.
func ofSource(path string, flags, noFollow bool) facts.Source {
	var st unix.Stat_t
	look := unix.Stat
	if noFollow {
		look = unix.Lstat
	}
	if err := look(path, &st); err != nil {
		return facts.Source{Err: err}
	}
	s := facts.Source{Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}
	if flags {
		s.Attr, s.Err = mountAttr(path)
	}
	return s
}
