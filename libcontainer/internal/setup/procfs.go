package setup

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenProc makes a procfs that nobody can have mounted anything over. Where the kernel refuses a
// fresh one, the host's /proc serves, if it is a procfs; the init's opens below it refuse to cross
// into another mount either way.
func OpenProc() (*os.File, error) {
	if fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC); err == nil {
		defer unix.Close(fs)
		if err := unix.FsconfigCreate(fs); err == nil {
			fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
			if err == nil {
				return os.NewFile(uintptr(fd), "proc"), nil
			}
		}
	}
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	f := os.NewFile(uintptr(fd), "/proc")
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		f.Close()
		return nil, fmt.Errorf("/proc is not a procfs (%w)", err)
	}
	return f, nil
}
