package service

import (
	"context"
	"errors"
	"os"
	"weak"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/api/types/runc/options"
	tasktypes "github.com/containerd/containerd/api/types/task"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/metrics"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

func (s *Service) state(_ context.Context, r *api.StateRequest) (*api.StateResponse, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	a := &api.StateResponse{ID: c.id, Bundle: c.bundle, ExecID: r.ExecID}
	return a, c.with(func(m *task.Machine) error {
		v, err := m.State(r.ExecID)
		if err != nil {
			return err
		}
		p := c.processes[r.ExecID]
		a.Stdin, a.Stdout, a.Stderr, a.Terminal = p.streams.Stdin, p.streams.Stdout, p.streams.Stderr, p.streams.Terminal
		a.Pid, a.Status = uint32(v.Pid), tasktypes.Status(v.Status)
		a.ExitStatus, a.ExitedAt = v.End.Status, stamp(v.End.At)
		return nil
	})
}

func (s *Service) wait(ctx context.Context, r *api.WaitRequest) (*api.WaitResponse, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	var over <-chan struct{}
	if err := c.with(func(m *task.Machine) (err error) { over, err = m.Over(r.ExecID); return err }); err != nil {
		return nil, err
	}
	// A deleted process is forgotten; its exit has been told before.
	var last task.View
	select {
	case <-over:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	err = c.with(func(m *task.Machine) (err error) { last, err = m.State(r.ExecID); return err })
	return &api.WaitResponse{ExitStatus: last.End.Status, ExitedAt: stamp(last.End.At)}, err
}

func (s *Service) kill(_ context.Context, r *api.KillRequest) (*emptypb.Empty, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	err = c.with(func(m *task.Machine) error { return m.Kill(r.ExecID) })
	var e *task.Error
	dead := errors.As(err, &e) && e.Kind == task.NotFound && r.ExecID == ""
	switch {
	case err != nil && !(dead && r.All):
		return nil, err
	case r.ExecID != "":
		err = c.process(r.ExecID).running.Signal(unix.Signal(r.Signal))
	default:
		var lc *libcontainer.Container
		if lc, err = c.load(); err == nil {
			err = lc.Kill(unix.Signal(r.Signal), r.All)
		}
	}
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, libcontainer.ErrNotRunning) {
		err = &task.Error{Kind: task.NotFound, Text: "process already finished"}
	}
	return &emptypb.Empty{}, err
}

func (s *Service) pids(_ context.Context, r *api.PidsRequest) (*api.PidsResponse, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	lc, err := c.load()
	if err != nil {
		return nil, err
	}
	pids, err := lc.Pids()
	if err != nil {
		return nil, err
	}
	ids := make(map[int]string)
	_ = c.with(func(m *task.Machine) error {
		// What has no pids, containerd (1.7 and later) takes for a shim that leaked when it starts
		// again, and its exit status is lost. So there is the init's until it is deleted.
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
	a := &api.PidsResponse{}
	for _, pid := range pids {
		info := &tasktypes.ProcessInfo{Pid: uint32(pid)}
		if id := ids[pid]; id != "" {
			if info.Info, err = pack(&options.ProcessDetails{ExecID: id}); err != nil {
				return nil, err
			}
		}
		a.Processes = append(a.Processes, info)
	}
	return a, nil
}

// pack puts a message into an Any as containerd does, without a host in front of its name.
func pack(m proto.Message) (*anypb.Any, error) {
	value, err := proto.Marshal(m)
	return &anypb.Any{TypeUrl: string(m.ProtoReflect().Descriptor().FullName()), Value: value}, err
}

func (s *Service) pause(_ context.Context, r *api.PauseRequest) (*emptypb.Empty, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.with((*task.Machine).Pause); err != nil {
		return nil, err
	}
	lc, err := c.load()
	if err == nil {
		err = lc.Pause()
	}
	_ = c.with(func(m *task.Machine) error { m.Paused(err == nil); return nil })
	return &emptypb.Empty{}, err
}

func (s *Service) resume(_ context.Context, r *api.ResumeRequest) (*emptypb.Empty, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.with((*task.Machine).Resume); err != nil {
		return nil, err
	}
	lc, err := c.load()
	if err == nil {
		err = lc.Resume()
	}
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.with(func(m *task.Machine) error { m.Resumed(); return nil })
}

func (s *Service) resizePty(_ context.Context, r *api.ResizePtyRequest) (*emptypb.Empty, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.with(func(m *task.Machine) error {
		if _, err := m.State(r.ExecID); err != nil {
			return err
		}
		p := c.processes[r.ExecID]
		if p.opened == nil {
			p.size = &size{uint16(r.Width), uint16(r.Height)}
			return nil
		}
		return p.opened.Resize(uint16(r.Width), uint16(r.Height))
	})
}

func (s *Service) closeIO(_ context.Context, r *api.CloseIORequest) (*emptypb.Empty, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.with(func(m *task.Machine) error {
		if _, err := m.State(r.ExecID); err != nil {
			return err
		}
		p := c.processes[r.ExecID]
		p.inputOver = p.inputOver || r.Stdin
		if r.Stdin && p.opened != nil {
			return p.opened.CloseInput()
		}
		return nil
	})
}

func (s *Service) update(_ context.Context, r *api.UpdateTaskRequest) (*emptypb.Empty, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	resources, _, err := load.Resources(r.GetResources().GetValue())
	if err == nil {
		_, err = check.Resources(resources)
	}
	if err != nil {
		return nil, &task.Error{Kind: task.InvalidArgument, Text: err.Error()}
	}
	lc, err := c.load()
	if err != nil {
		return nil, err
	}
	err = lc.Update(&libcontainer.UpdateOptions{Resources: resources})
	c.mu.Lock()
	c.config = weak.Pointer[specs.Spec]{}
	c.mu.Unlock()
	return &emptypb.Empty{}, err
}

func (s *Service) stats(_ context.Context, r *api.StatsRequest) (*api.StatsResponse, error) {
	c, err := s.find(r.ID)
	if err != nil {
		return nil, err
	}
	lc, err := c.load()
	if err != nil {
		return nil, err
	}
	e, err := lc.Stats()
	if err != nil {
		return nil, err
	}
	var m proto.Message = metrics.V1(e.Data)
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
		m = metrics.V2(e.Data)
	}
	packed, err := pack(m)
	return &api.StatsResponse{Stats: packed}, err
}

// connect is also how containerd finds out whether the shim is alive: it answers for unknown ids.
func (s *Service) connect(_ context.Context, r *api.ConnectRequest) (*api.ConnectResponse, error) {
	a := &api.ConnectResponse{ShimPid: uint32(os.Getpid())}
	if c, err := s.find(r.ID); err == nil {
		_ = c.with(func(m *task.Machine) error {
			v, err := m.State("")
			a.TaskPid = uint32(v.Pid)
			return err
		})
	}
	return a, nil
}

// shutdown is called after each deletion; the shim ends with its last container, and after the
// answer.
func (s *Service) shutdown(context.Context, *api.ShutdownRequest) (*emptypb.Empty, error) {
	if s.empty() {
		s.end()
	}
	return &emptypb.Empty{}, nil
}
