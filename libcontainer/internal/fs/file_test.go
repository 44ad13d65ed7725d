package fs

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadFile(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 100_000} {
		name := filepath.Join(t.TempDir(), "file")
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, read := range []func(string) ([]byte, error){ReadFile, ReadRegular} {
			if got, err := read(name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes: got %d, %v", size, len(got), err)
			}
		}
		for _, room := range []int{10, 200_000} {
			if got, err := ReadStart(name, make([]byte, room)); err != nil || !bytes.Equal(got, want[:min(room, size)]) {
				t.Errorf("%d of %d bytes: got %d, %v", room, size, len(got), err)
			}
		}
	}
	if got, err := ReadFile("/proc/self/cmdline"); err != nil || !bytes.HasPrefix(got, []byte(os.Args[0])) {
		t.Errorf("a file without a size: %q %v", got, err)
	}
}

func TestErrorsAreThoseOfOS(t *testing.T) {
	for _, name := range []string{"/nonexistent", t.TempDir(), "a\x00b"} {
		_, want := os.ReadFile(name)
		if _, err := ReadFile(name); !reflect.DeepEqual(err, want) {
			t.Errorf("%q: error %v, want %v", name, err, want)
		}
		if _, err := ReadStart(name, make([]byte, 1)); !reflect.DeepEqual(err, want) {
			t.Errorf("%q: error of ReadStart %v, want %v", name, err, want)
		}
	}
}

// What others rename meanwhile does not make a path with `..` one that is not there.
func TestFindInRootBesideRenames(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a/b", "c", "renamed"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := Open(root, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	over, done := make(chan struct{}), make(chan error)
	go func() {
		one, other := filepath.Join(root, "renamed"), filepath.Join(root, "c", "renamed")
		for {
			select {
			case <-over:
				done <- nil
				return
			default:
			}
			if err := os.Rename(one, other); err != nil {
				done <- err
				return
			}
			one, other = other, one
		}
	}()
	for range 20_000 {
		fd, err := FindInRoot(dir, "/a/b/../../a/b/../../c", unix.O_DIRECTORY)
		if err != nil {
			t.Error(err)
			break
		}
		unix.Close(fd)
	}
	close(over)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
