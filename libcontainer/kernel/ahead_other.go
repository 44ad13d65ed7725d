//go:build !amd64 && !arm64

package kernel

import "golang.org/x/sys/unix"

// Ahead would be a namespace that is being made in the background.
type Ahead struct{}

// MakeNetwork says ENOSYS.
func MakeNetwork() (*Ahead, error) { return nil, unix.ENOSYS }

// Take says ENOSYS.
func (*Ahead) Take() (int, error) { return -1, unix.ENOSYS }

// Close does nothing.
func (*Ahead) Close() {}
