package cgroups

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// These tests make cgroups on this machine, under a name of their own, and remove them whatever
// happens.

func needRoot(t testing.TB) *Layout {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes cgroups")
	}
	host, err := Probe()
	if err != nil {
		t.Fatal(err)
	}
	if len(host.V1) == 0 && host.V2 == nil {
		t.Skip("no cgroups are mounted here")
	}
	return host
}

func uniqueName(t testing.TB) string {
	return fmt.Sprintf("ociruntime-test-%d-%d-%s", os.Getpid(), time.Now().UnixNano()%1e9, strings.ReplaceAll(t.Name(), "/", "-"))
}

// create makes a cgroup for the test and removes it at its end, together with its parent.
func create(t testing.TB, host *Layout, res *specs.LinuxResources) *Cgroup {
	t.Helper()
	set, err := Compile(res, host)
	if err != nil {
		t.Fatal(err)
	}
	name := uniqueName(t)
	cg, err := Create(host, Config{Path: "/" + name + "/box", ID: "box", Settings: set})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cg.KillAll()
		if err := cg.Remove(5 * time.Second); err != nil {
			t.Error(err)
		}
		for _, p := range cg.Paths() {
			if err := backend.Rmdir(filepath.Dir(p)); err != nil {
				t.Error(err)
			}
		}
	})
	return cg
}

// spawn starts a process in the cgroup, the way that the runtime does: born into the v2 tree,
// writing "0" to the v1 tasks files. before is shell code that it runs before spawn returns.
func spawn(t testing.TB, cg *Cgroup, script string, before ...string) *exec.Cmd {
	t.Helper()
	in, err := cg.Enter()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var join strings.Builder
	cmd := exec.Command("/bin/sh")
	for i, f := range in.Tasks {
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		fmt.Fprintf(&join, "echo 0 >/dev/fd/%d; ", i+3)
	}
	cmd.Args = []string{"sh", "-c", join.String() + strings.Join(append(before, "echo ready"), "; ") + "; " + script}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if in.Dir != nil {
		cmd.SysProcAttr.UseCgroupFD = true
		cmd.SysProcAttr.CgroupFD = int(in.Dir.Fd())
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cg.Thaw()
		cmd.Process.Kill()
		cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatalf("the process did not get into its cgroup: %v", err)
	}
	return cmd
}

func fileOf(t testing.TB, cg *Cgroup, controller, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cg.Paths()[controller], name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// v2Only treats the machine's cgroup2 tree as if it were a pure v2 host's, and leaves the root's
// controllers as they were.
func v2Only(t testing.TB) *Layout {
	t.Helper()
	host := needRoot(t)
	if host.V2 == nil {
		t.Skip("no cgroup2 tree is mounted here")
	}
	// Tests of two processes must not take each other's controllers for the machine's own.
	lock, err := os.Open(host.V2.Mount)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(host.V2.Mount, "cgroup.subtree_control")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, _ := os.ReadFile(file)
		for _, name := range strings.Fields(string(now)) {
			if !slices.Contains(strings.Fields(string(before)), name) {
				if err := os.WriteFile(file, []byte("-"+name), 0); err != nil {
					t.Error(err)
				}
			}
		}
	})
	return &Layout{V2: host.V2}
}

func needV1(t testing.TB, controllers ...string) *Layout {
	t.Helper()
	host := needRoot(t)
	for _, name := range controllers {
		if host.version(name) != 1 {
			t.Skipf("controller %s is not on cgroup v1 here", name)
		}
	}
	return host
}

// onEach runs the test on the host as it is and, on a hybrid one, with each half alone.
func onEach(t *testing.T, f func(t *testing.T, host *Layout)) {
	host := needRoot(t)
	t.Run("host", func(t *testing.T) { f(t, host) })
	if len(host.V1) > 0 && host.V2 != nil {
		t.Run("v1", func(t *testing.T) { f(t, &Layout{V1: host.V1}) })
		t.Run("v2", func(t *testing.T) { f(t, v2Only(t)) })
	}
}

// leftovers are directories that a test's cgroup name still has anywhere.
func leftovers(t *testing.T, host *Layout, name string) []string {
	t.Helper()
	var found []string
	for _, h := range append(slices.Clone(host.V1), *cmpV2(host)) {
		if _, err := os.Stat(filepath.Join(h.Mount, name)); err == nil {
			found = append(found, filepath.Join(h.Mount, name))
		}
	}
	return found
}

func cmpV2(host *Layout) *Hierarchy {
	if host.V2 != nil {
		return host.V2
	}
	return &Hierarchy{Mount: "/nowhere"}
}

// blockDevice is the JSON of some disk of this machine.
func blockDevice(t *testing.T) string {
	t.Helper()
	devs, _ := filepath.Glob("/sys/block/[vsn]*/dev")
	if len(devs) == 0 {
		return `"major":8,"minor":0`
	}
	major, minor, _ := strings.Cut(strings.TrimSpace(readText(t, devs[0])), ":")
	return `"major":` + major + `,"minor":` + minor
}

// nodeMount is the mount of the hierarchy of cg's first directory.
func (l *Layout) nodeMount(cg *Cgroup) string {
	if isV2(cg.nodes[0]) {
		return l.V2.Mount
	}
	return l.V1[0].Mount
}

// tries runs a command in the cgroup and reports whether it succeeded.
func tries(t *testing.T, cg *Cgroup, script string) bool {
	t.Helper()
	return spawn(t, cg, script).Wait() == nil
}

// asNobody runs f on a thread without root's rights.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		// The thread ends with this goroutine, since it is never unlocked: nobody else gets its
		// credentials.
		runtime.LockOSThread()
		const keep = ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, 65534, keep); errno != 0 {
			done <- errno
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Skip("cannot give up root: ", err)
	}
}
