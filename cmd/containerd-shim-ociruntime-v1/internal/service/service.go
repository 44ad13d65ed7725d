// Package service is containerd's task service: what package task allows is done with the library.
package service

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/events"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
)

const (
	// restTime after the last request, memory is given back: containers run for long, and calls
	// come in bursts.
	restTime = 300 * time.Millisecond
	// loneTime is how long a shim without a container waits for one, should containerd have died
	// between starting it and its first call.
	loneTime = 5 * time.Minute
)

// Service serves the containers of one pod.
type Service struct {
	namespace string
	events    *events.Queue
	warn      func(string)
	end       func() // ends the daemon; may be called more than once
	rest      *time.Timer
	lone      *time.Timer

	mu         sync.Mutex
	containers map[string]*container
}

// New is the service of a namespace's shim. end is called when its last container is gone.
func New(namespace string, q *events.Queue, warn func(string), end func()) *Service {
	s := &Service{namespace: namespace, events: q, warn: warn, end: end, containers: make(map[string]*container)}
	s.rest = time.AfterFunc(restTime, debug.FreeOSMemory)
	s.lone = time.AfterFunc(loneTime, func() {
		if s.empty() {
			end()
		}
	})
	return s
}

// sweep forgets containers that somebody else has removed after their end: containerd has the
// shim's delete do so when a call of its own took too long, and does not tell the daemon.
func (s *Service) sweep() {
	s.mu.Lock()
	for id, c := range s.containers {
		if c.made && c.removedBySomebody() {
			delete(s.containers, id)
		}
	}
	s.mu.Unlock()
	if s.empty() {
		s.end()
	}
}

func (s *Service) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.containers) == 0
}

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
