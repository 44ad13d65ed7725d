package libcontainer

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// warnOfKeyring says so when a process had to do with the session keyring that it inherited: its
// user's quota of keys (200 for all but root, a keyring being one) may be used up. Where nobody
// gets keyrings, in a kernel without them or behind a seccomp filter, as in most containers, it
// says nothing.
func (r *Runtime) warnOfKeyring(p *launch.Process) {
	if binary.NativeEndian.Uint32(p.Page()[plan.PageKeyring:]) == 0 {
		return
	}
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return
	}
	r.warn("the process shares its caller's session keyring: the kernel has refused it one of its own (its user's quota of keys may be used up)")
}
