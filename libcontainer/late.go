package libcontainer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// setRlimits sets the limits of a process in a user namespace, which may not raise them itself.
func setRlimits(pid int, list []specs.POSIXRlimit) error {
	for i, l := range list {
		n, ok := names.RlimitNumber(l.Type)
		if !ok {
			return fmt.Errorf("process.rlimits[%d].type: %s is not a resource limit", i, l.Type)
		}
		if l, ok = compile.FirstRlimit(l); !ok {
			continue
		}
		if err := unix.Prlimit(pid, n, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
			return fmt.Errorf("process.rlimits[%d]: set %s to %d (hard %d): %w", i, l.Type, l.Soft, l.Hard, refusal.Explain("prlimit64", err))
		}
	}
	return nil
}

// setScheduler sets the policy of a process that could not inherit it.
func setScheduler(pid int, s *specs.Scheduler) error {
	if err := unix.SchedSetAttr(pid, compile.SchedAttr(s), 0); err != nil {
		return fmt.Errorf("process.scheduler: set the scheduling policy %s: %w", s.Policy, refusal.Explain("sched_setattr", err))
	}
	return nil
}

// ownPipes gives the pipes of a process's stdio to its user, whom a user namespace maps to another
// id.
func ownPipes(stdio [3]*os.File, l *specs.Linux, p *specs.Process) error {
	uid, ok := compile.MapID(l.UIDMappings, p.User.UID)
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

// passwdLimit bounds what is read of a file that the image controls.
const passwdLimit = 4 << 20

// setHome tells the init the value of HOME. files holds the container's /etc/passwd, if it has one.
func setHome(p *launch.Process, uid uint32, files []*os.File) error {
	home := "/"
	if len(files) == 1 {
		if h := homeOf(files[0], uid); h != "" {
			home = h
		}
	}
	return p.SetHome("HOME=" + home)
}

// homeOf looks a user up in a passwd file, which has been found but not opened. The file is the image's: it may be anything, of any
// size, and what can't be read does not name a home.
func homeOf(found *os.File, uid uint32) string {
	fd, err := openRegular(int(found.Fd()))
	if err != nil {
		return ""
	}
	passwd := os.NewFile(uintptr(fd), "/etc/passwd")
	defer passwd.Close()
	users, err := user.ParsePasswdFilter(bufio.NewReader(io.LimitReader(passwd, passwdLimit)), func(u user.User) bool { return u.Uid == int(uid) })
	if err != nil || len(users) == 0 {
		return ""
	}
	return users[0].Home
}
