//go:build amd64 || arm64

package kernel

import (
	"errors"

	"golang.org/x/sys/unix"
)

// cloneUnshare starts a process on our memory and descriptors that calls unshare(flags), brings up the network device in ifreq unless that is nil,
// opens the file path (NUL-terminated), leaves the descriptor or a negated errno in result, and ends. It touches no stack and gets no
// signals. The return value is its pid or a negated errno.
func cloneUnshare(flags uintptr, path *byte, ifreq *unix.Ifreq, result *int64) (pid int64)

// Ahead is a namespace that is being made while the caller does something else: the kernel takes as long for a network namespace as
// the rest of a container's creation needs on our side.
type Ahead struct {
	pid    int
	path   []byte
	ifreq  *unix.Ifreq
	result int64 // a descriptor or a negated errno, once the process has ended
}

// MakeNetwork begins to make a network namespace with its loopback device up. Close has to be called in any case.
func MakeNetwork() (*Ahead, error) { return makeAhead(unix.CLONE_NEWNET, "net", "lo") }

// makeAhead begins to make a namespace; file is the one that stands for it in /proc/self/ns.
func makeAhead(flag uintptr, file, device string) (*Ahead, error) {
	a := &Ahead{path: append([]byte("/proc/self/ns/"+file), 0), result: -int64(unix.EINTR)}
	if device != "" {
		var err error
		if a.ifreq, err = unix.NewIfreq(device); err != nil {
			return nil, err
		}
		a.ifreq.SetUint16(unix.IFF_UP)
	}
	pid := cloneUnshare(flag, &a.path[0], a.ifreq, &a.result)
	if pid < 0 {
		return nil, unix.Errno(-pid)
	}
	a.pid = int(pid)
	return a, nil
}

// Take waits for the namespace and gives its descriptor away, which is closed on exec.
func (a *Ahead) Take() (fd int, err error) {
	if err := a.wait(); err != nil {
		return -1, err
	}
	if a.result < 0 {
		return -1, unix.Errno(-a.result)
	}
	fd, a.result = int(a.result), -int64(unix.EBADF)
	return fd, nil
}

func (a *Ahead) wait() error {
	for a.pid != 0 {
		// Without an exit signal it is none of those that a plain wait finds.
		_, err := unix.Wait4(a.pid, nil, unix.WALL, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if err == nil {
			a.pid = 0
		}
	}
	return nil
}

// Close ends it all, taken or not. A nil Ahead is fine.
func (a *Ahead) Close() {
	if a == nil || a.wait() != nil {
		return
	}
	if a.result >= 0 {
		unix.Close(int(a.result))
		a.result = -int64(unix.EBADF)
	}
}
