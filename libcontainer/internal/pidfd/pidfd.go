// Package pidfd waits for the processes behind pidfds.
package pidfd

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Await waits until the process of a pidfd has ended, for as long as limit; its parent may take its
// time to reap it. A signal, as Go's scheduler sends them to its threads, makes it no shorter.
func Await(pidfd *os.File, limit time.Duration) (ended bool, err error) {
	fds := []unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for deadline := time.Now().Add(limit); ; {
		ts := unix.NsecToTimespec(max(0, time.Until(deadline).Nanoseconds()))
		if n, err := unix.Ppoll(fds, &ts, nil); !errors.Is(err, unix.EINTR) {
			return n == 1, err
		}
	}
}
