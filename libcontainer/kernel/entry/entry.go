//go:build amd64 || arm64

package entry

// restoreLimit gives the process the limit of open files that it was started with.
func restoreLimit()
