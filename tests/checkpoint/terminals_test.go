package checkpoint

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// terminal is one of the host's, as a shell has.
type terminal struct {
	master, slave *os.File
	lines         *lines
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	out := &lines{}
	go func() {
		for s := bufio.NewScanner(master); s.Scan(); {
			out.mu.Lock()
			out.all = append(out.all, strings.TrimSpace(s.Text()))
			out.mu.Unlock()
		}
	}()
	return &terminal{master, slave, out}
}

// session makes a command the leader of a session on the terminal.
func (term *terminal) session(cmd *exec.Cmd) *exec.Cmd {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.slave, term.slave, term.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return cmd
}

func (term *terminal) answers(t *testing.T, word string) {
	t.Helper()
	if _, err := fmt.Fprintln(term.master, word); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "an answer on the terminal", func() bool { return term.lines.last() == "got "+word })
}

func (term *terminal) resize(t *testing.T, rows uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(term.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: 80}); err != nil {
		t.Fatal(err)
	}
}

// echoes says whether the terminal shows what is typed.
func (term *terminal) echoes(t *testing.T) bool {
	t.Helper()
	modes, err := unix.IoctlGetTermios(int(term.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return modes.Lflag&unix.ECHO != 0
}

// 18: a container that somebody has started in a shell, without a terminal of its own, goes on in
// another shell.
func TestShellJob(t *testing.T) {
	t.Parallel()
	ours(t)
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprint("user namespace ", userns), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.Sh(`stty -echo; while read l; do [ $l = end ] && exit 5; echo got $l; done`)
			if userns {
				b.MapIDs(100000, 65536)
			}
			first := newTerminal(t)
			first.resize(t, 30)
			run := first.session(b.Command("run"))
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, "the container to run", func() bool { return b.status() == specs.StateRunning && !first.echoes(t) })
			first.answers(t, "one")
			refused(t, b.tryCheckpoint(), "standard input", "/dev/pts/", "--shell-job")
			first.answers(t, "two")
			b.checkpoint("--shell-job")
			_ = run.Wait()
			if code := harness.ExitCode(run.ProcessState); code != 137 {
				t.Errorf("run: exit %d", code)
			}
			if said := first.lines.text(); strings.Contains(said, "remove") {
				t.Errorf("run says: %s", said)
			}
			refused(t, b.tryRestore("--shell-job"), "standard input", "terminal")
			b.gone()

			second := newTerminal(t)
			second.resize(t, 50)
			restore := second.session(b.Command("restore", "--shell-job", "--image-path", b.images))
			if err := restore.Start(); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, "the container to run again", func() bool { return b.status() == specs.StateRunning || second.lines.last() != "" })
			second.answers(t, "three")
			if second.echoes(t) {
				t.Error("the terminal has other modes than the program has set")
			}
			if size, err := unix.IoctlGetWinsize(int(second.slave.Fd()), unix.TIOCGWINSZ); err != nil || size.Row != 50 {
				t.Errorf("the terminal has another size: %+v, %v", size, err)
			}
			b.checkpoint("--shell-job", "--leave-running")
			second.answers(t, "four")
			fmt.Fprintln(second.master, "end")
			_ = restore.Wait()
			if code := harness.ExitCode(restore.ProcessState); code != 5 {
				t.Errorf("restore: exit %d: %s", code, second.lines.text())
			}
			b.gone()
		})
	}
}
