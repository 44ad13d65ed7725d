//go:build amd64 || arm64

package entry

// restoreLimit gives the process the limit of open files that it was started with.
func restoreLimit()

// restoreSlack gives the calling thread the timer slack that the process was started with.
func restoreSlack()
