package foreground

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// child starts a program and gives its pid; the test's end ends it, too.
func child(t *testing.T, args ...string) int {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func openPidfd(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s never came", what)
		}
	}
}

// Orphans are reaped; the process itself is left to whoever waits for it.
func TestReapOthers(t *testing.T) {
	pid := child(t, "sleep", "1000")
	pidfd := openPidfd(t, pid)
	for range 3 {
		orphan := openPidfd(t, child(t, "true"))
		waitFor(t, "end of an orphan", func() bool { return hasEnded(orphan) })
	}
	if status, found := reapOthers(pidfd, pid); found {
		t.Fatalf("the process was reaped: %v", status)
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil || info.Signo != 0 {
		t.Errorf("a zombie was left: %v", err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "end of the process", func() bool { return hasEnded(pidfd) })
	if status, found := reapOthers(pidfd, pid); found {
		t.Fatalf("the process was reaped: %v", status)
	}
	var status unix.WaitStatus
	if got, err := unix.Wait4(pid, &status, 0, nil); err != nil || got != pid || ExitCode(status) != 128+9 {
		t.Errorf("wait: %d, %v, %v", got, status, err)
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	f := &Loop{}
	for _, c := range []struct {
		signal unix.Signal
		passed bool
	}{
		{unix.SIGTERM, true}, {unix.SIGHUP, true}, {unix.SIGUSR1, true}, {unix.Signal(37), true},
		{unix.SIGCHLD, false}, {unix.SIGWINCH, false}, {unix.SIGURG, false},
	} {
		if signal.Ignored(c.signal) {
			t.Logf("%v is ignored here and in what this test starts, as by nohup", c.signal)
			continue
		}
		pid := child(t, "sleep", "1000")
		pidfd := openPidfd(t, pid)
		// A stopped process keeps its signals until it goes on: those that it would ignore can be
		// seen, too.
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
			t.Fatalf("stop: %v, %v", status, err)
		}
		if _, found := f.handle(c.signal, pidfd, pid, false); found {
			t.Errorf("%v: found a status", c.signal)
		}
		if got := pending(t, pid, c.signal); got != c.passed {
			t.Errorf("%v: passed on %v, want %v", c.signal, got, c.passed)
		}
	}
}

// pending reports whether a process has been sent a signal that it hasn't seen yet
// (proc_pid_status(5)).
func pending(t *testing.T, pid int, s unix.Signal) bool {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "\nShdPnd:\t")
	line, _, _ := strings.Cut(rest, "\n")
	mask, err := strconv.ParseUint(line, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mask&(1<<(s-1)) != 0
}
