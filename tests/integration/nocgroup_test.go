package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// uncontrolled is a container without a cgroup that sleeps.
func uncontrolled(t *testing.T) *harness.Bundle {
	ours(t, "it always makes a cgroup")
	b := sleeper(t)
	b.Flags = append(b.Flags, "--cgroup-manager", "disabled")
	return b
}

// callers is a cgroup in each hierarchy in which a runtime looks for processes, with one in it that
// is none of the runtime's.
type callers struct {
	dirs      []string
	neighbour *exec.Cmd
}

func newCallers(t *testing.T, b *harness.Bundle) *callers {
	t.Helper()
	c := &callers{}
	t.Cleanup(func() {
		for _, dir := range c.dirs {
			harness.Eventually(t, "an empty cgroup", func() bool { return os.Remove(dir) == nil || !exists(dir) })
		}
	})
	for _, h := range harness.Hierarchies() {
		if !h.Unified && !slices.Contains(h.Controllers, "freezer") {
			continue // a systemd of the machine moves its own processes about in most others
		}
		dir := filepath.Join(h.Dir, b.ID+"-callers")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		c.dirs = append(c.dirs, dir)
	}
	c.neighbour = c.in(exec.Command("sleep", "1000"))
	if err := c.neighbour.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.neighbour.Process.Kill()
		_ = c.neighbour.Wait()
	})
	for _, dir := range c.dirs {
		harness.Eventually(t, "the process in its cgroup", func() bool { return slices.Contains(harness.CgroupPids(dir), c.neighbour.Process.Pid) })
	}
	return c
}

// in has a command begin in the cgroup.
func (c *callers) in(cmd *exec.Cmd) *exec.Cmd {
	script := ""
	for _, dir := range c.dirs {
		script += "echo 0 >" + dir + "/cgroup.procs && "
	}
	cmd.Args = append([]string{"sh", "-c", script + `exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return cmd
}

func (c *callers) spared(t *testing.T, after string) {
	t.Helper()
	if !harness.Alive(c.neighbour.Process.Pid) {
		t.Fatalf("%s: a process of the caller's cgroup is dead", after)
	}
	for _, dir := range c.dirs {
		if !slices.Contains(harness.CgroupPids(dir), c.neighbour.Process.Pid) {
			t.Errorf("%s: %s is not as it was", after, dir)
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func cgroupOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A container without a cgroup stays in its caller's. What takes a cgroup says that there is none.
func TestNoCgroup(t *testing.T) {
	t.Parallel()
	b := uncontrolled(t).Mount("cgroup", "/sys/fs/cgroup", "cgroup", "ro")
	b.Mount("tmpfs", "/etc", "tmpfs", "tmpcopyup")
	b.Start()
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("made %v", dirs)
	}
	if got, want := cgroupOf(t, b.Pid()), cgroupOf(t, os.Getpid()); got != want {
		t.Errorf("the init is in\n%s\nits caller in\n%s", got, want)
	}
	if got := b.MustExec("sh", "-c", "grep -c . /proc/self/cgroup >/dev/null && cat /etc/passwd >/dev/null && echo hello"); got != "hello" {
		t.Errorf("exec: %q", got)
	}
	b.Flags = nil // what was said to create is in the record
	for _, args := range [][]string{
		{"pause"}, {"resume"}, {"update", "--memory", "64m"}, {"ps"}, {"events"}, {"events", "--stats"}, {"kill", "--all"},
	} {
		res := b.Do(args[0], args[1:]...)
		if res.Code != 1 || strings.Count(res.Message(), "container has no cgroup: ") != 1 {
			t.Errorf("%v: exit %d: %s", args, res.Code, res.Stderr)
		}
	}
	if res := b.Runtime.Run("exec", "--cgroup", "/x", b.ID, "true"); res.Code != 255 || !strings.Contains(res.Message(), "container has no cgroup") {
		t.Errorf("exec --cgroup: exit %d: %s", res.Code, res.Stderr)
	}
	contains(t, b.Must("explain", "--brief", b.ID), "mount")
	if out := b.Must("explain", "--brief", b.ID); strings.Contains(out, "make the cgroup") {
		t.Errorf("explain: %s", out)
	}
	b.Kill()
	b.Delete()
}

// What the configuration asks for in vain is named.
func TestNoCgroupNamesTheLimits(t *testing.T) {
	t.Parallel()
	b := uncontrolled(t).Args("true")
	b.Spec.Linux.Resources = nil
	if res := b.Run(); res.Code != 0 || res.Stderr != "" {
		t.Errorf("without limits: exit %d: %s", res.Code, res.Stderr)
	}
	limit := int64(1 << 26)
	b = uncontrolled(t).Args("true")
	b.Spec.Linux.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &limit}, CPU: &specs.LinuxCPU{}, Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}},
	}
	res := b.Run()
	if res.Code != 0 || strings.Count(res.Stderr, "linux.resources: not in force, as the container has no cgroup: devices, memory") != 1 {
		t.Errorf("exit %d: %s", res.Code, res.Stderr)
	}
}

// Whatever ends a container without a cgroup, what else is in its caller's cgroup lives on.
func TestNoCgroupSparesTheCallers(t *testing.T) {
	t.Parallel()
	for _, ownPids := range []bool{true, false} {
		newOne := func() *harness.Bundle {
			b := uncontrolled(t)
			if !ownPids {
				b.NoNamespace(specs.PIDNamespace)
			}
			return b
		}
		c := newCallers(t, newOne())
		for _, ending := range [][]string{{"kill ID KILL", "delete ID"}, {"delete --force ID"}} {
			b := newOne()
			if res := b.RunCmd(c.in(b.Command("create"))); res.Code != 0 {
				t.Fatalf("create: exit %d: %s", res.Code, res.Stderr)
			}
			b.Must("start", b.ID)
			pid := b.Pid()
			if got, want := cgroupOf(t, pid), cgroupOf(t, c.neighbour.Process.Pid); got != want {
				t.Fatalf("the init is in\n%s\nits caller in\n%s", got, want)
			}
			for _, line := range ending {
				if line == "delete ID" {
					b.WaitStatus(specs.StateStopped)
				}
				cmd := c.in(b.Cmd(strings.Fields(strings.ReplaceAll(line, "ID", b.ID))...))
				if res := b.RunCmd(cmd); res.Code != 0 {
					t.Errorf("%s: exit %d: %s", line, res.Code, res.Stderr)
				}
				c.spared(t, line)
			}
			if harness.Alive(pid) {
				t.Errorf("%v: the init is alive", ending)
			}
		}
		failing := newOne()
		addHook(failing.Spec, "createRuntime", hook("exit 3"))
		for _, b := range []*harness.Bundle{failing, newOne().Args("/missing")} {
			if res := b.RunCmd(c.in(b.Command("run"))); res.Code == 0 {
				t.Error("a container that can't be made was run")
			}
			c.spared(t, "failed run")
		}
	}
}
