package setup

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/specconv/idmap"
)

// OwnPipes gives the pipes of a process's stdio to its user, whom a user namespace maps to another
// id.
func OwnPipes(stdio [3]*os.File, l *specs.Linux, p *specs.Process) error {
	uid, ok := idmap.HostID(l.UIDMappings, p.User.UID)
	if !ok {
		return nil
	}
	for i, file := range stdio {
		if s := probe.OfStdio(int(file.Fd())); !s.Pipe || s.UID == uid {
			continue
		}
		// A runtime in a user namespace of its own may meet a pipe that it has no power over.
		if err := unix.Fchown(int(file.Fd()), int(uid), -1); err != nil && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("process.user.uid: give descriptor %d to user %d: %w", i, uid, err)
		}
	}
	return nil
}
