package initimage

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const imageName = "ociruntime-init"

// Seal puts an image into a memfd that nobody, the container's root included, can ever write to:
// what a container reaches as /proc/PID/exe is this and never our own binary (CVE-2019-5736). Where
// the kernel refuses to execute a memfd, see [SealFile].
func Seal(image []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	// MFD_EXEC exists since Linux 6.3 and older kernels answer EINVAL; without it vm.memfd_noexec=1
	// would make the file unexecutable.
	fd, err := unix.MemfdCreate(imageName, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(imageName, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create for the init image: %w", err)
	}
	f := os.NewFile(uintptr(fd), imageName)
	if _, err := f.Write(image); err != nil {
		f.Close()
		return nil, fmt.Errorf("write the init image: %w", err)
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal the init image: %w", err)
	}
	return f, nil
}

// SealFile is the fallback for hosts that refuse to execute a memfd (vm.memfd_noexec=2, a security
// module): an unlinked file in dir, readable and executable only, of which no writable descriptor
// is left.
func SealFile(image []byte, dir string) (*os.File, error) {
	w, err := os.CreateTemp(dir, ".init-")
	if err != nil {
		return nil, fmt.Errorf("make a file for the init image: %w", err)
	}
	defer os.Remove(w.Name())
	_, err = w.Write(image)
	if err == nil {
		err = w.Chmod(0o500)
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("write the init image: %w", err)
	}
	r, err := os.Open(w.Name())
	// The kernel refuses to execute a file that is open for writing (ETXTBSY).
	if cerr := w.Close(); err == nil && cerr != nil {
		r.Close()
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("reopen the init image: %w", err)
	}
	return r, nil
}
