package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sandbox "github.com/containerd/containerd/api/runtime/sandbox/v1"
	api "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/ttrpc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/events"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/note"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
)

// serve serves without containers, and gives a client.
func serve(t *testing.T, end func()) *ttrpc.Client {
	t.Helper()
	s := New("ns", events.New("", "ns", func(string) {}), func(m string) { t.Log(m) }, func() {}, end)
	server, err := ttrpc.NewServer(ttrpc.WithUnaryServerInterceptor(s.Guard))
	if err != nil {
		t.Fatal(err)
	}
	s.Register(server)
	server.RegisterService("test", &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"Panic": func(context.Context, func(any) error) (any, error) { panic("a fault of ours") },
	}})
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(context.Background(), l) }()
	t.Cleanup(func() { server.Close() })
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	client := ttrpc.NewClient(conn)
	t.Cleanup(func() { client.Close() })
	return client
}

// Every method answers, by both names, when it is asked for a container that there is not.
func TestUnknownContainer(t *testing.T) {
	client := serve(t, func() { t.Error("a shim with an unknown container ends") })
	requests := map[string]proto.Message{
		"State": &api.StateRequest{ID: "x"}, "Start": &api.StartRequest{ID: "x"}, "Delete": &api.DeleteRequest{ID: "x"},
		"Pids": &api.PidsRequest{ID: "x"}, "Pause": &api.PauseRequest{ID: "x"}, "Resume": &api.ResumeRequest{ID: "x"},
		"Kill": &api.KillRequest{ID: "x"}, "Exec": &api.ExecProcessRequest{ID: "x"}, "ResizePty": &api.ResizePtyRequest{ID: "x"},
		"CloseIO": &api.CloseIORequest{ID: "x"}, "Update": &api.UpdateTaskRequest{ID: "x"}, "Wait": &api.WaitRequest{ID: "x"},
		"Stats": &api.StatsRequest{ID: "x"}, "Checkpoint": &api.CheckpointTaskRequest{ID: "x"},
	}
	for _, name := range names {
		for method, request := range requests {
			err := client.Call(context.Background(), name, method, request, &emptypb.Empty{})
			if status.Code(err) != codes.NotFound {
				t.Errorf("%s.%s: %v", name, method, err)
			}
		}
		// Alive, containerd wants to know by this.
		var a api.ConnectResponse
		if err := client.Call(context.Background(), name, "Connect", &api.ConnectRequest{ID: "x"}, &a); err != nil || int(a.ShimPid) != os.Getpid() {
			t.Errorf("%s.Connect: %v, %v", name, &a, err)
		}
	}
}

// A bundle that can't be used leaves the id free.
func TestFailedCreate(t *testing.T) {
	client := serve(t, func() {})
	for range 2 {
		err := client.Call(context.Background(), names[0], "Create", &api.CreateTaskRequest{ID: "x", Bundle: t.TempDir()}, &api.CreateTaskResponse{})
		if status.Code(err) != codes.Unknown {
			t.Errorf("%v", err)
		}
	}
}

func TestCheckPod(t *testing.T) {
	spec := &specs.Spec{Linux: &specs.Linux{UIDMappings: []specs.LinuxIDMapping{{ContainerID: 1, HostID: 1000, Size: 10}}}}
	if err := checkPod(spec); err != nil {
		t.Errorf("no pod: %v", err)
	}
	spec.Annotations = map[string]string{"io.kubernetes.cri.sandbox-id": "pod"}
	if err := checkPod(spec); err == nil {
		t.Error("a pod without root: no error")
	}
	spec.Linux.UIDMappings[0].ContainerID = 0
	if err := checkPod(spec); err != nil {
		t.Errorf("a pod with root: %v", err)
	}
}

func TestPanicEndsOneCall(t *testing.T) {
	client := serve(t, func() {})
	err := client.Call(context.Background(), "test", "Panic", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Internal {
		t.Errorf("%v", err)
	}
	if err := client.Call(context.Background(), names[0], "Connect", &api.ConnectRequest{}, &api.ConnectResponse{}); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestShutdownWithoutContainers(t *testing.T) {
	ended := make(chan struct{})
	client := serve(t, func() { close(ended) })
	if err := client.Call(context.Background(), names[0], "Shutdown", &api.ShutdownRequest{}, &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func TestErrorCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want codes.Code
	}{
		{nil, codes.OK},
		{errors.New("x"), codes.Unknown},
		{fmt.Errorf("start: %w", libcontainer.ErrNotExist), codes.NotFound},
		{fmt.Errorf("exec: %w", libcontainer.ErrPaused), codes.FailedPrecondition},
		{&task.Error{Kind: task.AlreadyExists}, codes.AlreadyExists},
		{fmt.Errorf("exec: %w", &task.Error{Kind: task.InvalidArgument}), codes.InvalidArgument},
	} {
		if got := status.Code(answerError(c.err)); got != c.want {
			t.Errorf("%v: %s, not %s", c.err, got, c.want)
		}
	}
}

// What the shim's delete says of a dead daemon's container.
func TestCleanup(t *testing.T) {
	bundle := t.TempDir()
	a, err := Cleanup(context.Background(), "x", bundle, nil)
	if err != nil || a.ExitStatus != 137 {
		t.Errorf("before the first create: %v, %v", a, err)
	}
	n := &note.Note{Root: filepath.Join(bundle, "root"), Pid: 7, Status: 3, ExitedAt: time.Unix(100, 0)}
	if err := n.Save(bundle); err != nil {
		t.Fatal(err)
	}
	a, err = Cleanup(context.Background(), "x", bundle, nil)
	if err != nil || a.Pid != 7 || a.ExitStatus != 3 || a.ExitedAt.AsTime().Unix() != 100 {
		t.Errorf("after the exit: %v, %v", a, err)
	}
}

// Threads that a burst of blocked calls has made are given back.
func TestRestEndsThreads(t *testing.T) {
	threads := func() int {
		list, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _, _ = unix.Read(pipe[0], make([]byte, 1)) }) // takes a thread each
	}
	for threads() < 20 {
		time.Sleep(time.Millisecond)
	}
	unix.Close(pipe[1])
	all.Wait()
	for deadline := time.Now().Add(10 * time.Second); threads() > restThreads+1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads", threads())
		}
		rest()
	}
}

// After the last container nothing is made any more: the daemon would end beside it.
func TestNothingIsMadeAtTheEnd(t *testing.T) {
	ended := make(chan struct{})
	client := serve(t, func() { close(ended) })
	if err := client.Call(t.Context(), names[0], "Shutdown", &api.ShutdownRequest{}, &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	err := client.Call(t.Context(), names[0], "Create", &api.CreateTaskRequest{ID: "c", Bundle: dir}, &api.CreateTaskResponse{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("create: %v", err)
	}
	_, err = sandbox.NewTTRPCSandboxClient(client).CreateSandbox(t.Context(), &sandbox.CreateSandboxRequest{SandboxID: "p", BundlePath: dir})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("create a pod: %v", err)
	}
	<-ended
}
