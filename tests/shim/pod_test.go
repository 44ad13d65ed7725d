// Package shim drives the built containerd shim as containerd does, over its socket, with a service
// for events of its own: no containerd is needed.
package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bootstrap "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	api "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/api/types"
	runc "github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/ttrpc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m, probes) }

const (
	program   = "containerd-shim-ociruntime-v1"
	service   = "containerd.task.v3.Task"
	namespace = "test"
)

// callTime is more than any call takes.
const callTime = 60 * time.Second

// pod is a shim's daemon and who talks to it.
type pod struct {
	t       testing.TB
	name    string
	dir     string // its sockets, and below it the containers' records
	options *runc.Options
	events  *events
	program string // the shim

	address string // of the daemon, once there is one
	client  *ttrpc.Client
	pid     int
}

// newPod has no daemon yet: the first container's start makes it.
func newPod(t testing.TB) *pod {
	t.Helper()
	program := shimPath(t) // or skip
	dir := harness.TempDir(t)
	p := &pod{t: t, name: filepath.Base(dir), dir: dir, program: program, options: &runc.Options{Root: filepath.Join(dir, "state")}}
	p.events = listenForEvents(t, filepath.Join(dir, "events"))
	t.Cleanup(p.end)
	return p
}

// end ends a daemon that its containers' deletion has not ended.
func (p *pod) end() {
	if p.client == nil {
		return
	}
	defer p.client.Close()
	if err := p.call("Shutdown", &api.ShutdownRequest{}, &emptypb.Empty{}); err != nil && !errors.Is(err, ttrpc.ErrClosed) {
		p.t.Logf("shutdown: %v", err)
	}
	for deadline := time.Now().Add(harness.Patience(10 * time.Second)); harness.Alive(p.pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Errorf("the daemon %d stays after the last container", p.pid)
			_ = unix.Kill(p.pid, unix.SIGKILL)
			return
		}
	}
}

// shimPath is the shim that lies beside the runtime.
func shimPath(t testing.TB) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(harness.Path()), program)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no shim beside the runtime (make build, RUNTIME=…): %v", err)
	}
	return path
}

// command is the shim as containerd starts it.
func (p *pod) command(bundle, id string, args ...string) *exec.Cmd {
	p.t.Helper()
	all := append([]string{"-namespace", namespace, "-address", p.dir + "/containerd", "-publish-binary", "/bin/true", "-id", id}, args...)
	cmd := exec.Command(p.program, all...)
	cmd.Dir = bundle
	cmd.Env = append(os.Environ(), "TTRPC_ADDRESS="+p.events.address, "GOMAXPROCS=2")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	return cmd
}

// start is what containerd calls first for a container. It gives the daemon's address.
func (p *pod) start(bundle, id string) (address string, err error) {
	cmd := p.command(bundle, id, "start")
	cmd.Stdin = bytes.NewReader(p.message(id))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("start: %w: %s", err, out)
	}
	var result bootstrap.BootstrapResult
	if err := proto.Unmarshal(out, &result); err != nil {
		return "", fmt.Errorf("start: %w: %q", err, out)
	}
	return result.GetAddress(), nil
}

// message is what containerd sends with a start.
func (p *pod) message(id string) []byte {
	p.t.Helper()
	m := &bootstrap.BootstrapParams{
		InstanceID: id, Namespace: namespace, ContainerdTtrpcAddress: p.events.address, SocketDir: proto.String(p.dir),
	}
	err := m.AddExtension(p.packed())
	var message []byte
	if err == nil {
		message, err = proto.Marshal(m)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return message
}

// packed are the options as requests have them.
func (p *pod) packed() *anypb.Any {
	p.t.Helper()
	options, err := anypb.New(p.options)
	if err != nil {
		p.t.Fatal(err)
	}
	return options
}

// bundle is one of a container of this pod.
func (p *pod) bundle() *harness.Bundle {
	p.t.Helper()
	b := harness.NewBundle(p.t)
	return b.Edit(func(s *specs.Spec) {
		s.Annotations = map[string]string{"io.containerd.runc.v2.group": p.name}
	})
}

// connect calls start for a container, and connects to the daemon.
func (p *pod) connect(b *harness.Bundle) {
	p.t.Helper()
	b.Save()
	p.logOf(b.Dir)
	address, err := p.start(b.Dir, b.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.client != nil {
		if address != p.address {
			p.t.Fatalf("another daemon at %s, not %s", address, p.address)
		}
		return
	}
	p.address, p.client = address, dial(p.t, address)
	var a api.ConnectResponse
	p.must("Connect", &api.ConnectRequest{ID: b.ID}, &a)
	p.pid = int(a.ShimPid)
}

func dial(t testing.TB, address string) *ttrpc.Client {
	t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(address, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	return ttrpc.NewClient(conn)
}

// logOf prints what the daemon writes to the fifo that containerd makes for its log.
func (p *pod) logOf(bundle string) {
	p.t.Helper()
	path := filepath.Join(bundle, "log")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		p.t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			p.t.Logf("shim: %s", buf[:n])
		}
	}()
	p.t.Cleanup(func() {
		f.Close()
		<-done
	})
}

// call calls a method of the task service.
func (p *pod) call(method string, request, answer proto.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience(callTime))
	defer cancel()
	return p.client.Call(ctx, service, method, request, answer)
}

