package service

import (
	"context"
	"slices"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/ttrpc"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/wire"
)

// names of the service. Version 3 has the methods and the messages of version 2.
var names = [...]string{"containerd.task.v2.Task", "containerd.task.v3.Task"}

// method answers a request.
type method func(ctx context.Context, payload []byte) (answer any, err error)

// method gives a method of a service, or nil.
func (s *Service) method(service, name string) method {
	if !slices.Contains(names[:], service) {
		return nil
	}
	switch name {
	case "State":
		return ready(s.state)
	case "Create":
		return ready(lasting(s, s.create))
	case "Start":
		return ready(lasting(s, s.start))
	case "Delete":
		return ready(lasting(s, s.delete))
	case "Pids":
		return ready(s.pids)
	case "Pause":
		return ready(s.pause)
	case "Resume":
		return ready(s.resume)
	case "Checkpoint":
		return ready(s.checkpoint)
	case "Kill":
		return ready(s.kill)
	case "Exec":
		return ready(s.exec)
	case "ResizePty":
		return ready(s.resizePty)
	case "CloseIO":
		return ready(s.closeIO)
	case "Update":
		return ready(s.update)
	case "Wait":
		return ready(s.wait)
	case "Stats":
		return ready(s.stats)
	case "Connect":
		return ready(s.connect)
	case "Shutdown":
		return ready(s.shutdown)
	}
	return nil
}

// ready reads the request of a call.
func ready[Q, A any](call func(context.Context, *Q) (*A, error)) method {
	return func(ctx context.Context, payload []byte) (any, error) {
		var q Q
		if err := wire.Unmarshal(payload, &q); err != nil {
			return nil, &ttrpc.Error{Code: ttrpc.InvalidArgument, Text: "the request: " + err.Error()}
		}
		return call(ctx, &q)
	}
}

// lasting is for calls that start processes, and are not to be broken off in the middle because the
// caller has gone: it comes back, and asks.
func lasting[Q, A any](s *Service, call func(context.Context, *Q) (*A, error)) func(context.Context, *Q) (*A, error) {
	return func(ctx context.Context, q *Q) (*A, error) {
		defer s.begin()()
		return call(context.WithoutCancel(ctx), q)
	}
}
