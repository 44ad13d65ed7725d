package integration

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// agent answers for SCMP_ACT_NOTIFY: what it is handed over and which calls it was asked about.
type agent struct {
	t      *testing.T
	path   string
	states chan specs.ContainerProcessState
	ready  chan struct{} // closed when it may answer
	// answer is the errno for a call's number, or 0 to let the call through.
	answer func(nr uint32) unix.Errno

	mu    sync.Mutex
	asked []uint32
}

func newAgent(t *testing.T, answer func(nr uint32) unix.Errno) *agent {
	t.Helper()
	a := &agent{
		t: t, path: filepath.Join(harness.TempDir(t), "agent.sock"), answer: answer,
		states: make(chan specs.ContainerProcessState, 8), ready: make(chan struct{}),
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			if fd := a.receive(conn); fd >= 0 {
				all.Go(func() { a.serve(fd) })
			}
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return a
}

// receive reads what the runtime sends on one connection, up to its end.
func (a *agent) receive(conn *net.UnixConn) int {
	defer conn.Close()
	text, oob := make([]byte, 64<<10), make([]byte, 256)
	n, oobn, _, _, err := conn.ReadMsgUnix(text, oob)
	if err != nil {
		a.t.Errorf("agent: %v", err)
		return -1
	}
	text = text[:n]
	for {
		var more [4096]byte
		n, err := conn.Read(more[:])
		text = append(text, more[:n]...)
		if err != nil {
			break
		}
	}
	var state specs.ContainerProcessState
	if err := json.Unmarshal(text, &state); err != nil {
		a.t.Errorf("agent: %v in %q", err, text)
	}
	a.states <- state
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(msgs) != 1 {
		a.t.Errorf("agent: %d control messages, %v", len(msgs), err)
		return -1
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		a.t.Errorf("agent: descriptors %v, %v", fds, err)
		return -1
	}
	return fds[0]
}

// serve answers until the last process with the filter has gone.
func (a *agent) serve(fd int) {
	defer unix.Close(fd)
	<-a.ready
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, 20_000); err == unix.EINTR {
			continue
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return
		}
		// struct seccomp_notif: id, pid, flags, then seccomp_data, which begins with the number.
		// seccomp_notif_resp: id, val, error, flags.
		req, resp := make([]byte, 80), make([]byte, 24)
		if notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, req) != nil {
			continue // the process was killed meanwhile
		}
		nr := binary.NativeEndian.Uint32(req[16:])
		a.mu.Lock()
		a.asked = append(a.asked, nr)
		a.mu.Unlock()
		copy(resp, req[:8])
		if errno := a.answer(nr); errno != 0 {
			binary.NativeEndian.PutUint32(resp[16:], uint32(-int32(errno)))
		} else {
			binary.NativeEndian.PutUint32(resp[20:], unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		}
		if err := notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, resp); err != nil && err != unix.ENOENT {
			a.t.Errorf("agent: answer: %v", err)
		}
	}
}

func notifyIoctl(fd int, request uint, arg []byte) error {
	err := unix.IoctlSetInt(fd, request, int(reflect.ValueOf(arg).Pointer()))
	runtime.KeepAlive(arg)
	return err
}

func (a *agent) wasAsked(nr uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.asked, nr)
}

// state is the next message; it has to be there already.
func (a *agent) state() specs.ContainerProcessState {
	a.t.Helper()
	select {
	case s := <-a.states:
		return s
	case <-time.After(harness.Patience(10 * time.Second)):
		a.t.Fatal("the agent got no message")
		panic("unreachable")
	}
}

// listening gives a bundle a profile in which an agent decides about some calls.
func (a *agent) listening(b *harness.Bundle, calls ...string) *harness.Bundle {
	return b.Edit(filter(specs.ActAllow, rule(specs.ActNotify, calls...))).Edit(func(s *specs.Spec) {
		s.Linux.Seccomp.ListenerPath, s.Linux.Seccomp.ListenerMetadata = a.path, "for the agent"
	})
}

func refuseMkdir(nr uint32) unix.Errno { return unix.ENOMEDIUM }

