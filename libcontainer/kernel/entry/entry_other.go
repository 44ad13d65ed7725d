//go:build !amd64 && !arm64

package entry

// Active is false: the program begins with Go's runtime.
func Active() bool { return false }

// RestoreSlack has nothing to restore.
func RestoreSlack() {}

func restoreLimit() {}

func growStack() {}
