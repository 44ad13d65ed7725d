package service

import (
	"context"

	"github.com/containerd/ttrpc"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
)

// names of the service. Version 3 has the methods and the messages of version 2.
var names = [...]string{"containerd.task.v2.Task", "containerd.task.v3.Task"}

// Register adds the service to a server.
func (s *Service) Register(server *ttrpc.Server) {
	desc := &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"State":      api.Method(s.state),
		"Create":     api.Method(lasting(s, s.create)),
		"Start":      api.Method(lasting(s, s.start)),
		"Delete":     api.Method(lasting(s, s.delete)),
		"Pids":       api.Method(s.pids),
		"Pause":      api.Method(s.pause),
		"Resume":     api.Method(s.resume),
		"Checkpoint": api.Method(s.checkpoint),
		"Kill":       api.Method(s.kill),
		"Exec":       api.Method(s.exec),
		"ResizePty":  api.Method(s.resizePty),
		"CloseIO":    api.Method(s.closeIO),
		"Update":     api.Method(s.update),
		"Wait":       api.Method(s.wait),
		"Stats":      api.Method(s.stats),
		"Connect":    api.Method(s.connect),
		"Shutdown":   api.Method(s.shutdown),
	}}
	for _, name := range names {
		server.RegisterService(name, desc)
	}
	s.pod.Register(server)
}

// lasting is for calls that start processes, and are not to be broken off in the middle because the
// caller has gone: it comes back, and asks.
func lasting[Q, A any](s *Service, call func(context.Context, *Q) (*A, error)) func(context.Context, *Q) (*A, error) {
	return func(ctx context.Context, q *Q) (*A, error) {
		defer s.begin()()
		return call(context.WithoutCancel(ctx), q)
	}
}