func TestSeccompNotify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		nnp  bool
		edit func(b *harness.Bundle)
	}{
		{"no_new_privs", true, func(*harness.Bundle) {}},
		{"CAP_SYS_ADMIN", false, func(*harness.Bundle) {}},
		{"user namespace", true, func(b *harness.Bundle) { b.MapIDs(100000, 65536) }},
		{"user namespace and CAP_SYS_ADMIN", false, func(b *harness.Bundle) { b.MapIDs(100000, 65536) }},
		{"killable", true, func(b *harness.Bundle) {
			b.Spec.Linux.Seccomp.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t, refuseMkdir)
			close(a.ready)
			b := a.listening(harness.NewBundle(t).Writable(), "mkdir", "mkdirat").Sh("mkdir /tmp/x 2>&1; exec sleep 1000")
			b.Spec.Process.NoNewPrivileges = c.nnp
			b.Spec.Annotations = map[string]string{"org.example.key": "value"}
			c.edit(b)
			b.Create()
			s, pid := a.state(), b.Pid()
			if s.Version != specs.Version || !slices.Equal(s.Fds, []string{"seccompFd"}) || s.Pid != pid || s.Metadata != "for the agent" {
				t.Errorf("create: %+v", s)
			}
			if st := s.State; st.ID != b.ID || st.Status != specs.StateCreating || st.Pid != pid || st.Bundle != b.Dir || st.Annotations["org.example.key"] != "value" {
				t.Errorf("create: state %+v", st)
			}
			b.MustExec("true")
			if st := a.state().State; st.Status != specs.StateCreated || st.Pid != pid {
				t.Errorf("exec before start: state %+v", st)
			}
			b.Must("start", b.ID)
			const refused = "mkdir: can't create directory '/tmp/x': No medium found\n"
			harness.Eventually(t, "output", func() bool { return b.Output() == refused })

			res := b.Exec("sh", "-c", "mkdir /tmp/x 2>&1; grep ^NSpid /proc/self/status")
			inside, line, _ := strings.Cut(res.Stdout, "\n")
			if inside+"\n" != refused || !strings.HasPrefix(line, "NSpid") {
				t.Errorf("exec: %q", res.Stdout)
			}
			e := a.state()
			if e.Pid == pid || e.Pid <= 0 || e.Metadata != "for the agent" || !slices.Equal(e.Fds, []string{"seccompFd"}) {
				t.Errorf("exec: %+v", e)
			}
			if e.State.Status != specs.StateRunning || e.State.Pid != pid || e.State.ID != b.ID {
				t.Errorf("exec: state %+v", e.State)
			}
		})
	}
}

// An agent may be the very program that waits for `create` to return. It answers afterwards, for
// every call of the init that it can be asked about.
func TestSeccompNotifyAfterCreate(t *testing.T) {
	t.Parallel()
	a := newAgent(t, func(uint32) unix.Errno { return 0 })
	b := a.listening(harness.NewBundle(t), "close", "close_range", "accept4", "seccomp", "capset", "execve", "sendto", "prctl").
		Sh("echo ran").Edit(process(func(p *specs.Process) { p.NoNewPrivileges = false }))
	b.Create()
	a.state()
	close(a.ready)
	b.Must("start", b.ID)
	harness.Eventually(t, "output", func() bool { return b.Output() == "ran\n" })
	for _, nr := range []uint32{unix.SYS_CLOSE, unix.SYS_ACCEPT4, unix.SYS_EXECVE} {
		if !a.wasAsked(nr) {
			t.Errorf("the agent was not asked about call %d", nr)
		}
	}
}

// A large message, here by its annotations, arrives whole.
func TestSeccompNotifyLargeState(t *testing.T) {
	t.Parallel()
	a := newAgent(t, refuseMkdir)
	close(a.ready)
	b := a.listening(harness.NewBundle(t), "mkdir").Args("true")
	b.Spec.Annotations = map[string]string{"org.example.key": strings.Repeat("v", 1<<20)}
	b.Create()
	if s := a.state(); len(s.State.Annotations["org.example.key"]) != 1<<20 {
		t.Errorf("%d bytes of the annotation have arrived", len(s.State.Annotations["org.example.key"]))
	}
}

// The agent goes away before it has answered: the kernel answers in its place.
func TestSeccompNotifyAgentGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(harness.TempDir(t), "agent.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		conn, err := l.AcceptUnix()
		if err == nil {
			err = conn.Close() // and with it the descriptor that nobody has received
		}
		done <- err
	}()
	a := &agent{path: path}
	b := a.listening(harness.NewBundle(t).Writable(), "mkdir").Sh("mkdir /tmp/x 2>&1")
	res := b.Run()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l.Close()
	if res.Code == 0 {
		t.Errorf("exit 0, %q", res.Stdout)
	}
	if res.Stdout != "mkdir: can't create directory '/tmp/x': Function not implemented\n" {
		// Closed before the runtime could send: then it says so.
		contains(t, res.Message(), "linux.seccomp.listenerPath")
	}
}
