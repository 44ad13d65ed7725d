//go:build amd64 || arm64

package entry

// Active reports whether the program began here, with what that adds to its environment.
func Active() bool

// RestoreSlack gives the calling thread the timer slack of our caller, as the first thread has it back already: a process has that of the thread
// that starts it.
func RestoreSlack()

func restoreLimit()

func growStack()
