//go:build amd64 || arm64

package entry

import "runtime"

// restoreLimit gives the process the limit of open files that it was started with.
func restoreLimit()

// restoreSlack gives the calling thread the timer slack that the process was started with.
func restoreSlack()

// growStack wants 12 KB of stack, and does nothing with it.
func growStack()

// profileRate leads the first instructions to the rate: the linker lets no assembly name a variable
// of runtime's.
//
//lint:ignore U1000 They read it.
var profileRate = &runtime.MemProfileRate
