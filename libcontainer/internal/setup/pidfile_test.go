package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Whoever may write to the directory of the pid file can guess the name of the temporary file.
func TestPidFileFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, fmt.Sprintf(".pid.%d", os.Getpid()))); err != nil {
		t.Fatal(err)
	}
	if err := WritePidFile(filepath.Join(dir, "pid"), 42); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"victim": "precious", "pid": "42"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
