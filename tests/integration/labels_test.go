package integration

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestAppArmor(t *testing.T) {
	t.Parallel()
	profile := harness.AppArmorProfile(t, "/tmp/secret rw")
	confined := profile + " (enforce)\n"
	for name, edit := range map[string]func(b *harness.Bundle){
		"plain":               func(*harness.Bundle) {},
		"no noNewPrivileges":  func(b *harness.Bundle) { b.Spec.Process.NoNewPrivileges = false },
		"another user":        func(b *harness.Bundle) { b.Spec.Process.User = specs.User{UID: 1000, GID: 1000} },
		"user namespace":      func(b *harness.Bundle) { b.MapIDs(100000, 65536) },
		"no proc to write to": func(b *harness.Bundle) { b.Spec.Mounts = b.Spec.Mounts[1:] },
		"seccomp": func(b *harness.Bundle) {
			filter(specs.ActAllow, rule(specs.ActErrno, "write"))(b.Spec)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).File("tmp/secret", "secret", 0o666).File("tmp/open", "open", 0o666).Args("sleep", "1000")
			b.Spec.Process.ApparmorProfile = profile
			edit(b)
			b.Start()
			if got := readFile(t, fmt.Sprintf("/proc/%d/attr/apparmor/current", b.Pid())); got != confined {
				t.Errorf("create: %q, want %q", got, confined)
			}
			if res := b.Exec("test", "-r", "/tmp/open"); res.Code != 0 {
				t.Errorf("exec: an ordinary file can't be read: exit %d, %s", res.Code, res.Stderr)
			}
			if res := b.Exec("grep", "-q", "secret", "/tmp/secret"); res.Code != 2 {
				t.Errorf("exec: reading what the profile denies: exit %d", res.Code)
			}
		})
	}
	missing := harness.NewBundle(t).Args("true")
	missing.Spec.Process.ApparmorProfile = "ocitest-missing"
	if msg := missing.FailRun("process.apparmorProfile", "ocitest-missing", "not loaded"); strings.Contains(msg, "no such file") {
		t.Errorf("the words of a missing command: %s", msg)
	}
}

// labelOf is a file's SELinux label.
func labelOf(t *testing.T, path string) string {
	t.Helper()
	b := make([]byte, 512)
	n, err := unix.Getxattr(path, "security.selinux", b)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return ""
	}
	return strings.TrimSuffix(string(b[:n]), "\x00")
}

func TestSELinux(t *testing.T) {
	t.Parallel()
	label := harness.SELinuxLabel(t, "system_u:system_r:container_t:s0:c1,c2", "system_u:system_r:unconfined_t:s0:c1,c2", "system_u:system_r:unconfined_t:s0")
	files := harness.SELinuxLabel(t, "system_u:object_r:container_file_t:s0:c1,c2", "system_u:object_r:tmp_t:s0:c1,c2", "system_u:object_r:tmp_t:s0")
	for name, edit := range map[string]func(b *harness.Bundle){
		"plain":          func(*harness.Bundle) {},
		"user namespace": func(b *harness.Bundle) { b.MapIDs(100000, 65536) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Args("sleep", "1000")
			b.Spec.Process.SelinuxLabel, b.Spec.Linux.MountLabel = label, files
			b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/proc/fs")
			b.InstallProbe("keyring-label")
			edit(b)
			b.Start()
			if got := readFile(t, fmt.Sprintf("/proc/%d/attr/current", b.Pid())); strings.TrimSuffix(got, "\x00") != label {
				t.Errorf("create: %q, want %q", got, label)
			}
			if got := strings.Trim(b.MustExec("cat", "/proc/self/attr/current"), "\x00\n"); got != label {
				t.Errorf("exec: %q, want %q", got, label)
			}
			if got := b.MustExec("/probe"); got != label {
				t.Errorf("session keyring: %q, want %q", got, label)
			}
			for _, dir := range []string{"dev", "dev/pts", "dev/shm", "dev/mqueue", "proc/fs"} {
				if got := labelOf(t, fmt.Sprintf("/proc/%d/root/%s", b.Pid(), dir)); got != files {
					t.Errorf("/%s: %q, want %q", dir, got, files)
				}
			}
		})
	}
	bad := harness.NewBundle(t).Args("true")
	bad.Spec.Process.SelinuxLabel = "no:such:label"
	bad.FailRun("process.selinuxLabel", "no:such:label")
}

// A user may have 200 keys, and a session keyring is one. Where there is none left, the container
// does without, and its user is told.
func TestKeyringQuota(t *testing.T) {
	t.Parallel()
	ours(t, "others fail, or say nothing")
	user := 1<<30 + rand.Uint32N(1<<20)<<8 // the kernel frees keys late
	b := harness.NewBundle(t).MapIDs(user, 256).Args("echo", "ran")
	b.InstallProbe("fill-keys")
	fill := exec.Command(filepath.Join(b.Rootfs, "probe"))
	fill.Env = []string{"OCITEST_PROBE=fill-keys"}
	fill.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	stdin, err := fill.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := fill.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fill.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		if err := fill.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "full\n" {
		t.Fatalf("the quota is not used up: %q, %v", line, err)
	}
	res := b.Run()
	if res.Code != 0 || res.Stdout != "ran\n" {
		t.Errorf("exit %d, %q", res.Code, res.Stdout)
	}
	contains(t, res.Stderr, "session keyring", "quota")
	quiet := harness.NewBundle(t).MapIDs(user, 256).Args("true")
	if res := quiet.Run("--no-new-keyring"); res.Code != 0 || res.Stderr != "" {
		t.Errorf("with --no-new-keyring: exit %d, %s", res.Code, res.Stderr)
	}
}
