// Package events tells containerd what has happened, in the order in which it happened.
package events

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
)

const (
	// most is how many events wait for a containerd that is away. Of more, the oldest are lost.
	most = 10_000
	// callTime is how long containerd may take for one.
	callTime = 5 * time.Second
	// firstPause and lastPause are between attempts to reach it.
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// Queue has one sender, and an event is sent again until containerd has it, before the next: so
// their order is kept while containerd is restarted.
type Queue struct {
	namespace string
	dial      func() (net.Conn, error)
	warn      func(string)

	mu      sync.Mutex
	waiting []*api.Envelope
	busy    bool          // the sender is at work
	idle    chan struct{} // closed whenever it is not
	client  *ttrpc.Client // of the sender
}

// New is the queue of a namespace. Without an address there is nobody to tell.
func New(address, namespace string, warn func(string)) *Queue {
	q := &Queue{namespace: namespace, warn: warn, idle: make(chan struct{})}
	close(q.idle)
	if address != "" {
		q.dial = func() (net.Conn, error) { return net.DialTimeout("unix", address, callTime) }
	}
	return q
}

// Send puts an event, with the name of its type, into the queue. It never waits.
func (q *Queue) Send(topic, name string, event api.Message) {
	packed, err := api.Pack(name, event)
	if err != nil {
		q.warn(fmt.Sprintf("event %s is lost: %v", topic, err))
		return
	}
	if q.dial == nil {
		return
	}
	e := &api.Envelope{Timestamp: api.Stamp(time.Now()), Namespace: q.namespace, Topic: topic, Event: packed}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == most {
		q.warn(fmt.Sprintf("event %s is lost: containerd has not taken %d events", q.waiting[0].Topic, most))
		q.waiting = q.waiting[1:]
	}
	q.waiting = append(q.waiting, e)
	if !q.busy {
		// No goroutine stays behind when there is nothing to send.
		q.busy, q.idle = true, make(chan struct{})
		go q.send()
	}
}

// Flush waits until everything is sent, or the time is over.
func (q *Queue) Flush(patience time.Duration) {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-idle:
	case <-late.C:
	}
}

// next takes the event to be sent, and says when there is none.
func (q *Queue) next() *api.Envelope {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.waiting, q.busy = nil, false
		close(q.idle)
		return nil
	}
	e := q.waiting[0]
	q.waiting = q.waiting[1:]
	return e
}

func (q *Queue) send() {
	for {
		e := q.next()
		if e == nil {
			return
		}
		pause := firstPause
		for err := q.forward(e); err != nil; err = q.forward(e) {
			if hopeless(err) {
				q.warn(fmt.Sprintf("event %s is lost: %v", e.Topic, err))
				break
			}
			time.Sleep(pause)
			pause = min(2*pause, lastPause)
		}
	}
}

// hopeless says of an error that it comes again however often an event is sent, which must not keep
// those behind it: the event is too large for ttrpc, or makes no sense to containerd.
func hopeless(err error) bool {
	code := status.Code(err)
	return code == codes.ResourceExhausted || code == codes.InvalidArgument
}

// forward makes one attempt. A connection that has failed is not used again.
func (q *Queue) forward(e *api.Envelope) error {
	if q.client == nil {
		conn, err := q.dial()
		if err != nil {
			return err
		}
		q.client = ttrpc.NewClient(conn)
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	ctx = ttrpc.WithMetadata(ctx, ttrpc.MD{"containerd-namespace-ttrpc": {q.namespace}})
	err := api.Call(ctx, q.client, "containerd.services.events.ttrpc.v1.Events", "Forward", &api.ForwardRequest{Envelope: e}, &api.Empty{})
	if err != nil {
		q.client.Close()
		q.client = nil
	}
	return err
}
