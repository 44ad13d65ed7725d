package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// probeNotify sends each argument as a datagram to NOTIFY_SOCKET, after "dial" to what is there by
// then, and then stays or, after "end", ends.
func probeNotify(args []string) error {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	ready := false
	for _, a := range args {
		switch a {
		case "end":
			return nil
		case "dial":
			if conn, err = net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET")); err != nil {
				return err
			}
		case "wait":
			time.Sleep(300 * time.Millisecond)
		default:
			lines := strings.ReplaceAll(a, "+", "\n")
			// Nobody has to listen any more to a program that is ready.
			if _, err := conn.Write([]byte(lines)); err != nil && !ready {
				return err
			}
			ready = ready || slices.Contains(strings.Split(lines, "\n"), "READY=1")
		}
	}
	time.Sleep(time.Hour)
	return nil
}

// manager is the test in systemd's place.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	addr string
}

func newManager(t *testing.T, addr string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{t, conn, addr}
}

// read gives the next message, and closes the descriptor that came with it.
func (m *manager) read(within time.Duration) string {
	m.t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		m.t.Fatal(err)
	}
	n, on, _, _, err := m.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return "nothing"
	}
	if msgs, _ := unix.ParseSocketControlMessage(oob[:on]); len(msgs) == 1 {
		fds, _ := unix.ParseUnixRights(&msgs[0])
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return string(buf[:n])
}

func (m *manager) wantReady(pid int) {
	m.t.Helper()
	for _, want := range []string{"READY=1\n", fmt.Sprintf("MAINPID=%d\n", pid)} {
		if got := m.read(10 * time.Second); got != want {
			m.t.Errorf("the manager heard %q, not %q", got, want)
		}
	}
	if got := m.read(10 * time.Second); got != "BARRIER=1" && harness.Peer() == "" {
		m.t.Errorf("the manager heard %q in place of a barrier", got)
	}
}

func notifier(t *testing.T, m *manager, args ...string) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t).Probe("notify", args...)
	b.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.addr)
	return b
}

func managerPath(t *testing.T) string { return filepath.Join(harness.TempDir(t), "notify") }

func TestNotifyOfStart(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(b *harness.Bundle){
		"root":           func(*harness.Bundle) {},
		"user":           func(b *harness.Bundle) { b.Spec.Process.User = specs.User{UID: 1000, GID: 1000} },
		"user namespace": func(b *harness.Bundle) { b.MapIDs(100000, 65536) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t, managerPath(t))
			b := notifier(t, m, "STATUS=not yet", "X=READY=1", "STATUS=up+READY=1")
			edit(b)
			b.Create()
			if got := m.read(100 * time.Millisecond); got != "nothing" {
				t.Errorf("create says %q", got)
			}
			started := make(chan harness.Result, 1)
			go func() { started <- b.RunCmd(b.Cmd("start", b.ID)) }()
			m.wantReady(b.Pid())
			if res := <-started; res.Code != 0 || res.Stdout+res.Stderr != "" {
				t.Errorf("start: %+v", res)
			}
			if got := m.read(100 * time.Millisecond); got != "nothing" {
				t.Errorf("the manager also heard %q", got)
			}
			var env, mounts []string
			for _, e := range strings.Split(readFile(t, fmt.Sprintf("/proc/%d/environ", b.Pid())), "\x00") {
				if strings.HasPrefix(e, "NOTIFY_SOCKET=") {
					env = append(env, e)
				}
			}
			for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/mountinfo", b.Pid()))) {
				if f := strings.Fields(line); f[4] == "/run/notify" {
					// how times are kept is the host's affair
					mounts = append(mounts, strings.Join(strings.Split(f[5], ",")[:4], ","))
				}
			}
			wantLines(t, strings.Join(append(env, mounts...), "\n"), "NOTIFY_SOCKET=/run/notify/notify.sock", "ro,nosuid,nodev,noexec")
		})
	}
}

