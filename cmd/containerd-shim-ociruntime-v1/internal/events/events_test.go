package events

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	events "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
)

// receiver is a containerd that refuses some of the events.
type receiver struct {
	mu     sync.Mutex
	got    []string
	refuse int
	done   chan struct{}
	want   int
}

func (r *receiver) Forward(ctx context.Context, req *events.ForwardRequest) (*emptypb.Empty, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.Envelope.Topic == "bad" {
		return nil, status.Error(codes.InvalidArgument, "bad")
	}
	if r.refuse > 0 {
		r.refuse--
		return nil, errors.New("not now")
	}
	ns, _ := ttrpc.GetMetadataValue(ctx, "containerd-namespace-ttrpc")
	r.got = append(r.got, ns+" "+req.Envelope.Topic+" "+req.Envelope.Event.TypeUrl)
	if len(r.got) == r.want {
		close(r.done)
	}
	return &emptypb.Empty{}, nil
}

// What happens while containerd is away is told when it is back, in order and once. What it can't
// take is not in the way of the others.
func TestOrderIsKept(t *testing.T) {
	const count = 50
	path := filepath.Join(t.TempDir(), "s")
	lost := 0
	q := New(path, "ns", func(string) { lost++ })
	q.Send("/tasks/large", "containerd.events.TaskOOM", &api.TaskOOM{ContainerId: strings.Repeat("c", 5<<20)})
	q.Send("bad", "containerd.events.TaskOOM", &api.TaskOOM{})
	for i := range count {
		q.Send(fmt.Sprint("/tasks/", i), "containerd.events.TaskOOM", &api.TaskOOM{ContainerId: "c"})
	}
	r := &receiver{refuse: 3, want: count, done: make(chan struct{})}
	server, err := ttrpc.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	events.RegisterTTRPCEventsService(server, r)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(context.Background(), l) }()
	t.Cleanup(func() { server.Close() })
	<-r.done
	q.Flush(time.Minute)
	if lost != 2 {
		t.Errorf("%d events were given up, not the two that nobody can take", lost)
	}
	for i, got := range r.got {
		if want := fmt.Sprintf("ns /tasks/%d containerd.events.TaskOOM", i); got != want {
			t.Fatalf("event %d: %s, not %s", i, got, want)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	lost := 0
	q := New(filepath.Join(t.TempDir(), "nobody"), "ns", func(string) { lost++ })
	for range most + 100 {
		q.Send("/tasks/x", "containerd.events.TaskOOM", &api.TaskOOM{})
	}
	// One more may be in the sender's hand.
	if lost < 99 || lost > 100 {
		t.Errorf("%d events were given up", lost)
	}
	q.Flush(time.Millisecond)
}
