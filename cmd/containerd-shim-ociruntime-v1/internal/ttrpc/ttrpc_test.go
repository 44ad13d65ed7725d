package ttrpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	containerd "github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// patience is more than anything takes here.
const patience = time.Minute

// text is wrapperspb.StringValue.
type text struct {
	Value string `pb:"1"`
}

// answers is a handler with a method for each kind of answer.
func answers(ctx context.Context, service, method string, payload []byte) (any, error) {
	switch method {
	case "Echo":
		var v wrapperspb.StringValue
		err := proto.Unmarshal(payload, &v)
		return &text{v.Value}, err
	case "Refuse":
		return nil, fmt.Errorf("wrapped: %w", &Error{NotFound, "no \xff such thing"})
	case "Fail":
		return nil, errors.New("a fault")
	case "Large":
		return &text{strings.Repeat("x", maxBody)}, nil
	case "Wait":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, &Error{Unimplemented, service + "." + method}
}

// serve gives a connection to a server.
func serve(t testing.TB, s *Server) net.Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func anybody(*unix.Ucred) error { return nil }

// containerd's own client gets what it asks for, and errors of their kind.
func TestServerForContainerd(t *testing.T) {
	client := containerd.NewClient(serve(t, NewServer(anybody, answers)))
	call := func(method string, patience time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var v wrapperspb.StringValue
		err := client.Call(ctx, "a.Service", method, wrapperspb.String("ä"), &v)
		return v.Value, err
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got, err := call("Echo", patience); got != "ä" || err != nil {
				t.Errorf("echo: %q, %v", got, err)
			}
		})
	}
	all.Wait()
	for method, want := range map[string]struct {
		code codes.Code
		text string
	}{
		"Refuse": {codes.NotFound, "wrapped: no \uFFFD such thing"}, "Fail": {codes.Unknown, "a fault"},
		"Large": {codes.ResourceExhausted, "more than 4194304 bytes"}, "None": {codes.Unimplemented, "a.Service.None"},
	} {
		if _, err := call(method, patience); grpcstatus.Code(err) != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v, not %s: %s", method, err, want.code, want.text)
		}
	}
	if _, err := call("Wait", 10*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) && grpcstatus.Code(err) != codes.DeadlineExceeded {
		t.Errorf("wait: %v", err)
	}
}

// exchange sends a frame and reads the answer.
func exchange(t *testing.T, conn net.Conn, stream uint32, kind byte, body []byte) (uint32, Code) {
	t.Helper()
	head := make([]byte, headSize)
	binary.BigEndian.PutUint32(head, uint32(len(body)))
	binary.BigEndian.PutUint32(head[streamAt:], stream)
	head[typeAt] = kind
	if _, err := conn.Write(append(head, body...)); err != nil {
		t.Fatal(err)
	}
	c := NewClient(conn)
	f, err := readFrame(c.r)
	if err != nil {
		t.Fatal(err)
	}
	var r containerd.Response
	if err := proto.Unmarshal(f.body, &r); err != nil || f.kind != typeResponse {
		t.Fatalf("%+v: %v", f, err)
	}
	return f.stream, Code(r.GetStatus().GetCode())
}

// Frames that break the rules are refused, and the connection is good for more.
func TestBrokenFrames(t *testing.T) {
	conn := serve(t, NewServer(anybody, answers))
	echo, err := proto.Marshal(&containerd.Request{Service: "s", Method: "Echo"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		stream uint32
		kind   byte
		body   []byte
		want   Code
	}{
		{"a call", 5, typeRequest, echo, OK},
		{"an even number", 6, typeRequest, echo, InvalidArgument},
		{"the same number", 5, typeRequest, echo, InvalidArgument},
		{"a smaller number", 3, typeRequest, echo, InvalidArgument},
		{"more data", 5, typeData, nil, InvalidArgument},
		{"garbage", 7, typeRequest, []byte("\xff\xff"), InvalidArgument},
		{"too much", 9, typeRequest, make([]byte, maxBody+1), ResourceExhausted},
		{"a call after all", 11, typeRequest, echo, OK},
	} {
		if stream, got := exchange(t, conn, c.stream, c.kind, c.body); stream != c.stream || got != c.want {
			t.Errorf("%s: code %d of call %d, not %d of %d", c.name, got, stream, c.want, c.stream)
		}
	}
}

// Who is not welcome gets no answer.
func TestUnwelcome(t *testing.T) {
	conn := serve(t, NewServer(func(c *unix.Ucred) error {
		return fmt.Errorf("user %d", c.Uid)
	}, answers))
	client := NewClient(conn)
	err := client.Call(patience, "s", "Echo", "", "", &text{"x"}, &text{})
	if err == nil || errors.As(err, new(*Error)) {
		t.Errorf("%v", err)
	}
}

// The end of a connection ends what waits for it, and Shutdown waits for answers.
func TestEnds(t *testing.T) {
	begun, over := make(chan struct{}), make(chan struct{})
	release := make(chan struct{})
	s := NewServer(anybody, func(ctx context.Context, _, method string, _ []byte) (any, error) {
		if method == "Slow" {
			close(begun)
			<-release
			return &text{"late"}, nil
		}
		defer close(over)
		return answers(ctx, "", method, nil)
	})
	conn := serve(t, s)
	if _, err := conn.Write([]byte("\x00\x00\x00\x06\x00\x00\x00\x01\x01\x00\x12\x04Wait")); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-over
	other, err := net.Dial("unix", conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	got := make(chan string)
	go func() {
		var a text
		err := NewClient(other).Call(patience, "s", "Slow", "", "", &text{}, &a)
		got <- fmt.Sprint(a.Value, err)
	}()
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before the answer: %v", err)
	}
	close(release)
	if err := s.Shutdown(context.Background()); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the answer: %v", err)
	}
	if a := <-got; a != "late<nil>" {
		t.Errorf("%q", a)
	}
}

// Our client with containerd's own server: metadata, answers, errors.
func TestClientForContainerd(t *testing.T) {
	server, err := containerd.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	server.RegisterService("a.Service", &containerd.ServiceDesc{Methods: map[string]containerd.Method{
		"Echo": func(ctx context.Context, unmarshal func(any) error) (any, error) {
			var v wrapperspb.StringValue
			if err := unmarshal(&v); err != nil {
				return nil, err
			}
			name, _ := containerd.GetMetadataValue(ctx, "name")
			return wrapperspb.String(name + v.Value), nil
		},
		"Refuse": func(context.Context, func(any) error) (any, error) {
			return nil, grpcstatus.Error(codes.FailedPrecondition, "not now")
		},
	}})
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(context.Background(), l) }()
	defer server.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(conn)
	for range 3 {
		var a text
		if err := client.Call(patience, "a.Service", "Echo", "name", "value", &text{strings.Repeat("x", 10_000)}, &a); err != nil || len(a.Value) != 10_005 {
			t.Errorf("%.10q, %v", a.Value, err)
		}
		var refusal *Error
		if err := client.Call(patience, "a.Service", "Refuse", "", "", &text{}, &text{}); !errors.As(err, &refusal) || refusal.Code != FailedPrecondition || refusal.Text != "not now" {
			t.Errorf("%v", err)
		}
	}
	client.Close()
	if err := client.Call(patience, "a.Service", "Echo", "", "", &text{}, &text{}); err == nil {
		t.Error("after the end: no error")
	}
}