// must is a call that has to succeed.
func (p *pod) must(method string, request, answer proto.Message) {
	p.t.Helper()
	if err := p.call(method, request, answer); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

// done is a call without an answer of interest that has to succeed.
func (p *pod) done(method string, request proto.Message) {
	p.t.Helper()
	p.must(method, request, &emptypb.Empty{})
}

// streams are where a process's stdin, stdout and stderr are.
type streams struct {
	in, out, err string
	terminal     bool
}

// create makes a container; what it is not deleted by the test is at the end.
func (p *pod) create(b *harness.Bundle, s streams, rootfs ...*types.Mount) (pid int) {
	p.t.Helper()
	p.connect(b)
	return p.created(b, s, rootfs...)
}

// created is the rest of create, for which the daemon is there.
func (p *pod) created(b *harness.Bundle, s streams, rootfs ...*types.Mount) (pid int) {
	p.t.Helper()
	var a api.CreateTaskResponse
	p.must("Create", &api.CreateTaskRequest{
		ID: b.ID, Bundle: b.Dir, Options: p.packed(), Stdin: s.in, Stdout: s.out, Stderr: s.err, Rootfs: rootfs,
	}, &a)
	p.t.Cleanup(func() { p.remove(b.ID) })
	return int(a.Pid)
}

// run creates and starts a container.
func (p *pod) run(b *harness.Bundle, s streams) (pid int) {
	p.t.Helper()
	pid = p.create(b, s)
	p.must("Start", &api.StartRequest{ID: b.ID}, &api.StartResponse{})
	return pid
}

// remove ends a container if it is there.
func (p *pod) remove(id string) {
	p.t.Helper()
	var st api.StateResponse
	if !harness.Alive(p.pid) || p.call("State", &api.StateRequest{ID: id}, &st) != nil {
		return
	}
	_ = p.call("Kill", &api.KillRequest{ID: id, Signal: uint32(unix.SIGKILL), All: true}, &emptypb.Empty{})
	p.must("Wait", &api.WaitRequest{ID: id}, &api.WaitResponse{})
	p.must("Delete", &api.DeleteRequest{ID: id}, &api.DeleteResponse{})
}

// wait waits for the end of a process.
func (p *pod) wait(id, exec string) (status int) {
	p.t.Helper()
	var a api.WaitResponse
	p.must("Wait", &api.WaitRequest{ID: id, ExecID: exec}, &a)
	return int(a.ExitStatus)
}

// addExec announces a process.
func (p *pod) addExec(id, exec string, s streams, args ...string) error {
	spec := fmt.Sprintf(`{"args":%s,"cwd":"/","env":["PATH=/bin"]}`, mustJSON(args))
	return p.call("Exec", &api.ExecProcessRequest{
		ID: id, ExecID: exec, Spec: &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", Value: []byte(spec)},
		Stdin: s.in, Stdout: s.out, Stderr: s.err, Terminal: s.terminal,
	}, &emptypb.Empty{})
}

// exec runs a process to its end and deletes it.
func (p *pod) exec(id, exec string, s streams, args ...string) (status int, err error) {
	if err := p.addExec(id, exec, s, args...); err != nil {
		return 0, err
	}
	if err := p.call("Start", &api.StartRequest{ID: id, ExecID: exec}, &api.StartResponse{}); err != nil {
		return 0, err
	}
	var a api.WaitResponse
	if err := p.call("Wait", &api.WaitRequest{ID: id, ExecID: exec}, &a); err != nil {
		return 0, err
	}
	return int(a.ExitStatus), p.call("Delete", &api.DeleteRequest{ID: id, ExecID: exec}, &api.DeleteResponse{})
}
