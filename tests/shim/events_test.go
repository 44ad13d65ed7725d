package shim

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	taskevents "github.com/containerd/containerd/api/events"
	api "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// event is what the tests look at of one: "exit c1/exec", with the status of an exit.
type event struct {
	topic     string
	container string
	process   string // empty for the init
	status    uint32
	restored  bool // of a creation: there is nothing of it before its start
}

// events is containerd's service for events. It checks their order.
type events struct {
	address string

	mu   sync.Mutex
	all  []event
	news chan struct{} // closed with the next one
}

func listenForEvents(t testing.TB, path string) *events {
	t.Helper()
	e := &events{address: path, news: make(chan struct{})}
	server, err := ttrpc.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	api.RegisterTTRPCEventsService(server, e)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		server.Close()
		if err := checkOrder(e.list()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// Forward takes an event from the shim.
func (e *events) Forward(_ context.Context, r *api.ForwardRequest) (*emptypb.Empty, error) {
	n, err := decode(r.Envelope.Topic, r.Envelope.Event.GetValue())
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, n)
	close(e.news)
	e.news = make(chan struct{})
	return &emptypb.Empty{}, nil
}

func decode(topic string, value []byte) (event, error) {
	n := event{topic: strings.TrimPrefix(topic, "/tasks/")}
	var m interface {
		proto.Message
		GetContainerID() string
	}
	switch n.topic {
	case "create":
		m = &taskevents.TaskCreate{}
	case "start":
		m = &taskevents.TaskStart{}
	case "exit":
		m = &taskevents.TaskExit{}
	case "delete":
		m = &taskevents.TaskDelete{}
	case "exec-added":
		m = &taskevents.TaskExecAdded{}
	case "exec-started":
		m = &taskevents.TaskExecStarted{}
	case "paused":
		m = &taskevents.TaskPaused{}
	case "resumed":
		m = &taskevents.TaskResumed{}
	case "checkpointed":
		m = &taskevents.TaskCheckpointed{}
	case "oom":
		m = &taskevents.TaskOOM{}
	default:
		return n, fmt.Errorf("unknown topic %s", topic)
	}
	if err := proto.Unmarshal(value, m); err != nil {
		return n, err
	}
	n.container = m.GetContainerID()
	switch m := m.(type) {
	case *taskevents.TaskCreate:
		n.restored = m.Checkpoint != ""
	case *taskevents.TaskExit:
		n.status = m.ExitStatus
		if m.ID != m.ContainerID {
			n.process = m.ID
		}
	case *taskevents.TaskExecAdded:
		n.process = m.ExecID
	case *taskevents.TaskExecStarted:
		n.process = m.ExecID
	}
	return n, nil
}

func (e *events) list() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// await waits until an event has come.
func (e *events) await(t testing.TB, topic, container, process string) event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	for {
		e.mu.Lock()
		news := e.news
		i := slices.IndexFunc(e.all, func(n event) bool { return n.topic == topic && n.container == container && n.process == process })
		if i >= 0 {
			defer e.mu.Unlock()
			return e.all[i]
		}
		e.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			t.Fatalf("no event %s of %s %s in %v", topic, container, process, e.list())
		}
	}
}

// checkOrder holds events against what containerd relies on: create, start, exit, delete; of a
// further process exec-added, exec-started, exit; nothing twice; and the init's exit is the last of
// its container.
func checkOrder(all []event) error {
	type process struct{ container, id string }
	stage := make(map[process]int)
	over := make(map[string]bool) // the init's exit is told
	restored := make(map[string]bool)
	for i, n := range all {
		p := process{n.container, n.process}
		next := 0
		switch n.topic {
		case "create", "exec-added":
			next = 1
		case "start", "exec-started":
			next = 2
		case "exit":
			next = 3
		case "delete":
			next = 4
		default:
			if over[n.container] {
				return fmt.Errorf("event %d, %v, comes after the init's exit", i, n)
			}
			continue
		}
		if n.topic == "create" {
			restored[n.container] = n.restored
		}
		// A created container that is killed has no start, and one that was not restored no exit.
		// Nobody tells when the id of a further process is free again.
		last := stage[p]
		legal := next == 1 && last == 3 && n.process != "" || next == 3 && last == 1 && n.process == "" ||
			next == 4 && last == 1 && restored[n.container]
		if last != next-1 && !legal {
			return fmt.Errorf("event %d, %v, comes at stage %d of its process, in %v", i, n, last, all[max(0, i-20):i])
		}
		if n.topic == "exit" && over[n.container] {
			return fmt.Errorf("event %d, %v, comes after the init's exit", i, n)
		}
		stage[p] = next
		if n.topic == "exit" && n.process == "" {
			over[n.container] = true
		}
		if n.topic == "delete" {
			// The id may be used again.
			for q := range stage {
				if q.container == n.container {
					delete(stage, q)
				}
			}
			delete(over, n.container)
		}
	}
	return nil
}

func TestOrderChecker(t *testing.T) {
	create, start, exit := event{topic: "create", container: "c"}, event{topic: "start", container: "c"}, event{topic: "exit", container: "c"}
	added, started, ended := event{"exec-added", "c", "x", 0, false}, event{"exec-started", "c", "x", 0, false}, event{"exit", "c", "x", 0, false}
	for _, good := range [][]event{
		{create, start, exit, {topic: "delete", container: "c"}, create},
		{create, start, added, started, ended, exit},
		{create, exit},
		{{topic: "create", container: "c", restored: true}, {topic: "delete", container: "c"}},
	} {
		if err := checkOrder(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range [][]event{
		{start}, {create, create}, {create, {topic: "delete", container: "c"}}, {create, exit, start}, {create, start, exit, exit}, {create, start, added, started, exit, ended},
		{create, start, added, ended}, {create, start, exit, {topic: "oom", container: "c"}},
	} {
		if checkOrder(bad) == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}
