package service

import (
	"context"
	"fmt"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/stdio"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// exec only notes what is to be executed.
func (s *Service) exec(_ context.Context, r *api.ExecProcessRequest) (*api.Empty, error) {
	c, err := s.find(r.Id)
	if err != nil {
		return nil, err
	}
	spec, _, err := load.ParseProcess(r.GetSpec().GetValue())
	if err != nil {
		return nil, &task.Error{Kind: task.InvalidArgument, Text: err.Error()}
	}
	spec.Terminal = r.Terminal
	p := &process{spec: spec, streams: c.streams(r.ExecId, r.Stdin, r.Stdout, r.Stderr, r.Terminal)}
	return &api.Empty{}, c.with(func(m *task.Machine) error {
		err := m.AddExec(r.ExecId)
		if err == nil {
			c.processes[r.ExecId] = p
			c.prepare(m, p)
		}
		return err
	})
}

func (s *Service) start(ctx context.Context, r *api.StartRequest) (*api.StartResponse, error) {
	c, err := s.find(r.Id)
	if err != nil {
		return nil, err
	}
	if err := c.with(func(m *task.Machine) error { return m.Start(r.ExecId) }); err != nil {
		return nil, err
	}
	var pid int
	if r.ExecId == "" {
		pid, err = c.startInit(ctx)
	} else {
		pid, err = c.startExec(ctx, r.ExecId)
	}
	_ = c.with(func(m *task.Machine) error { m.Started(r.ExecId, pid, err == nil); return nil })
	if err != nil {
		return nil, err
	}
	return &api.StartResponse{Pid: uint32(pid)}, nil
}

func (c *container) startInit(ctx context.Context) (int, error) {
	if c.restoring != nil {
		return c.restoreInit(ctx)
	}
	lc, err := c.load()
	if err == nil {
		err = lc.Start(ctx, "")
	}
	if err != nil {
		return 0, fmt.Errorf("OCI runtime start failed: %w", err)
	}
	return c.process("").running.Pid, nil
}

func (c *container) startExec(ctx context.Context, id string) (int, error) {
	p := c.process(id)
	running, err := c.launch(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("OCI runtime exec failed: exec failed: %w", err)
	}
	c.mu.Lock()
	p.running = running
	c.mu.Unlock()
	go c.watch(id, running)
	return running.Pid, nil
}

func (c *container) launch(ctx context.Context, p *process) (*libcontainer.Process, error) {
	if ready := p.ahead.take(); ready != nil {
		defer ready.Close()
		opened, err := c.open(p)
		if err != nil {
			return nil, err
		}
		defer opened.Launched()
		return ready.Exec(ctx, opened.Files)
	}
	lc, err := c.load()
	if err != nil {
		return nil, err
	}
	its, err := c.configuration(lc)
	if err != nil {
		return nil, err
	}
	if _, err := check.Process(p.spec, its.spec, c.checks()); err != nil {
		return nil, err
	}
	opened, err := c.open(p)
	if err != nil {
		return nil, err
	}
	defer opened.Launched()
	o := p.options(p.given(), its)
	return lc.Exec(ctx, &o)
}

func (p *process) options(given libcontainer.ProcessOptions, its *known) libcontainer.ExecOptions {
	return libcontainer.ExecOptions{ProcessOptions: given, Process: p.spec, Config: its.spec, Filter: its.filter}
}

// open opens the streams of a further process.
func (c *container) open(p *process) (*stdio.Streams, error) {
	opened, err := stdio.Open(&p.streams)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	err = p.open(opened)
	c.mu.Unlock()
	if err != nil {
		opened.Launched()
		return nil, err
	}
	return opened, nil
}
