package sandbox

import (
	"context"
	"encoding/json"
	"path/filepath"
	"runtime"
	"time"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/metrics"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
)

// platform is what containerd makes the containers' configurations for.
func platform(context.Context, *api.PlatformRequest) (*api.PlatformResponse, error) {
	return &api.PlatformResponse{Platform: &api.Platform{Os: runtime.GOOS, Architecture: runtime.GOARCH}}, nil
}

func (s *Service) pingSandbox(_ context.Context, r *api.PingRequest) (*api.PingResponse, error) {
	_, _, err := s.step(look, r.GetSandboxId())
	return &api.PingResponse{}, err
}

func (s *Service) sandboxStatus(_ context.Context, r *api.SandboxStatusRequest) (*api.SandboxStatusResponse, error) {
	p, _, err := s.step(look, r.GetSandboxId())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	now, end := p.status, p.end
	s.mu.Unlock()
	a := &api.SandboxStatusResponse{
		SandboxId: p.id, Pid: uint32(p.process.Pid), State: now.word(), CreatedAt: api.Stamp(p.made), ExitedAt: api.Stamp(end.At),
	}
	if r.GetVerbose() {
		text, err := json.Marshal(map[string]any{"pid": p.process.Pid, "processStatus": now.process()})
		if err != nil {
			return nil, err
		}
		a.Info = map[string]string{"info": string(text)}
	}
	return a, nil
}

// sandboxMetrics is what all of the pod has used, in the cgroup that those of its containers are
// in.
func (s *Service) sandboxMetrics(_ context.Context, r *api.SandboxMetricsRequest) (*api.SandboxMetricsResponse, error) {
	p, _, err := s.step(count, r.GetSandboxId())
	if err != nil {
		return nil, err
	}
	if p.config.GetLinux().GetCgroupParent() == "" {
		return nil, &task.Error{Kind: task.FailedPrecondition, Text: "sandbox " + p.id + " has no cgroup_parent, by which its containers could be counted"}
	}
	lc, err := p.rt.Load(p.id)
	if err != nil {
		return nil, err
	}
	above := make(map[string]string)
	for controller, dir := range lc.Record().CgroupPaths {
		above[controller] = filepath.Dir(dir)
	}
	cg, err := cgroups.Open(above)
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	used, err := cg.Stats()
	if err != nil {
		return nil, err
	}
	data, err := metrics.Pack(used)
	return &api.SandboxMetricsResponse{Metrics: &api.Metric{Timestamp: api.Stamp(time.Now()), Id: p.id, Data: data}}, err
}
