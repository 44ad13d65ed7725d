package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestStdin(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("cat; echo end; echo error >&2")
	cmd := b.Command("run")
	cmd.Stdin = strings.NewReader("some input\n")
	res := b.RunCmd(cmd)
	if res.Code != 0 || res.Stdout != "some input\nend\n" || res.Stderr != "error\n" {
		t.Errorf("run: %+v", res)
	}
}

func TestBigOutput(t *testing.T) {
	t.Parallel()
	res := harness.NewBundle(t).Args("seq", "1", "200000").Run()
	if res.Code != 0 || strings.Count(res.Stdout, "\n") != 200000 {
		t.Errorf("exit %d, %d lines", res.Code, strings.Count(res.Stdout, "\n"))
	}
}

// The runtime must not keep the container's pipe open: an engine waits for
// its end.
func TestCreateClosesItsCopiesOfStdio(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := harness.NewBundle(t).Args("echo", "out")
	cmd := b.Command("create")
	cmd.Stdout = w
	if res := b.RunCmd(cmd); res.Code != 0 {
		t.Fatalf("create: %+v", res)
	}
	w.Close()
	b.Must("start", b.ID)
	if err := r.SetReadDeadline(time.Now().Add(harness.Patience(10 * time.Second))); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil || string(out) != "out\n" {
		t.Errorf("read %q, %v", out, err)
	}
	b.WaitStatus(specs.StateStopped)
	b.Delete()
}

func TestClosedStdio(t *testing.T) {
	t.Parallel()
	for _, closed := range []string{"<&-", ">&-", "2>&-", "<&- >&- 2>&-"} {
		b := harness.NewBundle(t).Writable().Sh("echo runs >/result; ls /proc/self/fd >>/result")
		cmd := b.Command("run")
		cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "exec " + shellQuote(cmd.Args) + " " + closed}
		res := b.RunCmd(cmd)
		out, _ := os.ReadFile(filepath.Join(b.Rootfs, "result"))
		if res.Code != 0 || !strings.HasPrefix(string(out), "runs\n") {
			t.Errorf("%s: exit %d, %s, inside: %q", closed, res.Code, res.Stderr, out)
		}
	}
}

// listFds prints where the shell's descriptors point. The one through which
// the shell reads the directory is gone by then.
const listFds = "for f in /proc/$$/fd/*; do readlink $f; done; true"

