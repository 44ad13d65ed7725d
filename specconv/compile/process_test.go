package compile

import (
	"fmt"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// program is a container of the given arguments, whose last PATH is path.
func program(path string, args ...string) *specs.Spec {
	s := smallSpec()
	s.Process.Args = args
	if path != "" {
		s.Process.Env = append(s.Process.Env, "PATH=/nowhere", "PATH="+path)
	}
	return s
}

// looked answers the question whether path can be executed, or is a directory.
func looked(path string, errno unix.Errno) plan.Answer {
	return plan.Answer{Call: plan.SysFaccessat2, Has: fmt.Sprintf("%q,", path), Errno: errno}
}

func TestLookupInPath(t *testing.T) {
	directory := func(p string) plan.Answer { return looked(p+"/.", 0) }
	tests := []struct {
		name, path, want string
		answers          []plan.Answer
	}{
		{"the first one", "/a:/b", "/a/app", nil},
		{"the second, since the first is missing", "/a:/b", "/b/app", []plan.Answer{looked("/a/app", unix.ENOENT)}},
		{"one that may be executed", "/a:/b", "/b/app", []plan.Answer{looked("/a/app", unix.EACCES)}},
		{"no directory", "/a:/b", "/b/app", []plan.Answer{directory("/a/app")}},
		{"through what is no directory", "/a:/b", "/b/app", []plan.Answer{looked("/a/app", unix.ENOTDIR)}},
		{"empty means here", ":/b", "./app", nil},
		{"slashes at the end", "/a/", "/a/app", nil},
		{"no PATH", "", "/usr/local/bin/app", []plan.Answer{looked("/usr/local/sbin/app", unix.ENOENT)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := live(t, program(tt.path, "app"), nil, tt.answers...)
			l.executed()
			if l.program != tt.want {
				t.Errorf("executes %q, want %q", l.program, tt.want)
			}
		})
	}
	for name, answer := range map[string]plan.Answer{
		"nothing there":    {Call: plan.SysFaccessat2, Errno: unix.ENOENT},
		"directories only": {Call: plan.SysFaccessat2},
		"nothing to run":   {Call: plan.SysFaccessat2, Errno: unix.EACCES},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, program("/a:/b", "app"), nil, answer).failed(unix.ENOENT, `exec: "app": executable file not found in $PATH`)
		})
	}
	live(t, program("/a", "app"), nil, looked("/a/app", unix.EIO)).failed(unix.EIO, "look for app in PATH")
}

func TestLookupOfAPath(t *testing.T) {
	live(t, program("", "/bin/app"), nil).executed()
	live(t, program("", "/bin/app"), nil, looked("/bin/app", unix.ENOENT)).failed(unix.ENOENT, `exec: "/bin/app": stat /bin/app`)
	live(t, program("", "/bin/app"), nil, plan.Answer{Call: plan.SysFaccessat2, Has: "X_OK", Errno: unix.EACCES}).failed(unix.EACCES, `exec: "/bin/app"`)
	live(t, program("", "/bin/app"), nil, looked("/bin/app/.", 0)).failed(unix.EISDIR, `exec: "/bin/app"`)
	// Relative to the working directory.
	live(t, program("", "./app"), nil).executed()
}

func TestWorkingDirectory(t *testing.T) {
	s := smallSpec()
	s.Process.Cwd = "/srv"
	s.Process.User.UID = 1000
	chdir := func(errno unix.Errno, times int) plan.Answer {
		return plan.Answer{Call: plan.SysChdir, Has: `"/srv"`, Only: times, Errno: errno}
	}
	// As root, where that is possible.
	l := live(t, s, nil)
	l.executed()
	l.inOrder(`chdir("/srv")`, "setresuid(1000", "getcwd(")
	if n := len(l.calls(`chdir("/srv")`)); n != 1 {
		t.Errorf("entered %d times", n)
	}
	// Else as the user.
	for _, errno := range []unix.Errno{unix.EACCES, unix.EPERM} {
		l = live(t, s, nil, chdir(errno, 1))
		l.executed()
		l.inOrder(`chdir("/srv")`, "setresuid(1000", `chdir("/srv")`, "getcwd(")
	}
	live(t, s, nil, chdir(unix.EACCES, 0)).failed(unix.EACCES, "process.cwd: chdir to /srv")
	live(t, s, nil, chdir(unix.ENOENT, 0)).failed(unix.ENOENT, "process.cwd: chdir to /srv")
}

