package service

import (
	"context"
	"errors"
	"os"
	"weak"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/runc"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/metrics"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// Most calls are about a process, the container's init or a further one, and nothing but its state;
// the others are about the container, and made by the library.

// process calls do with a process that exists, and the container's lock held.
func (s *Service) process(id, execID string, do func(c *container, p *process, v task.View) error) error {
	c, err := s.find(id)
	if err != nil {
		return err
	}
	return c.with(func(m *task.Machine) error {
		v, err := m.State(execID)
		if err != nil {
			return err
		}
		return do(c, c.processes[execID], v)
	})
}

// container calls do with a container that exists, unless allow says no.
func (s *Service) container(id string, allow func(*task.Machine) error, do func(*container, *libcontainer.Container) error) error {
	c, err := s.find(id)
	if err != nil {
		return err
	}
	if allow != nil {
		if err := c.with(allow); err != nil {
			return err
		}
	}
	lc, err := c.load()
	if err != nil {
		return err
	}
	return do(c, lc)
}

func (s *Service) state(ctx context.Context, r *api.StateRequest) (*api.StateResponse, error) {
	s.settle(ctx, r.Id)
	a := &api.StateResponse{Id: r.Id, ExecId: r.ExecId}
	return a, s.process(r.Id, r.ExecId, func(c *container, p *process, v task.View) error {
		a.Bundle = c.bundle
		a.Stdin, a.Stdout, a.Stderr, a.Terminal = p.streams.Stdin, p.streams.Stdout, p.streams.Stderr, p.streams.Terminal
		a.Pid, a.Status = uint32(v.Pid), api.Status(v.Status)
		a.ExitStatus, a.ExitedAt = v.End.Status, api.Stamp(v.End.At)
		return nil
	})
}

func (s *Service) wait(ctx context.Context, r *api.WaitRequest) (*api.WaitResponse, error) {
	var over <-chan struct{}
	err := s.process(r.Id, r.ExecId, func(c *container, _ *process, _ task.View) (err error) {
		over, err = c.machine.Over(r.ExecId)
		return err
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-over:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// A deleted process is forgotten; its exit has been told before.
	a := &api.WaitResponse{}
	return a, s.process(r.Id, r.ExecId, func(_ *container, _ *process, v task.View) error {
		a.ExitStatus, a.ExitedAt = v.End.Status, api.Stamp(v.End.At)
		return nil
	})
}

func (s *Service) kill(_ context.Context, r *api.KillRequest) (*api.Empty, error) {
	sig := unix.Signal(r.Signal)
	allow := func(m *task.Machine) error {
		err := m.Kill(r.ExecId)
		var e *task.Error
		if r.All && r.ExecId == "" && errors.As(err, &e) && e.Kind == task.NotFound {
			return nil // there may be others than the init
		}
		return err
	}
	err := s.container(r.Id, allow, func(c *container, lc *libcontainer.Container) error {
		if r.ExecId != "" {
			return c.process(r.ExecId).running.Signal(sig)
		}
		return lc.Kill(sig, r.All)
	})
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, libcontainer.ErrNotRunning) {
		err = &task.Error{Kind: task.NotFound, Text: "process already finished"}
	}
	return &api.Empty{}, err
}

func (s *Service) pids(_ context.Context, r *api.PidsRequest) (*api.PidsResponse, error) {
	a := &api.PidsResponse{}
	return a, s.container(r.Id, nil, func(c *container, lc *libcontainer.Container) error {
		pids, err := lc.Pids()
		if err != nil {
			return err
		}
		ids := make(map[int]string)
		_ = c.with(func(m *task.Machine) error {
			// What has no pids, containerd (1.7 and later) takes for a shim that leaked when it
			// starts again, and its exit status is lost. So there is the init's until it is
			// deleted.
			if v, err := m.State(""); err == nil && v.Status == task.Stopped && len(pids) == 0 {
				pids = []int{v.Pid}
			}
			for _, id := range m.Execs() {
				if v, err := m.State(id); err == nil && v.Status == task.Running {
					ids[v.Pid] = id
				}
			}
			return nil
		})
		for _, pid := range pids {
			info := &api.ProcessInfo{Pid: uint32(pid)}
			if id := ids[pid]; id != "" {
				if info.Info, err = api.Pack("containerd.runc.v1.ProcessDetails", &runc.ProcessDetails{ExecId: id}); err != nil {
					return err
				}
			}
			a.Processes = append(a.Processes, info)
		}
		return nil
	})
}

func (s *Service) pause(_ context.Context, r *api.PauseRequest) (*api.Empty, error) {
	return &api.Empty{}, s.container(r.Id, (*task.Machine).Pause, func(c *container, lc *libcontainer.Container) error {
		err := lc.Pause()
		_ = c.with(func(m *task.Machine) error { m.Paused(err == nil); return nil })
		return err
	})
}

func (s *Service) resume(_ context.Context, r *api.ResumeRequest) (*api.Empty, error) {
	return &api.Empty{}, s.container(r.Id, (*task.Machine).Resume, func(c *container, lc *libcontainer.Container) error {
		if err := lc.Resume(); err != nil {
			return err
		}
		return c.with(func(m *task.Machine) error { m.Resumed(); return nil })
	})
}

func (s *Service) resizePty(_ context.Context, r *api.ResizePtyRequest) (*api.Empty, error) {
	return &api.Empty{}, s.process(r.Id, r.ExecId, func(_ *container, p *process, _ task.View) error {
		if p.opened == nil {
			p.size = &size{uint16(r.Width), uint16(r.Height)}
			return nil
		}
		return p.opened.Resize(uint16(r.Width), uint16(r.Height))
	})
}

func (s *Service) closeIO(_ context.Context, r *api.CloseIORequest) (*api.Empty, error) {
	return &api.Empty{}, s.process(r.Id, r.ExecId, func(_ *container, p *process, _ task.View) error {
		p.inputOver = p.inputOver || r.Stdin
		if r.Stdin && p.opened != nil {
			return p.opened.CloseInput()
		}
		return nil
	})
}

func (s *Service) update(_ context.Context, r *api.UpdateTaskRequest) (*api.Empty, error) {
	return &api.Empty{}, s.container(r.Id, nil, func(c *container, lc *libcontainer.Container) error {
		resources, _, err := load.Resources(r.GetResources().GetValue())
		if err == nil {
			_, err = check.Resources(resources)
		}
		if err != nil {
			return &task.Error{Kind: task.InvalidArgument, Text: err.Error()}
		}
		err = lc.Update(&libcontainer.UpdateOptions{Resources: resources})
		c.mu.Lock()
		c.config = weak.Pointer[known]{}
		c.mu.Unlock()
		return err
	})
}

func (s *Service) stats(_ context.Context, r *api.StatsRequest) (*api.StatsResponse, error) {
	a := &api.StatsResponse{}
	return a, s.container(r.Id, nil, func(_ *container, lc *libcontainer.Container) error {
		e, err := lc.Stats()
		if err != nil {
			return err
		}
		a.Stats, err = metrics.Pack(e.Data)
		return err
	})
}

// connect is also how containerd finds out whether the shim is alive: it answers for unknown ids.
func (s *Service) connect(_ context.Context, r *api.ConnectRequest) (*api.ConnectResponse, error) {
	a := &api.ConnectResponse{ShimPid: uint32(os.Getpid())}
	_ = s.process(r.Id, "", func(_ *container, _ *process, v task.View) error {
		a.TaskPid = uint32(v.Pid)
		return nil
	})
	return a, nil
}

// shutdown is called after each deletion; the shim ends with its last container, and after the
// answer.
func (s *Service) shutdown(context.Context, *api.ShutdownRequest) (*api.Empty, error) {
	s.quitIfEmpty()
	return &api.Empty{}, nil
}