// Whatever an engine leaks into the runtime must not reach the container.
func TestNoDescriptorLeaksIn(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(harness.TempDir(t), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for range 6 {
		f, err := os.Open(secret)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	b := harness.NewBundle(t).Sh(listFds)
	cmd := b.Command("run")
	cmd.ExtraFiles = files
	if res := b.RunCmd(cmd); res.Code != 0 || strings.Count(res.Stdout, "\n") != 3 || strings.Contains(res.Stdout, "secret") {
		t.Errorf("descriptors inside: %+v", res)
	}

	sleeping := sleeper(t)
	cmd = sleeping.Command("create")
	cmd.ExtraFiles = files
	if res := sleeping.RunCmd(cmd); res.Code != 0 {
		t.Fatalf("create: %+v", res)
	}
	sleeping.Must("start", sleeping.ID)
	if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", sleeping.Pid())); err != nil || len(fds) != 3 {
		t.Errorf("descriptors of the container's process: %v, %v", fds, err)
	}
	cmd = sleeping.Cmd("exec", sleeping.ID, "sh", "-c", listFds)
	cmd.ExtraFiles = files
	if res := sleeping.RunCmd(cmd); res.Code != 0 || strings.Count(res.Stdout, "\n") != 3 || strings.Contains(res.Stdout, "secret") {
		t.Errorf("descriptors of exec: %+v", res)
	}
}

func TestPreserveFds(t *testing.T) {
	t.Parallel()
	dir := harness.TempDir(t)
	var files []*os.File
	for i := range 3 {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(fmt.Sprintf("file %d\n", i)), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	b := harness.NewBundle(t).Sh("cat <&3; cat <&4; test -e /proc/self/fd/5 || echo no 5")
	cmd := b.Command("run", "--preserve-fds", "2")
	cmd.ExtraFiles = files
	res := b.RunCmd(cmd)
	wantLines(t, res.Stdout, "file 0", "file 1", "no 5")

	s := sleeper(t).Start()
	for _, f := range files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
	cmd = s.Cmd("exec", "--preserve-fds", "1", s.ID, "sh", "-c", "cat <&3; test -e /proc/self/fd/4 || echo no 4")
	cmd.ExtraFiles = files[:1]
	res = s.RunCmd(cmd)
	wantLines(t, res.Stdout, "file 0", "no 4")
}

func TestPreserveMissingFd(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 doesn't notice")
	b := sleeper(t)
	if res := b.TryCreate("--preserve-fds", "3"); res.Code == 0 {
		t.Error("preserving descriptors that aren't there succeeded")
	}
}

func TestSocketActivation(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	b := harness.NewBundle(t).Sh("echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; readlink /proc/self/fd/3 | cut -c1-5; readlink /proc/self/fd/4; ls /proc/self/fd/5 2>&1")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := b.Command("run", "--preserve-fds", "1")
	cmd.ExtraFiles = []*os.File{r, null, w}
	// $$ of the shell is the runtime's pid after exec.
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "LISTEN_FDS=1 LISTEN_FDNAMES=name LISTEN_PID=$$ exec " + shellQuote(cmd.Args)}
	names := " name"
	if harness.Peer() == "runc" {
		names = ""
	}
	want := "1 1" + names + "\npipe:\n/dev/null\nls: /proc/self/fd/5: No such file or directory\n"
	if res := b.RunCmd(cmd); res.Stdout != want {
		t.Errorf("socket activation: %+v\nwant %q", res, want)
	}
}

// What was meant for another process is not passed on.
func TestSocketActivationOfSomebodyElse(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	b := harness.NewBundle(t).Sh("echo ${LISTEN_FDS-unset}; ls /proc/self/fd/3 2>&1")
	cmd := b.Command("run")
	cmd.ExtraFiles = []*os.File{r}
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_PID=1")
	wantLines(t, b.RunCmd(cmd).Stdout, "unset", "ls: /proc/self/fd/3: No such file or directory")
}

func TestConsoleSocket(t *testing.T) {
	t.Parallel()
	socket := harness.NewSocket(t)
	b := harness.NewBundle(t).Sh("tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo terminal; stat -c %t:%T /dev/console; read line; echo \"got $line\"; exec sleep 1000").
		Edit(process(func(p *specs.Process) {
			p.Terminal = true
			p.ConsoleSize = &specs.Box{Width: 91, Height: 33}
		}))
	b.Create("--console-socket", socket.Path)
	name, master := socket.Receive()
	if len(name) == 0 || len(name) >= 4096 {
		t.Errorf("the message says %q", name)
	}
	b.Must("start", b.ID)
	// The terminal echoes what it is sent at once, in the middle of a line if there is one.
	out := readUntil(t, master, "88:0\r\n")
	if _, err := master.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	out += readUntil(t, master, "got hello\r\n")
	contains(t, out, "/dev/pts/0\r\n", "33 91\r\n", "terminal\r\n", "88:0\r\n", "got hello\r\n")
	// The shell has one more, until it has become sleep.
	harness.Eventually(t, "three descriptors inside", func() bool {
		list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.Pid()))
		return len(list) == 3
	})
}

// readUntil reads a terminal's master side until some text has come.
func readUntil(t *testing.T, master *os.File, text string) string {
	t.Helper()
	var out strings.Builder
	buf := make([]byte, 4096)
	fd := int(master.Fd())
	for deadline := time.Now().Add(harness.Patience(10 * time.Second)); time.Now().Before(deadline); {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if n <= 0 {
			continue
		}
		read, err2 := unix.Read(fd, buf)
		if err != nil || err2 != nil || read == 0 {
			break
		}
		out.Write(buf[:read])
		if strings.Contains(out.String(), text) {
			return out.String()
		}
	}
	t.Fatalf("the terminal never said %q: %q", text, out.String())
	return ""
}

func TestTerminalIsTheControllingOne(t *testing.T) {
	t.Parallel()
	socket := harness.NewSocket(t)
	b := harness.NewBundle(t).Sh("trap 'echo interrupted' INT; echo ready; while :; do sleep 0.05; done").
		Edit(process(func(p *specs.Process) { p.Terminal = true }))
	b.Create("--console-socket", socket.Path)
	_, master := socket.Receive()
	b.Must("start", b.ID)
	readUntil(t, master, "ready")
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, master, "interrupted")
}

