package integration

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// calledWith has a command started by others, who change first what a process inherits.
func calledWith(t *testing.T, cmd *exec.Cmd, words ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(words[0])
	if err != nil {
		t.Skipf("no %s on this host", words[0])
	}
	cmd.Path, cmd.Args = path, append(words, cmd.Args...)
	return cmd
}

// The CPUs that the caller may run on are the caller's: the container has those of its cpuset, as
// soon as it runs and for what exec adds.
func TestCPUsOfTheCallerAreNotTheContainers(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 keeps them")
	if runtime.NumCPU() < 2 {
		t.Skip("one CPU: there is nothing to choose")
	}
	want := harness.StatusField(os.Getpid(), "Cpus_allowed_list")
	b := sleeper(t).Save()
	if res := b.RunCmd(calledWith(t, b.Command("create"), "taskset", "-c", "0")); res.Code != 0 {
		t.Fatalf("create: %+v", res)
	}
	b.Must("start", b.ID)
	if got := harness.StatusField(b.Pid(), "Cpus_allowed_list"); got != want {
		t.Errorf("the container's process may use CPUs %s, want %s", got, want)
	}
	res := b.RunCmd(calledWith(t, b.Cmd("exec", b.ID, "grep", "Cpus_allowed_list", "/proc/self/status"), "taskset", "-c", "0"))
	if list := strings.TrimSpace(strings.TrimPrefix(res.Stdout, "Cpus_allowed_list:")); list != want {
		t.Errorf("exec: CPUs %q, want %s: %+v", list, want, res)
	}
}

// A container's own cpuset is the limit, also for a caller that was elsewhere.
func TestCPUsOfTheCpuset(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "cpuset")
	if runtime.NumCPU() < 2 {
		t.Skip("one CPU: there is nothing to choose")
	}
	b := harness.NewBundle(t).Args("grep", "Cpus_allowed_list", "/proc/self/status").Edit(resources(func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Cpus: "1", Mems: "0"} })).Save()
	contains(t, b.RunCmd(calledWith(t, b.Command("run"), "taskset", "-c", "0")).Stdout, "\t1")
}

// probeAsACaller changes what its children inherit and becomes the command in its arguments.
func probeAsACaller(args []string) error {
	// What is set is the thread's, and exec keeps the thread that calls it.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("disable huge pages: %w", err)
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH}, 0); err != nil {
		return fmt.Errorf("become a batch process: %w", err)
	}
	var node unix.CPUSet
	node.Set(0)
	if err := unix.SetMemPolicy(unix.MPOL_BIND, &node); err != nil {
		return fmt.Errorf("set the memory policy: %w", err)
	}
	if err := os.Unsetenv("OCITEST_PROBE"); err != nil {
		return err
	}
	return unix.Exec(args[0], args, os.Environ())
}

// What a process inherits from who starts it, and config.json does not name, stays as the caller
// has it, as with runc and crun. The list is in the README for developers; what is reset has tests
// of its own.
func TestInherited(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	nice := min(20-raw+5, 19) // the system call has it upside down
	for name, c := range map[string]struct {
		words        []string
		script, want string
	}{
		"nice":         {[]string{"nice", "-n", "5"}, "cut -d ' ' -f19 /proc/self/stat", fmt.Sprint(nice)},
		"I/O priority": {[]string{"ionice", "-c", "2", "-n", "6"}, "ionice -p $$", "best-effort: prio 6"},
		"OOM score":    {[]string{"choom", "-n", "300", "--"}, "cat /proc/self/oom_score_adj", "300"},
		"personality":  {[]string{"setarch", "-R"}, "cat /proc/self/personality", "00040000"},
		"huge pages":   {[]string{self}, "grep THP_enabled /proc/self/status", "THP_enabled:\t0"},
		"scheduler":    {[]string{self}, "sed -n 's/^policy *: *//p' /proc/self/sched", fmt.Sprint(unix.SCHED_BATCH)},
		"memory":       {[]string{self}, "grep -o -m 1 'bind:0' /proc/self/numa_maps", "bind:0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Sh(c.script)
			cmd := calledWith(t, b.Command("run"), c.words...)
			if cmd.Path == self {
				cmd.Env = append(os.Environ(), "OCITEST_PROBE=as-a-caller")
			}
			res := b.RunCmd(cmd)
			if res.Code != 0 {
				t.Fatalf("%+v", res)
			}
			wantLines(t, res.Stdout, c.want)
		})
	}
}
