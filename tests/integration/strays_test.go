package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/tests/harness"
)

// scattered is a container without a cgroup and a pid namespace, whose program prints the pids of
// two processes that outlive it, one in its session and one in another, and then executes another
// one or ends.
func scattered(t *testing.T, then ...string) *harness.Bundle {
	return uncontrolled(t).NoNamespace(specs.PIDNamespace).Probe("leave", then...)
}

func probeLeave(then []string) error {
	for _, ownSession := range []bool{false, true} {
		// No descriptor: whoever reads the output does not wait for them.
		pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: ownSession}})
		if err != nil {
			return err
		}
		fmt.Println(pid)
	}
	if len(then) == 0 {
		return nil
	}
	fmt.Println("done")
	return unix.Exec(then[0], then, nil)
}

// withoutMounts takes everything from a container that is a mount.
func withoutMounts(b *harness.Bundle) *harness.Bundle {
	b.Spec.Mounts, b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths, b.Spec.Root.Readonly = nil, nil, nil, false
	return b.NoNamespace(specs.MountNamespace)
}

// printed are pids that a program has printed. What lives of them at the end is ended.
func printed(t *testing.T, text string) (pids []int) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
		t.Cleanup(func() {
			if harness.Alive(pid) {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		})
	}
	return pids
}

// ended wants processes to be gone.
func ended(t *testing.T, after string, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if harness.Alive(pid) {
			t.Errorf("%s: process %d goes on", after, pid)
		}
	}
}

func needUniqueMounts(t *testing.T) {
	t.Helper()
	if _, unique := probe.RootMount(os.Getpid()); !unique {
		t.Skip("this kernel has no ids of mounts that are not used again")
	}
}

// run leaves nothing of its container behind, although nothing but itself holds it together.
func TestRunEndsStrays(t *testing.T) {
	t.Parallel()
	b := scattered(t)
	res := b.Run()
	pids := printed(t, res.Stdout)
	if res.Code != 0 || len(pids) != 2 {
		t.Errorf("%+v", res)
	}
	ended(t, "run", pids...)
	// Without a mount namespace and mounts, too: all its children are the container's.
	res = withoutMounts(scattered(t)).Run()
	pids = printed(t, res.Stdout)
	ended(t, "run without a mount namespace", pids...)
	if res.Code != 0 || len(pids) != 2 || strings.Contains(res.Stderr, "can't be told from others") {
		t.Errorf("%+v", res)
	}
}

// What a hook has started is not the container's.
func TestRunSparesWhatHooksLeave(t *testing.T) {
	t.Parallel()
	b := scattered(t)
	file := filepath.Join(harness.TempDir(t), "pid")
	addHook(b.Spec, "createRuntime", hook("setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >"+file))
	res := b.Run()
	hooks, pids := printed(t, readFile(t, file)), printed(t, res.Stdout)
	if res.Code != 0 || len(pids) != 2 || len(hooks) != 1 || !harness.Alive(hooks[0]) {
		t.Errorf("%+v, the hook's process lives: %t", res, harness.Alive(hooks[0]))
	}
	ended(t, "run", pids[0])
	needUniqueMounts(t)
	ended(t, "run, of another session", pids[1])
}

// Nor is what the caller had started before it executed the runtime.
func TestRunSparesWhatItWasGiven(t *testing.T) {
	t.Parallel()
	b := withoutMounts(scattered(t))
	file := filepath.Join(harness.TempDir(t), "pid")
	run := b.Command("run")
	cmd := exec.Command("sh", append([]string{"-c", `sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >"$0"; exec "$@"`, file}, run.Args...)...)
	cmd.Env = run.Env
	res := b.RunCmd(cmd)
	given := printed(t, readFile(t, file))
	printed(t, res.Stdout)
	if res.Code != 0 || len(given) != 1 || !harness.Alive(given[0]) {
		t.Errorf("%+v, the caller's process lives: %t", res, harness.Alive(given[0]))
	}
}

func TestDeleteEndsStrays(t *testing.T) {
	t.Parallel()
	needUniqueMounts(t)
	for _, ending := range []string{"delete ID", "delete --force ID", "kill ID KILL", "kill --all ID KILL"} {
		then := []string{"/bin/sleep", "1000"}
		if ending == "delete ID" {
			then = nil
		}
		b := scattered(t, then...).Start()
		if then == nil {
			b.WaitStatus(specs.StateStopped)
		} else {
			harness.Eventually(t, "the pids", func() bool { return strings.HasSuffix(b.Output(), "done\n") })
		}
		pids := printed(t, strings.TrimSuffix(b.Output(), "done\n"))
		b.Must(strings.Fields(strings.ReplaceAll(ending, "ID", b.ID))...)
		if strings.HasPrefix(ending, "kill") {
			harness.Eventually(t, "their end", func() bool { return !harness.Alive(pids[0]) && !harness.Alive(pids[1]) })
			b.WaitStatus(specs.StateStopped)
			b.Delete()
		}
		ended(t, ending, pids...)
	}
	res := scattered(t).Run("--no-subreaper")
	ended(t, "run --no-subreaper", printed(t, res.Stdout)...)
}

// Where nothing tells the container's processes from others, delete says so.
func TestDeleteTellsOfStrays(t *testing.T) {
	t.Parallel()
	b := withoutMounts(scattered(t)).Start()
	b.WaitStatus(specs.StateStopped)
	pids := printed(t, b.Output())
	log := filepath.Join(harness.TempDir(t), "log")
	b.Must("--log", log, "delete", b.ID)
	contains(t, readFile(t, log), "level=warning", "processes that have outlived the container can't be told from others")
	if !harness.Alive(pids[0]) {
		t.Error("a process that can't be told from others was ended")
	}
}

// The ids of mounts begin anew with each boot, and what a record on a disk says of them is nothing
// then.
func TestDeleteAfterABootSparesOthers(t *testing.T) {
	t.Parallel()
	b := scattered(t).Start()
	b.WaitStatus(specs.StateStopped)
	pids := printed(t, b.Output())
	record := filepath.Join(b.Root, b.ID, "state.json")
	boot := strings.TrimSpace(readFile(t, "/proc/sys/kernel/random/boot_id"))
	text := readFile(t, record)
	earlier := strings.Replace(text, boot, "00000000-0000-4000-8000-000000000000", 1)
	if earlier == text {
		t.Fatalf("this boot is not in the record: %s", text)
	}
	if err := os.WriteFile(record, []byte(earlier), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Must("delete", b.ID)
	for _, pid := range pids {
		if !harness.Alive(pid) {
			t.Error("a process was ended by what a record of another boot says")
		}
	}
}
