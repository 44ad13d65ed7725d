//go:build !amd64 && !arm64

package entry

func restoreLimit() {}

func restoreSlack() {}
