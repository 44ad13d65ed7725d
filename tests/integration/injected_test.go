package integration

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// fault is a system call of the runtime that the kernel does not carry out: strace answers in its place.
type fault struct {
	call  string // as strace knows it
	errno string
	when  string // which of each thread's calls, "1", "3+"
	path  string // of calls on this file alone, unless it is empty
}

// faulty is a command in which a system call fails.
func faulty(t *testing.T, cmd *exec.Cmd, f fault) *exec.Cmd {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed, which makes system calls fail")
	}
	args := []string{"strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=" + f.call,
		"-e", "inject=" + f.call + ":error=" + f.errno + ":when=" + f.when}
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
	for _, errno := range []string{"EIO", "ENOMEM"} {
		f := fault{call: "recvmsg", errno: errno, when: "1"}
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
