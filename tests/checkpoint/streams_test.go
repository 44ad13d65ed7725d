package checkpoint

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// 5
func TestPipes(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.Sh(`while read l; do echo got $l; echo to err $l >&2; done; echo end`)
	b.feed = true
	b.run()
	say := func(word string) {
		t.Helper()
		if _, err := fmt.Fprintln(b.in, word); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "an answer to "+word, func() bool { return b.out.last() == "got "+word && b.err.last() == "to err "+word })
	}
	say("one")
	b.checkpoint()
	out := b.out
	harness.Eventually(t, "end of file on the old pipe", out.ended)
	b.restore()
	say("two")
	b.in.Close()
	harness.Eventually(t, "the end", func() bool { return b.out.last() == "end" && b.out.ended() && b.err.ended() })
	b.WaitStatus(specs.StateStopped)
	b.Delete()
}

// 5: what was not connected need not be, and the null device stays what it was.
func TestWithoutStreams(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.Sh("while :; do sleep 100; done") // a sleep that is restored may end with EINTR
	cmd := b.Command("run", "--detach")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = null, null, null
	if res := b.RunCmd(cmd); res.Code != 0 {
		t.Fatal(res)
	}
	b.again()
	for fd := range 3 {
		if link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", b.Pid(), fd)); err != nil || link != "/dev/null" {
			t.Errorf("descriptor %d is %q, %v", fd, link, err)
		}
	}
}

// readConsole gives lines of a terminal's master.
func readConsole(t *testing.T, socket *harness.Socket) (*lines, *os.File) {
	t.Helper()
	name, master := socket.Receive()
	if name == "" || len(name) > 4096 {
		t.Errorf("the terminal is called %q", name)
	}
	l := &lines{}
	go func() {
		for s := bufio.NewScanner(master); s.Scan(); {
			l.mu.Lock()
			l.all = append(l.all, strings.TrimSpace(s.Text()))
			l.mu.Unlock()
		}
	}()
	return l, master
}

// 6
func TestConsoleSocket(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.Edit(func(s *specs.Spec) { s.Process.Terminal = true })
	b.Sh(`while read l; do echo got-$l; tty; done`)
	for i, verb := range []string{"run", "restore", "restore"} {
		socket := harness.NewSocket(t)
		flags := []string{"--console-socket", socket.Path}
		if verb == "restore" {
			b.checkpoint()
			flags = append(flags, "--image-path", b.images)
		}
		if res := b.detached(verb, b.ID, flags...); res.Code != 0 {
			t.Fatalf("%s: %s%s", verb, res.Message(), b.log("restore.log"))
		}
		out, master := readConsole(t, socket)
		word := "word" + strconv.Itoa(i)
		if _, err := fmt.Fprintln(master, word); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "an answer through the terminal", func() bool { return strings.Contains(out.text(), "got-"+word) })
		harness.Eventually(t, "the terminal's name", func() bool { return strings.HasPrefix(out.last(), "/dev/") })
		if socket.Waiting() {
			t.Error("somebody else has connected to the console socket")
		}
	}
}

// 6
func TestForeground(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.Sh(`trap "echo caught; exit 7" TERM; while :; do sleep 0.1; done`)
	b.run()
	b.checkpoint()
	pid := filepath.Join(harness.TempDir(t), "pid")
	cmd := b.Command("restore", "--image-path", b.images, "--pid-file", pid)
	out, stdout := pipe(t)
	cmd.Stdout = stdout
	errors, stderr := pipe(t)
	cmd.Stderr = stderr
	b.out, b.err = readLines(out), readLines(errors)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	stderr.Close()
	harness.Eventually(t, "the container to run again", func() bool { _, err := os.Stat(pid); return err == nil })
	// It still has its handler, and signals are passed on to it.
	harness.Eventually(t, "its end", func() bool {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		return b.out.last() == "caught"
	})
	_ = cmd.Wait()
	if code := harness.ExitCode(cmd.ProcessState); code != 7 {
		t.Errorf("exit %d: %s", code, b.err.text())
	}
	b.gone()
}

// 6: with a terminal in the foreground, as a person would.
func TestForegroundTerminal(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no script(1) here")
	}
	b := newBox(t)
	b.Edit(func(s *specs.Spec) { s.Process.Terminal = true })
	b.Sh(`while read l; do [ $l = end ] && exit 5; echo got-$l; done`)
	b.Save()
	socket := harness.NewSocket(t)
	if res := b.detached("run", b.ID, "--console-socket", socket.Path); res.Code != 0 {
		t.Fatal(res.Message())
	}
	readConsole(t, socket)
	b.checkpoint()
	restore := b.Command("restore", "--image-path", b.images)
	cmd := exec.Command(script, "-qec", strings.Join(restore.Args, " "), filepath.Join(harness.TempDir(t), "typescript"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout := pipe(t)
	cmd.Stdout = stdout
	b.out = readLines(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	harness.Eventually(t, "the container to run again", func() bool { return b.status() == specs.StateRunning })
	fmt.Fprintln(in, "word")
	harness.Eventually(t, "an answer", func() bool { return strings.Contains(b.out.text(), "got-word") })
	fmt.Fprintln(in, "end")
	_ = cmd.Wait()
	if code := harness.ExitCode(cmd.ProcessState); code != 5 {
		t.Errorf("exit %d: %s", code, b.out.text())
	}
	b.gone()
}

// A container of a service manager has a mount for the socket on which it reports that it is ready.
func TestNotifySocket(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t)
	b.Writable()
	b.share()
	manager := filepath.Join(harness.TempDir(t), "manager")
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Shutdown(socket, unix.SHUT_RDWR); unix.Close(socket) }()
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: manager}); err != nil {
		t.Fatal(err)
	}
	b.Sh(`exec /probe $NOTIFY_SOCKET`).InstallProbe("unix-once")
	b.feed, b.first = true, "READY=1\n"
	b.Env = append(os.Environ(), "NOTIFY_SOCKET="+manager)
	go func() { // the manager, who closes the descriptor that asks whether it has read everything
		for control := make([]byte, 64); ; {
			_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 4096), control, unix.MSG_CMSG_CLOEXEC)
			if err != nil {
				return
			}
			messages, _ := unix.ParseSocketControlMessage(control[:n])
			for i := range messages {
				fds, _ := unix.ParseUnixRights(&messages[i])
				for _, fd := range fds {
					unix.Close(fd)
				}
			}
		}
	}()
	b.run()
	b.Env, b.first = nil, ""
	harness.Eventually(t, "the report", func() bool { return b.out.last() == "sent" })
	for _, word := range []string{"more", "still more"} {
		b.again()
		if got := b.ask(word); got != word {
			t.Errorf("it says %q", got)
		}
	}
}