func TestTerminalOfAnotherUser(t *testing.T) {
	t.Parallel()
	socket := harness.NewSocket(t)
	b := harness.NewBundle(t).Sh("stat -c '%u %a' $(tty); echo written >/dev/stdout; sleep 1000").Caps().
		Edit(process(func(p *specs.Process) {
			p.Terminal = true
			p.User = specs.User{UID: 1000, GID: 1000}
		}))
	b.Create("--console-socket", socket.Path)
	_, master := socket.Receive()
	b.Must("start", b.ID)
	contains(t, readUntil(t, master, "written"), "1000 620\r\n")
}

func TestTerminalInUserNamespace(t *testing.T) {
	t.Parallel()
	socket := harness.NewSocket(t)
	b := harness.NewBundle(t).Sh("tty; stat -c %u $(tty); echo done; sleep 1000").MapIDs(100000, 65536).
		Edit(process(func(p *specs.Process) { p.Terminal = true }))
	b.Create("--console-socket", socket.Path)
	_, master := socket.Receive()
	b.Must("start", b.ID)
	contains(t, readUntil(t, master, "done"), "/dev/pts/0\r\n0\r\n")
}

func TestTerminalErrors(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Edit(process(func(p *specs.Process) { p.Terminal = true }))
	b.FailRun("console")
	socket := harness.NewSocket(t)
	without := sleeper(t)
	if res := without.TryCreate("--console-socket", socket.Path); res.Code == 0 {
		t.Error("--console-socket without process.terminal was accepted")
	}
	nobody := sleeper(t).Edit(process(func(p *specs.Process) { p.Terminal = true }))
	if res := nobody.TryCreate("--console-socket", "/no/such/socket"); res.Code == 0 {
		t.Error("a console socket that isn't there was accepted")
	}
}

func TestExecConsoleSocket(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	socket := harness.NewSocket(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	b.Must("exec", "--tty", "--detach", "--pid-file", pidFile, "--console-socket", socket.Path, b.ID, "sh", "-c", "tty; echo done; sleep 100")
	_, master := socket.Receive()
	contains(t, readUntil(t, master, "done"), "/dev/pts/")
	if res := b.Runtime.Run("exec", "--tty", "--detach", b.ID, "true"); res.Code == 0 {
		t.Error("exec --tty --detach without a console socket was accepted")
	}
}

// openPty gives the two ends of a terminal of the host.
func openPty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// startOnPty starts a command with a terminal of its own.
func startOnPty(t *testing.T, cmd *exec.Cmd) *os.File {
	t.Helper()
	master, slave := openPty(t)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 20, Col: 70}); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return master
}

func TestRunOnATerminal(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("trap 'stty size' WINCH; stty size; echo ready; read line; echo \"got $line\"; while [ ! -e /tmp/x ]; do sleep 0.05; done; exit 5").
		Edit(process(func(p *specs.Process) { p.Terminal = true }))
	b.Mount("tmpfs", "/tmp", "tmpfs")
	cmd := b.Command("run")
	master := startOnPty(t, cmd)
	contains(t, readUntil(t, master, "ready"), "20 70\r\n")
	if _, err := master.WriteString("hello\r"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, master, "got hello")
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 21, Col: 71}); err != nil {
		t.Fatal(err)
	}
	readUntil(t, master, "21 71")
	b.Exec("touch", "/tmp/x") // whose own end the container's may forestall
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit %d, want 5", code)
	}
	settings, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if settings.Lflag&(unix.ICANON|unix.ECHO) != unix.ICANON|unix.ECHO {
		t.Error("the caller's terminal is still raw")
	}
}

func TestExecOnATerminal(t *testing.T) {
	t.Parallel()
	b := sleeper(t).Start()
	cmd := b.Cmd("exec", "--tty", b.ID, "sh", "-c", "tty; read line; echo \"got $line\"; exit 6")
	master := startOnPty(t, cmd)
	readUntil(t, master, "/dev/pts/")
	if _, err := master.WriteString("hello\r"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, master, "got hello")
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 6 {
		t.Errorf("exit %d, want 6", code)
	}
}

// Input that ends, ends the terminal's input too, behind a last line without an end and for
// whatever reads it later; and what is not shown on a terminal has ordinary ends of lines.
func TestTerminalWithoutOne(t *testing.T) {
	t.Parallel()
	ours(t, "waits for more input")
	const script = "cat; read line; echo \"end $line\""
	for name, in := range map[string]*string{"null": nil, "nothing": ptr(""), "lines": ptr("one\ntwo\n"), "half": ptr("one\ntwo")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Sh(script).Edit(process(func(p *specs.Process) { p.Terminal = true }))
			s := sleeper(t).Start()
			for _, cmd := range []*exec.Cmd{b.Command("run"), s.Cmd("exec", "--tty", s.ID, "sh", "-c", script)} {
				want := ""
				if in != nil {
					cmd.Stdin, want = strings.NewReader(*in), *in
				}
				// In front there is the terminal's echo of the input.
				res := b.RunCmd(cmd)
				if res.Code != 0 || !strings.HasSuffix(res.Stdout, want+"end \n") || strings.Contains(res.Stdout, "\r") {
					t.Errorf("%q: exit %d, %q, want at its end %q", cmd.Args, res.Code, res.Stdout, want+"end \n")
				}
			}
		})
	}
}

