package service

import (
	"context"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/ttrpc"
)

// names of the service. Version 3 has the methods and the messages of version 2; containerd's
// package for it would bring all of gRPC and of net/http along.
var names = [...]string{"containerd.task.v2.Task", "containerd.task.v3.Task"}

// Register adds the service to a server.
func (s *Service) Register(server *ttrpc.Server) {
	desc := &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"State":      method(s.state),
		"Create":     method(lasting(s, s.create)),
		"Start":      method(lasting(s, s.start)),
		"Delete":     method(lasting(s, s.delete)),
		"Pids":       method(s.pids),
		"Pause":      method(s.pause),
		"Resume":     method(s.resume),
		"Checkpoint": method(s.checkpoint),
		"Kill":       method(s.kill),
		"Exec":       method(s.exec),
		"ResizePty":  method(s.resizePty),
		"CloseIO":    method(s.closeIO),
		"Update":     method(s.update),
		"Wait":       method(s.wait),
		"Stats":      method(s.stats),
		"Connect":    method(s.connect),
		"Shutdown":   method(s.shutdown),
	}}
	var _ api.TTRPCTaskService // whose methods these are
	for _, name := range names {
		server.RegisterService(name, desc)
	}
}

func method[Q, A any](call func(context.Context, *Q) (*A, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		var q Q
		if err := unmarshal(&q); err != nil {
			return nil, err
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
