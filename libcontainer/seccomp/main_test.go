package seccomp

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "seccomp")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	referenceDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