// CVE-2024-21626: what the kernel calls unreachable is not in the container.
func TestWorkingDirectoryOutside(t *testing.T) {
	s := smallSpec()
	s.Process.Cwd = "/proc/self/fd/8"
	l := live(t, s, nil, plan.Answer{Call: plan.SysGetcwd, Data: "(unreachable)/\x00", Result: 15})
	l.failed(unix.ENOENT, "is outside of the container's root file system")
	live(t, s, nil, plan.Answer{Call: plan.SysGetcwd, Errno: unix.ENOENT}).failed(unix.ENOENT, "is not a place in the container")
}

func TestHomeWithoutPasswd(t *testing.T) {
	s := smallSpec()
	s.Process.Env = nil
	here := live(t, s, nil)
	here.executed()
	here.inOrder(`"etc/passwd"`, "sendmsg(sync, home.msg", "execve(")
	for _, errno := range []unix.Errno{unix.ENOENT, unix.EACCES, unix.ELOOP, unix.ENAMETOOLONG} {
		l := live(t, s, nil, plan.Answer{Call: plan.SysOpenat2, Has: `"etc/passwd"`, Errno: errno})
		l.executed()
		if len(l.calls("home.msg")) > 0 {
			t.Errorf("%v: something was sent: %q", errno, l.calls("home.msg"))
		}
		l.inOrder(`"etc/passwd"`, "sendto(sync, ready", "recvfrom(sync", "execve(")
	}
}

// The host dies while the init waits for it.
func TestHostGone(t *testing.T) {
	l := live(t, smallSpec(), nil, plan.Answer{Call: plan.SysRecvfrom, Result: 0})
	l.failed(unix.EPROTO, "the runtime went away")
}

func TestWaitForStart(t *testing.T) {
	create := func(in *input) { in.Run = false }
	l := live(t, smallSpec(), create, plan.Answer{Call: plan.SysAccept4, Result: 9})
	l.executed()
	// Nothing but stdio and the socket stays open while it waits; a signal may interrupt the wait.
	l.inOrder("close(sync)", "close_range(progress, max, 0)", "accept4(start.sock", "close(start.sock)", "execve(")
	// What goes wrong later is told to start, over the connection.
	l = live(t, smallSpec(), create, plan.Answer{Call: plan.SysAccept4, Result: 9}, plan.Answer{Call: plan.SysExecve, Errno: unix.ENOEXEC})
	l.failed(unix.ENOEXEC, "exec /bin/app")
	if last := l.trace[len(l.trace)-1]; !strings.HasPrefix(last, "sendto(sync, progress[0], 8") || l.out.Regs[plan.Report] != 9 {
		t.Errorf("the last call is %s with sync %d", last, l.out.Regs[plan.Report])
	}
}

// The init needs a descriptor for the connection of start; the privilege to raise a limit is gone
// by then.
func TestTightRlimit(t *testing.T) {
	s := smallSpec()
	s.Process.User.UID = 1000
	s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 3, Hard: 100}, {Type: "RLIMIT_CORE", Soft: 1, Hard: 2}}
	l := live(t, s, func(in *input) { in.Run = false })
	l.executed()
	l.inOrder("RLIMIT_NOFILE", "RLIMIT_CORE", "setresuid(1000", "accept4(", "RLIMIT_NOFILE", "execve(")
	if got := l.calls("prlimit64"); len(got) != 3 {
		t.Errorf("%q", got)
	}
	s.Process.Rlimits[0].Hard = 3
	live(t, s, func(in *input) { in.Run = false }).inOrder("RLIMIT_CORE", "accept4(", "RLIMIT_NOFILE", "execve(")
}

// However long PATH is and however much is masked, there are registers for it: hosts with many
// processors have a masked path for each.
func TestLongPath(t *testing.T) {
	for _, masks := range []int{0, 40, 400} {
		s := program(strings.Repeat("/missing:", 300)+"/b", "app")
		for i := range masks {
			s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/proc/masked"+itoa(i))
		}
		l := live(t, s, nil, null(), looked("/missing/app", unix.ENOENT))
		l.executed()
		if l.program != "/b/app" {
			t.Errorf("%d masks: executes %q", masks, l.program)
		}
	}
}
