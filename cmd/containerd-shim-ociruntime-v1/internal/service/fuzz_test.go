package service

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/events"
)

// headerLen is that of ttrpc's frames: length, stream, type, flags.
const headerLen = 10

// frame is a message as it is on the socket.
func frame(stream uint32, kind, flags byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(append(b, kind, flags), payload...)
}

// call is the frame of a call.
func call(stream uint32, method string, m proto.Message) []byte {
	payload, _ := proto.Marshal(m)
	request, _ := proto.Marshal(&ttrpc.Request{Service: names[1], Method: method, Payload: payload, TimeoutNano: int64(time.Second)})
	return frame(stream, 1, 0, request)
}

func fuzzSeeds() (seeds [][]byte) {
	process := &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", Value: []byte(`{"args":["a"],"cwd":"/"}`)}
	for method, m := range map[string]proto.Message{
		"State": &api.StateRequest{ID: "x", ExecID: "y"}, "Create": &api.CreateTaskRequest{ID: "x", Bundle: "/nowhere", Options: process},
		"Exec": &api.ExecProcessRequest{ID: "x", ExecID: "y", Spec: process}, "Update": &api.UpdateTaskRequest{ID: "x", Resources: process},
		"Kill": &api.KillRequest{ID: "x", Signal: 1 << 31}, "ResizePty": &api.ResizePtyRequest{Width: 1 << 31}, "Nothing": &api.StatsRequest{},
	} {
		whole := call(1, method, m)
		seeds = append(seeds, whole, whole[:len(whole)/2], append(whole, whole...))
	}
	garbage := bytes.Repeat([]byte{0xff}, 100)
	tooLong := frame(1, 1, 0, nil)
	binary.BigEndian.PutUint32(tooLong, 1<<31)
	return append(seeds, nil, garbage, frame(1, 1, 0, garbage), tooLong, frame(2, 1, 0, nil), frame(1, 2, 0, nil), frame(1, 3, 0, garbage),
		frame(1, 9, 0xff, nil), call(1, "State", nil)[:headerLen-1])
}

// Bytes from the socket are answered with nothing but errors, and never with a panic.
func FuzzSocket(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s)
	}
	s := New("ns", events.New("", "ns", func(string) {}), func(string) {}, func() {}, func() {})
	server, err := ttrpc.NewServer(ttrpc.WithUnaryServerInterceptor(s.Guard))
	if err != nil {
		f.Fatal(err)
	}
	s.Register(server)
	path := filepath.Join(f.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		f.Fatal(err)
	}
	go func() { _ = server.Serve(context.Background(), l) }()
	f.Cleanup(func() { server.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		// How many answers there will be, nobody can know.
		send(t, path, data, 3*time.Millisecond, 1<<30)
		// And it is still there for others.
		got := send(t, path, call(1, "Connect", &api.ConnectRequest{ID: "x"}), time.Minute, 1)
		if len(got) != 1 || got[0].Status.GetCode() != int32(codes.OK) {
			t.Errorf("Connect: %v", got)
		}
	})
}

// send sends bytes on a connection of their own, and reads what comes back: a number of answers, or
// all within a time.
func send(t *testing.T, path string, data []byte, patience time.Duration, number int) (all []*ttrpc.Response) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(data) // it may be hung up on before the end
	for len(all) < number {
		head := make([]byte, headerLen)
		if _, err := io.ReadFull(conn, head); err != nil {
			break
		}
		payload := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(conn, payload); err != nil {
			break
		}
		a := &ttrpc.Response{}
		if err := proto.Unmarshal(payload, a); err != nil {
			t.Fatalf("answer %q: %v", payload, err)
		}
		if strings.Contains(a.Status.GetMessage(), "panic") {
			t.Fatal(a.Status)
		}
		all = append(all, a)
	}
	return all
}
