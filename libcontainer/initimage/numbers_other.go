//go:build !amd64 && !arm64

package initimage

import "github.com/ociruntime/ociruntime/libcontainer/plan"

func syscallNumber(plan.Call) (uint16, bool) { return 0, false }

const cloneNumber = 0
