package seccomp

import (
	"fmt"
	"os"
	"testing"
)

// roleVariable makes the test binary do one thing in a fresh process, where a filter can do no harm
// and nothing is warmed up.
const roleVariable = "SECCOMP_TEST_ROLE"

// buildDir holds the C programs of the tests.
var buildDir string

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(roles[role]())
	}
	dir, err := os.MkdirTemp("", "ociruntime-seccomp")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// roles are what the re-executed test binary can do; the result is its exit status.
var roles = map[string]func() int{
	"compile": compileOnce,
}