func TestPidfdSocket(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 has no --pidfd-socket")
	socket := harness.NewSocket(t)
	b := sleeper(t).Create("--pidfd-socket", socket.Path)
	text, pidfd := socket.Receive()
	if text != "standard" {
		t.Errorf("the message says %q", text)
	}
	wantPidfd(t, pidfd, b.Pid())
	b.Must("start", b.ID)
	execSocket := harness.NewSocket(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	b.Must("exec", "--detach", "--pid-file", pidFile, "--pidfd-socket", execSocket.Path, b.ID, "sleep", "100")
	text, pidfd = execSocket.Receive()
	if text != "setns" {
		t.Errorf("the message says %q", text)
	}
	var pid int
	if _, err := fmt.Sscan(readFile(t, pidFile), &pid); err != nil {
		t.Fatal(err)
	}
	wantPidfd(t, pidfd, pid)
}

func wantPidfd(t *testing.T, pidfd *os.File, pid int) {
	t.Helper()
	info := readFile(t, fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	contains(t, info, fmt.Sprintf("Pid:\t%d\n", pid))
}

// A container's stdio on the host's /dev/null becomes its own /dev/null.
func TestDevNullStdio(t *testing.T) {
	t.Parallel()
	b := sleeper(t)
	cmd := b.Command("create")
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = null, null, null
	if res := b.RunCmd(cmd); res.Code != 0 {
		t.Fatalf("create: %+v", res)
	}
	b.Must("start", b.ID)
	out := b.MustExec("sh", "-c", "for i in 0 1 2; do readlink /proc/1/fd/$i; stat -L -c %t:%T /proc/1/fd/$i; done")
	if strings.Count(out, "/dev/null\n1:3") != 3 {
		t.Errorf("descriptors: %q", out)
	}
}

// A process of another user may reopen its own pipes through /dev/stdout.
func TestStdioBelongsToTheUser(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := harness.NewBundle(t).Sh("echo fine >/dev/stdout").Caps()
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	cmd := b.Command("run")
	cmd.Stdout = w
	res := b.RunCmd(cmd)
	w.Close()
	out, _ := io.ReadAll(r)
	if res.Code != 0 || string(out) != "fine\n" {
		t.Errorf("exit %d, %q, %s", res.Code, out, res.Stderr)
	}
}

// The same in a user namespace, whose root may not change the owner of what comes from outside: the
// runtime does. What has a name on the host stays its owner's.
func TestStdioInAUserNamespace(t *testing.T) {
	t.Parallel()
	named := filepath.Join(harness.TempDir(t), "log")
	log, err := os.Create(named)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, uid := range []uint32{0, 1000} {
		b := harness.NewBundle(t).Sh("cat /dev/stdin >/dev/stdout; sleep 1000").MapIDs(100000, 65536).Caps()
		b.Spec.Process.User = specs.User{UID: uid, GID: uid}
		talk := func(cmd *exec.Cmd) {
			t.Helper()
			in, to := pipe(t)
			from, out := pipe(t)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, log
			res := b.RunCmd(cmd)
			_, _ = to.WriteString("fine\n")
			in.Close()
			to.Close()
			out.Close()
			text := make([]byte, 5)
			_ = from.SetReadDeadline(time.Now().Add(harness.Patience(10 * time.Second)))
			if _, err := io.ReadFull(from, text); res.Code != 0 || string(text) != "fine\n" {
				t.Errorf("user %d: exit %d, %q (%v), %s", uid, res.Code, text, err, readFile(t, named))
			}
		}
		talk(b.Command("run", "--detach"))
		talk(b.Cmd("exec", "--detach", b.ID, "sh", "-c", "cat /dev/stdin >/dev/stdout"))
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(log.Fd()), &st); err != nil || st.Uid != 0 {
		t.Errorf("the log file belongs to user %d (%v)", st.Uid, err)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}
