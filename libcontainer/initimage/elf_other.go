//go:build !amd64 && !arm64

package initimage

import "github.com/ociruntime/ociruntime/libcontainer/plan"

// Link says that this architecture's op loop is still to be written.
func Link(*plan.Plan, []int) ([]byte, error) { return nil, ErrUnsupported }
