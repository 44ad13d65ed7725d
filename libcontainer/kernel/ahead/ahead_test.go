package ahead_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/ahead"
)

// program builds the test's program for each machine that has an entry point, and gives what starts
// it.
func program(t *testing.T, test func(t *testing.T, command []string)) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			var command []string
			if arch != runtime.GOARCH {
				if arch != "arm64" {
					t.Skipf("nothing here runs programs for %s", arch)
				}
				emulator, err := exec.LookPath("qemu-aarch64-static")
				if err != nil {
					if emulator, err = exec.LookPath("qemu-aarch64"); err != nil {
						t.Skip("no qemu-aarch64 (Debian: qemu-user-static)")
					}
				}
				command = []string{emulator}
			}
			path := filepath.Join(t.TempDir(), "copy")
			build := exec.Command("go", "build", "-o", path, "-ldflags", "-E ociruntime_shim_start", "./testdata/copy")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
			test(t, append(command, path))
		})
	}
}

// run gives what a program prints, and its exit status.
func run(t *testing.T, dir string, command []string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:], args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2", "GODEBUG=x=1", "LAST=x")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd.ExtraFiles = []*os.File{nil, nil, null} // the last is descriptor 5
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out // the copy has them, too, and is waited for
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// The process that is started ends as its copy says, which goes on, with the streams alone.
func TestStart(t *testing.T) {
	program(t, func(t *testing.T, command []string) {
		for _, c := range []struct {
			args   []string
			copied bool
			status int
		}{
			{[]string{"0", "start"}, true, 0},
			{[]string{"7", "-x", "start"}, true, 7},
			{[]string{"killed", "start"}, true, 1},
			{[]string{"failed", "start"}, true, 1},
			{[]string{"failed", "start", "x"}, false, 3},
			{[]string{"failed", "starts"}, false, 3},
			{[]string{"failed", "star"}, false, 3},
			{[]string{"failed", ""}, false, 3},
			{nil, false, 0},
		} {
			out, status := run(t, "", command, c.args...)
			want := fmt.Sprintf("procs 1, a copy: %v, inherited: %v, args %q, \"disablethp=1\", \"x\"\n", c.copied, !c.copied, c.args)
			if c.copied && status != 1 {
				want += "still there\n"
			}
			if out != want || status != c.status {
				t.Errorf("%q: %d, %q, not %d, %q", c.args, status, out, c.status, want)
			}
		}
	})
}

// The file of a bundle is the answer to delete, if there is one.
func TestDelete(t *testing.T) {
	program(t, func(t *testing.T, command []string) {
		dir := t.TempDir()
		bundle, empty := filepath.Join(dir, "bundle"), filepath.Join(dir, "empty")
		text := strings.Repeat("\x00\xff", 50)
		if err := errors.Join(
			os.Mkdir(bundle, 0o755), os.Mkdir(empty, 0o755), os.WriteFile(filepath.Join(bundle, ahead.Deleted), []byte(text), 0o600),
			os.WriteFile(filepath.Join(empty, ahead.Deleted), nil, 0o600),
		); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{"-id", "x", "-bundle", bundle, "delete"}, text},
			{[]string{"-bundle", "bundle", "-id", "x", "delete"}, text},
			{[]string{"-id", "x", "-bundle", bundle, "start-not", "deleted"}, ""},
			{[]string{"-id", "x", "-bundle", empty, "delete"}, ""},
			{[]string{"-id", "x", "-bundle", dir, "delete"}, ""},
			{[]string{"-id", "x", "-bundle", filepath.Join(dir, "none"), "delete"}, ""},
			{[]string{"-id", "x", "-bundle", "delete"}, ""},
			{[]string{"-id", "-bundle" + bundle, "delete"}, ""},
			{[]string{"delete"}, ""},
		} {
			out, status := run(t, dir, command, c.args...)
			goOn := fmt.Sprintf("procs 1, a copy: false, inherited: true, args %q, \"disablethp=1\", \"x\"\n", c.args)
			if c.want == "" {
				c.want = goOn
			}
			if out != c.want || status != 0 {
				t.Errorf("%q: %d, %q, not %q", c.args, status, out, c.want)
			}
		}
	})
}
