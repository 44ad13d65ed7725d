// Package sandbox is containerd's sandbox service: the shim itself keeps a pod, with the init of a
// container that is never started in place of a pause container. That takes no image, no program
// and 64 KB.
package sandbox

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/containerd/ttrpc"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/pod"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
)

// serviceName is what containerd (2.x) calls, where a runtime of CRI's has `sandboxer = "shim"`.
const serviceName = "containerd.runtime.sandbox.v1.Sandbox"

// Host is the daemon around the service.
type Host struct {
	Namespace string
	Warn      func(string)
	// Begin is around the call that makes the pod, and may refuse it. End is to be called anyway.
	Begin func() (end func(), err error)
	// Gone is told that the pod is gone, with what the shim's delete is to say in its bundle.
	Gone func(bundle string, answer *api.DeleteResponse)
	// Quit ends the daemon if nothing else is there.
	Quit func()
}

// Service keeps one pod, or none.
type Service struct {
	host Host

	mu  sync.Mutex
	pod *sandbox // nil if there is none
}

// sandbox is a pod. What stands above over is set before it is created, and not changed then.
type sandbox struct {
	id      string
	bundle  string
	config  *pod.PodSandboxConfig
	rt      *libcontainer.Runtime
	process *libcontainer.Process
	made    time.Time
	over    chan struct{} // closed at the end of the process

	// Guarded by the service's lock.
	status status
	end    task.End
}

// New is a service without a pod.
func New(host Host) *Service { return &Service{host: host} }

// Register adds the service to a server.
func (s *Service) Register(server *ttrpc.Server) {
	server.RegisterService(serviceName, &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"CreateSandbox":   api.Method(s.createSandbox),
		"StartSandbox":    api.Method(s.startSandbox),
		"Platform":        api.Method(platform),
		"StopSandbox":     api.Method(s.stopSandbox),
		"WaitSandbox":     api.Method(s.waitSandbox),
		"SandboxStatus":   api.Method(s.sandboxStatus),
		"PingSandbox":     api.Method(s.pingSandbox),
		"ShutdownSandbox": api.Method(s.shutdownSandbox),
		"SandboxMetrics":  api.Method(s.sandboxMetrics),
	}})
}

// Exists reports whether there is a pod. One that has ended and has no bundle any more the shim's
// delete has removed: containerd has it do so when a call took too long.
func (s *Service) Exists() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pod == nil || s.pod.status != ended {
		return s.pod != nil
	}
	_, err := os.Stat(s.pod.bundle)
	return err == nil
}

// Owns reports whether a process is the pod's, which is waited for.
func (s *Service) Owns(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pod != nil && s.pod.status > creating && s.pod.process.Pid == pid
}

// step makes a call's step, with the pod as it is then. A daemon keeps one: any other does not
// exist.
func (s *Service) step(c call, id string) (p *sandbox, todo bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := absent
	if s.pod != nil && (c == create || s.pod.id == id) {
		p, now = s.pod, s.pod.status
	}
	next, todo, err := now.step(c, id)
	switch {
	case err != nil:
	case p != nil:
		p.status = next
	case todo:
		p = &sandbox{id: id, status: next, over: make(chan struct{})}
		s.pod = p
	}
	return p, todo, err
}

// settle sets what has come of a step.
func (s *Service) settle(p *sandbox, now status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.status = now
	if now == absent {
		s.pod = nil
	}
}

func (s *Service) createSandbox(ctx context.Context, r *api.CreateSandboxRequest) (*api.CreateSandboxResponse, error) {
	config, err := decode(r.GetOptions())
	if err != nil {
		return nil, err
	}
	p, _, err := s.step(create, r.GetSandboxId())
	if err != nil {
		return nil, err
	}
	end, err := s.host.Begin()
	defer end()
	if err != nil {
		s.settle(p, absent)
		return nil, err
	}
	p.bundle, p.config = r.GetBundlePath(), config
	if err := p.make(context.WithoutCancel(ctx), &s.host, r); err != nil {
		s.settle(p, absent)
		return nil, fmt.Errorf("OCI runtime create failed: %w", err)
	}
	s.settle(p, created)
	go s.watch(p)
	return &api.CreateSandboxResponse{}, nil
}

// decode reads the configuration that CRI sends. Without one the pod is an ordinary one.
func decode(a *api.Any) (*pod.PodSandboxConfig, error) {
	const wanted = "runtime.v1.PodSandboxConfig"
	config := &pod.PodSandboxConfig{}
	refuse := func(why string) error {
		return &task.Error{Kind: task.InvalidArgument, Text: "the pod's configuration: " + why}
	}
	switch name := a.MessageName(); name {
	case "":
	case wanted:
		if err := config.UnmarshalVT(a.GetValue()); err != nil {
			return nil, refuse(err.Error())
		}
	default:
		return nil, refuse("it is of type " + name + ", not " + wanted)
	}
	if why := refusal(config); why != "" {
		return nil, &task.Error{Kind: task.InvalidArgument, Text: why}
	}
	return config, nil
}

// watch notes the end of the pod's process.
func (s *Service) watch(p *sandbox) {
	st, err := p.process.WaitContext(context.Background())
	end := task.EndOf(st, err, time.Now())
	if err != nil {
		s.host.Warn(err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.status != removing {
		p.status = ended
	}
	p.end = end
	close(p.over)
}

func (s *Service) startSandbox(_ context.Context, r *api.StartSandboxRequest) (*api.StartSandboxResponse, error) {
	p, _, err := s.step(start, r.GetSandboxId())
	if err != nil {
		return nil, err
	}
	return &api.StartSandboxResponse{Pid: uint32(p.process.Pid), CreatedAt: api.Stamp(p.made)}, nil
}

func (s *Service) stopSandbox(ctx context.Context, r *api.StopSandboxRequest) (*api.StopSandboxResponse, error) {
	p, todo, err := s.step(stop, r.GetSandboxId())
	if err == nil && todo {
		err = p.stop(ctx, time.Duration(r.GetTimeoutSecs())*time.Second)
	}
	if err != nil {
		return nil, err
	}
	return &api.StopSandboxResponse{}, Unmount(p.bundle)
}

func (s *Service) waitSandbox(ctx context.Context, r *api.WaitSandboxRequest) (*api.WaitSandboxResponse, error) {
	p, _, err := s.step(look, r.GetSandboxId())
	if err != nil {
		return nil, err
	}
	select {
	case <-p.over:
		return &api.WaitSandboxResponse{ExitStatus: p.end.Status, ExitedAt: api.Stamp(p.end.At)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// shutdownSandbox removes the pod. The daemon stays for containers that are left.
func (s *Service) shutdownSandbox(ctx context.Context, r *api.ShutdownSandboxRequest) (*api.ShutdownSandboxResponse, error) {
	p, todo, err := s.step(shutdown, r.GetSandboxId())
	if err != nil {
		return nil, err
	}
	if todo {
		if err := p.remove(context.WithoutCancel(ctx)); err != nil {
			s.settle(p, p.left())
			return nil, err
		}
		s.settle(p, absent)
		s.host.Gone(p.bundle, &api.DeleteResponse{Pid: uint32(p.process.Pid), ExitStatus: p.end.Status, ExitedAt: api.Stamp(p.end.At)})
	}
	s.host.Quit()
	return &api.ShutdownSandboxResponse{}, nil
}
