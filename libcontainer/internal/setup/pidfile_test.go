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

// A path that can't be written to is named as the caller has given it, and nothing stays beside it.
func TestPidFileThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:             "--pid-file: " + dir + " is a directory, and has to be a file or nothing yet",
		dir + "/none/p": "--pid-file: there is no directory " + dir + "/none for it",
		file + "/p":     "--pid-file: write " + file + "/p: not a directory",
	} {
		if err := WritePidFile(path, 42); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, of := range []string{dir, filepath.Dir(dir)} {
		if left, _ := filepath.Glob(filepath.Join(of, ".*")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}