// While `start` waits for the container to be ready, other commands go on.
func TestNotifyHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	m := newManager(t, "@"+filepath.Base(harness.Work())+"-manager")
	b := notifier(t, m, "STATUS=never ready")
	b.Create()
	started := make(chan harness.Result, 1)
	go func() { started <- b.RunCmd(b.Cmd("start", b.ID)) }()
	b.WaitStatus(specs.StateRunning)
	select {
	case res := <-started:
		t.Errorf("start did not wait: %+v", res)
	case <-time.After(200 * time.Millisecond):
	}
	b.Must("exec", b.ID, "true")
	b.Must("kill", b.ID, "KILL")
	if res := <-started; res.Code != 0 {
		t.Errorf("start of a container that ends without being ready: %+v", res)
	}
	if got := m.read(100 * time.Millisecond); got != "nothing" {
		t.Errorf("the manager heard %q", got)
	}
}

// A start that comes too late is refused, and leaves the one before it to wait.
func TestNotifyOfSecondStart(t *testing.T) {
	t.Parallel()
	m := newManager(t, managerPath(t))
	b := notifier(t, m, "wait", "wait", "wait", "wait", "dial", "READY=1")
	b.Create()
	started := make(chan harness.Result, 1)
	go func() { started <- b.RunCmd(b.Cmd("start", b.ID)) }()
	b.WaitStatus(specs.StateRunning)
	if res := b.RunCmd(b.Cmd("start", b.ID)); res.Code != 1 {
		t.Errorf("second start: %+v", res)
	}
	m.wantReady(b.Pid())
	if res := <-started; res.Code != 0 {
		t.Errorf("start: %+v", res)
	}
}

func TestNotifyOfRun(t *testing.T) {
	t.Parallel()
	m := newManager(t, managerPath(t))
	b := notifier(t, m, "wait", "READY=1")
	done := make(chan harness.Result, 1)
	go func() { done <- b.Run("--detach") }()
	if got := m.read(10 * time.Second); got != "READY=1\n" {
		t.Fatalf("the manager heard %q", got)
	}
	if got, want := m.read(10*time.Second), fmt.Sprintf("MAINPID=%d\n", b.Pid()); got != want {
		t.Errorf("the manager heard %q, not %q", got, want)
	}
	m.read(10 * time.Second)
	if res := <-done; res.Code != 0 {
		t.Errorf("run --detach: %+v", res)
	}
}

// In the foreground the command stays the service's main process.
func TestNotifyOfRunInTheForeground(t *testing.T) {
	t.Parallel()
	m := newManager(t, managerPath(t))
	b := notifier(t, m, "READY=1", "wait", "wait", "end")
	cmd := b.Command("run")
	done := make(chan harness.Result, 1)
	go func() { done <- b.RunCmd(cmd) }()
	if got := m.read(10 * time.Second); got != "READY=1\n" {
		t.Errorf("the manager heard %q", got)
	}
	pid, ok := strings.CutPrefix(strings.TrimSpace(m.read(10*time.Second)), "MAINPID=")
	if n, err := strconv.Atoi(pid); !ok || err != nil || n == 0 {
		t.Errorf("MAINPID=%s", pid)
	}
	m.read(10 * time.Second)
	if res := <-done; res.Code != 0 || pid != fmt.Sprint(cmd.Process.Pid) {
		t.Errorf("run: %+v; main pid %s, the command is %d", res, pid, cmd.Process.Pid)
	}
}

// Nobody is waiting: nothing changes.
func TestNotifySocketUnset(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("echo ${NOTIFY_SOCKET-unset}; ls -d /run/notify 2>/dev/null || echo none")
	b.Env = append(os.Environ(), "NOTIFY_SOCKET=")
	wantLines(t, b.MustRun(), "unset", "none")
}

// A start that can't watch the container for its end says so, and does not pass over the manager in
// silence.
func TestNotifyRefused(t *testing.T) {
	t.Parallel()
	ours(t, "its own calls and texts")
	m := newManager(t, managerPath(t))
	b := notifier(t, m, "READY=1")
	b.Create()
	b.Refuse = &harness.Refusal{Call: "pidfd_open", Errno: unix.EPERM}
	res := b.RunCmd(b.Cmd("start", b.ID))
	b.Refuse = nil
	if res.Code != 1 || !strings.HasPrefix(res.Message(), "the container runs, but nobody was told that it is ready: pidfd_open: ") {
		t.Errorf("start: %+v", res)
	}
}
