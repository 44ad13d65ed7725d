// Package service is containerd's task service: what package task allows is done with the library.
package service

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/events"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/sandbox"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
)

const (
	// restTime after the last request, memory is given back: containers run for long, and calls
	// come in bursts.
	restTime = 300 * time.Millisecond
	// garbage is how much of the heap may be garbage from then on, in percent: there is a daemon
	// for each pod, and many of them hardly do anything.
	garbage = 50
	// restThreads are what it takes to wait. A burst of calls on a busy machine makes more.
	restThreads = 7
	// answerTime is for the answer to the last call. ttrpc's server, when it ends, does not wait
	// for it: to that, a connection with one call is idle.
	answerTime = 20 * time.Millisecond
	// settleTime is how long State waits for the end of a creation. nerdctl 2.0 asks once, when it
	// has read a container's input to its end: without an answer it never tells of that end, and
	// what reads the input never ends. containerd allows State two seconds.
	settleTime = time.Second
	// loneTime is how long a shim without a container waits for one, should containerd have died
	// between starting it and its first call.
	loneTime = 5 * time.Minute
)

// Service serves the containers of one pod.
type Service struct {
	namespace string
	events    *events.Queue
	warn      func(string)
	quit      func() // ends the daemon; may be called more than once
	rest      *time.Timer
	lone      *time.Timer
	preparing atomic.Int32 // processes that are prepared, or being so
	pod       *sandbox.Service

	mu         sync.Mutex
	containers map[string]*container
	last       *remains                // of the container after which there was none
	over       bool                    // there is none, and the daemon ends
	sweeping   bool                    // sweep is about to be called
	lasting    map[*time.Time]struct{} // when the calls that may start processes have begun
}

// New is the service of a namespace's shim. When its last container is gone it calls unlisten,
// after which nobody new comes, and then end.
func New(namespace string, q *events.Queue, warn func(string), unlisten, end func()) *Service {
	s := &Service{namespace: namespace, events: q, warn: warn, containers: make(map[string]*container), lasting: make(map[*time.Time]struct{})}
	s.quit = sync.OnceFunc(func() {
		unlisten()
		s.mu.Lock()
		last := s.last
		s.mu.Unlock()
		last.save()
		time.AfterFunc(answerTime, end)
	})
	s.pod = sandbox.New(sandbox.Host{Namespace: namespace, Warn: warn, Begin: s.beginPod, Gone: s.departed, Quit: s.quitIfEmpty})
	s.rest = time.AfterFunc(restTime, rest)
	s.lone = time.AfterFunc(loneTime, s.quitIfEmpty)
	return s
}

// quitIfEmpty ends the daemon if there is nothing in it. Nothing is made any more from then on: it
// would be left without a daemon.
func (s *Service) quitIfEmpty() {
	s.mu.Lock()
	s.over = s.over || s.lastGone()
	over := s.over
	s.mu.Unlock()
	if over {
		s.quit()
	}
}

// mayMake refuses, with the lock held, what would be left by a daemon that ends.
func (s *Service) mayMake() error {
	if s.over {
		return status.Error(codes.Unavailable, "this shim has had its last container, and ends")
	}
	return nil
}

// rest gives memory and threads back.
func rest() {
	threads, _ := os.ReadDir("/proc/self/task")
	for range len(threads) - restThreads {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			// Go keeps its threads for ever, but for that of a goroutine which ends locked to it.
			runtime.LockOSThread()
		}()
		<-ended
	}
	debug.SetGCPercent(garbage)
	debug.FreeOSMemory()
}

// sweepLater has ended containers looked after, by one timer for all of them.
func (s *Service) sweepLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sweeping {
		s.sweeping = true
		time.AfterFunc(loneTime, s.sweep)
	}
}

// sweep forgets containers that somebody else has removed after their end: containerd has the
// shim's delete do so when a call of its own took too long, and does not tell the daemon.
func (s *Service) sweep() {
	again := false
	s.mu.Lock()
	s.sweeping = false
	for id, c := range s.containers {
		switch {
		case !c.made || !c.ended():
		case c.removedBySomebody():
			delete(s.containers, id)
		default:
			again = true
		}
	}
	s.mu.Unlock()
	if again {
		s.sweepLater()
	}
	s.quitIfEmpty()
}

// lastGone reports, with the lock held, whether there is neither a container nor a pod that may
// get one.
func (s *Service) lastGone() bool { return len(s.containers) == 0 && !s.pod.Exists() }

// Guard is around every call. What the caller has begun is done even if the connection ends, and a
// fault of ours in one call does not end the containers of the others.
func (s *Service) Guard(ctx context.Context, u ttrpc.Unmarshaler, info *ttrpc.UnaryServerInfo, m ttrpc.Method) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "panic in %s: %v\n%s", info.FullMethod, p, debug.Stack())
			err = status.Errorf(codes.Internal, "%s: panic: %v", info.FullMethod, p)
		}
		s.rest.Reset(restTime)
		s.lone.Reset(loneTime)
	}()
	answer, err = m(ctx, u)
	return answer, answerError(err)
}

// begin notes a call that may start processes, until end is called.
func (s *Service) begin() (end func()) {
	now := time.Now()
	s.mu.Lock()
	s.lasting[&now] = struct{}{}
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		delete(s.lasting, &now)
		s.mu.Unlock()
	}
}

// beginPod is begin for the call that makes the pod.
func (s *Service) beginPod() (end func(), err error) {
	s.mu.Lock()
	err = s.mayMake()
	s.mu.Unlock()
	return s.begin(), err
}

// Owns reports whether a child that has ended, and was seen so at a time, is or may be one that the
// service waits for: a container's, or that of a call which was under way by then.
func (s *Service) Owns(pid int, seen time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for began := range s.lasting {
		if began.Before(seen) {
			return true
		}
	}
	for _, c := range s.containers {
		if c.owns(pid) {
			return true
		}
	}
	return s.pod.Owns(pid)
}

// settle waits for a creation that is under way, but not for long.
func (s *Service) settle(ctx context.Context, id string) {
	s.mu.Lock()
	c := s.containers[id]
	made := c == nil || c.made
	s.mu.Unlock()
	if made {
		return
	}
	select {
	case <-c.settled:
	case <-ctx.Done():
	case <-time.After(settleTime):
	}
}

// find gives a container that has been created.
func (s *Service) find(id string) (*container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	if c == nil || !c.made {
		return nil, &task.Error{Kind: task.NotFound, Text: "container " + id + " does not exist"}
	}
	return c, nil
}

// reserve makes an id ours.
func (s *Service) reserve(c *container) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayMake(); err != nil {
		return err
	}
	if s.containers[c.id] != nil {
		return &task.Error{Kind: task.AlreadyExists, Text: "container " + c.id + " exists already"}
	}
	s.containers[c.id] = c
	return nil
}

func (s *Service) forget(c *container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.containers, c.id)
}
