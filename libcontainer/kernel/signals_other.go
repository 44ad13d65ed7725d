//go:build !amd64 && !arm64

package kernel

import "golang.org/x/sys/unix"

// Signals would be caught by a handler that has been written for amd64 and arm64 only.
type Signals struct{}

// CatchSignals says ENOSYS.
func CatchSignals(...unix.Signal) (*Signals, error) { return nil, unix.ENOSYS }

// Take returns nothing.
func (*Signals) Take() []unix.Signal { return nil }

// Release does nothing.
func (*Signals) Release() {}
