package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// DefaultAction gives a signal the kernel's default action in the place of Go's handler, and back
// undoes it. Package os/signal knows nothing of that: it can't catch the signal before back.
//
// Go answers SIGQUIT with a dump of its goroutines and exit code 2, and has no way to leave it to
// the kernel: signal.Reset brings the dump back.
func DefaultAction(s unix.Signal) (back func()) {
	// struct sigaction of any machine fits in, and zeros are SIG_DFL.
	var none, old [64]byte
	sigaction(s, &none, &old)
	return func() { sigaction(s, &old, nil) }
}

// sigaction can fail for no signal that may be caught (rt_sigaction(2)).
func sigaction(s unix.Signal, act, old *[64]byte) {
	const setSize = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), setSize, 0, 0)
}
