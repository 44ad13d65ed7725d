package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// fault is what strace does to a system call of the runtime.
type fault struct {
	calls string // as strace knows them
	what  string // "error=EIO", "delay_enter=1000"
	path  string // of calls on this file alone, unless it is empty
	when  string // which of each thread's calls, unless it is empty: "1", "3+"
}

// faulty is a command with a fault.
func faulty(t *testing.T, cmd *exec.Cmd, f fault) *exec.Cmd {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed, which makes system calls fail")
	}
	args := []string{"strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=" + f.calls}
	inject := "inject=" + f.calls + ":" + f.what
	if f.when != "" {
		inject += ":when=" + f.when
	}
	args = append(args, "-e", inject)
	if f.path != "" {
		args = append(args, "-P", f.path)
	}
	cmd.Args = slices.Concat(args, []string{cmd.Path}, cmd.Args[1:])
	cmd.Path = strace
	return cmd
}

// While the init waits for the host, a failure on the host's side ends both.
func TestHostFailsAtARendezvous(t *testing.T) {
	t.Parallel()
	ours(t, "how the init is met is ours")
	withoutSystemd(t, "D-Bus is heard by the same call")
	for _, errno := range []string{"EIO", "ENOMEM"} {
		f := fault{calls: "recvmsg", what: "error=" + errno, when: "1"}
		for _, verb := range []string{"create", "run"} {
			b := sleeper(t).Save()
			res := b.RunCmd(faulty(t, b.Command(verb), f))
			if res.Code != 1 || !strings.Contains(res.Message(), "hear from the container's init") {
				t.Errorf("%s, %s: exit %d: %s", verb, errno, res.Code, res.Stderr)
			}
			if dirs := b.CgroupDirs(); dirs != nil {
				t.Errorf("%s, %s: left %v", verb, errno, dirs)
			}
		}
		b := sleeper(t).Start()
		res := b.RunCmd(faulty(t, b.Cmd("exec", b.ID, "sleep", "1000"), f))
		if res.Code != 255 || !strings.Contains(res.Message(), "hear from the container's init") {
			t.Errorf("exec, %s: exit %d: %s", errno, res.Code, res.Stderr)
		}
		if n := len(pids(t, b)); n != 1 {
			t.Errorf("exec, %s: %d processes are in the container", errno, n)
		}
	}
}

// A record that can't be read is not one that is there, nor one that may be given up.
func TestRecordCannotBeRead(t *testing.T) {
	t.Parallel()
	ours(t, "the record's name is ours")
	b := sleeper(t).Save()
	dir := filepath.Join(b.Root, b.ID)
	f := fault{calls: "?open,openat", what: "error=ENOMEM", path: filepath.Join(dir, "state.json")}
	res := b.RunCmd(faulty(t, b.Command("create"), f))
	if res.Code != 1 || !strings.Contains(res.Message(), "cannot allocate memory") || strings.Contains(res.Message(), "exists") {
		t.Errorf("create: exit %d: %s", res.Code, res.Stderr)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("create has left its directory")
	}
	b.Start()
	pid := b.Pid()
	res = b.RunCmd(faulty(t, b.Cmd("delete", "--force", b.ID), f))
	if res.Code != 1 || !strings.Contains(res.Message(), "cannot allocate memory") {
		t.Errorf("delete: exit %d: %s", res.Code, res.Stderr)
	}
	if !harness.Alive(pid) || b.State().Pid != pid {
		t.Error("delete has given up a container whose record it could not read")
	}
}

// What a failed create can't undo is found by delete, which runs the poststop hooks then.
func TestWhatIsNotUndoneKeepsItsRecord(t *testing.T) {
	t.Parallel()
	ours(t, "what a failed create leaves is ours")
	b := sleeper(t)
	withoutSystemd(t, "systemd removes the cgroup of a unit itself")
	outside, _ := hookLog(t, b)
	addHook(b.Spec, "createRuntime", hook("exit 3"))
	addHook(b.Spec, "poststop", hook("echo poststop >>"+outside))
	cmd := faulty(t, b.Command("create"), fault{calls: "?rmdir,?unlinkat", what: "error=EIO"})
	res := b.RunCmd(cmd)
	if res.Code != 1 || !strings.Contains(res.Message(), "delete --force") || !strings.Contains(res.Message(), "input/output error") {
		t.Errorf("create: exit %d: %s", res.Code, res.Stderr)
	}
	if b.CgroupDirs() == nil {
		t.Fatal("the cgroups are gone")
	}
	if data, _ := os.ReadFile(outside); len(data) != 0 {
		t.Errorf("hooks of a container that is not removed: %q", data)
	}
	b.Must("delete", "--force", b.ID)
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("left %v", dirs)
	}
	if data, _ := os.ReadFile(outside); string(data) != "poststop\n" {
		t.Errorf("hooks: %q", data)
	}
}

// From the program's first moment, the record says where it is.
func TestRunRecordsBeforeTheProgram(t *testing.T) {
	t.Parallel()
	ours(t, "the record is ours")
	b := harness.NewBundle(t).Sh("grep -o '\"phase\":\"[a-z]*\"\\|\"init_process_pid\":0' /rec/*/state.json")
	if err := os.Mkdir(b.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	b.Mount(b.Root, "/rec", "bind", "bind", "ro")
	res := b.RunCmd(faulty(t, b.Command("run"), fault{calls: "renameat2", what: "delay_enter=100000"}))
	if want := "\"phase\":\"created\"\n"; res.Code != 0 || res.Stdout != want {
		t.Errorf("exit %d; the program reads %q, want %q", res.Code, res.Stdout, want)
	}
}

// A record that is in place is saved, even if what it has replaced can't be removed.
func TestReplacedRecordCannotBeRemoved(t *testing.T) {
	t.Parallel()
	ours(t, "the record's name is ours")
	b := harness.NewBundle(t).Sh("echo hello")
	dir := filepath.Join(b.Root, b.ID)
	f := fault{calls: "?unlink,unlinkat", what: "error=EIO", path: filepath.Join(dir, ".state.json.new")}
	res := b.RunCmd(faulty(t, b.Command("run"), f))
	if res.Code != 0 || res.Stdout != "hello\n" {
		t.Errorf("run: exit %d: %q %s", res.Code, res.Stdout, res.Stderr)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("run has left the container's directory")
	}
}
