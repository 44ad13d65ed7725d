package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/runc"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/options"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
)

// workName is a directory in the bundle for criu's logs and statistics.
const workName = "criu-work"

// checkpoint dumps a container. The client has paused it before, and resumes it in the end.
func (s *Service) checkpoint(ctx context.Context, r *api.CheckpointTaskRequest) (*api.Empty, error) {
	c, err := s.find(r.Id)
	if err != nil {
		return nil, err
	}
	o, err := options.DecodeCheckpoint(r.Options)
	if err != nil {
		return nil, &task.Error{Kind: task.InvalidArgument, Text: err.Error()}
	}
	if err := c.with((*task.Machine).Checkpoint); err != nil {
		return nil, err
	}
	err = c.dump(ctx, r.Path, o)
	_ = c.with(func(m *task.Machine) error { m.Checkpointed(r.Path, err == nil); return nil })
	return &api.Empty{}, err
}

func (c *container) dump(ctx context.Context, images string, o *runc.CheckpointOptions) error {
	work := o.GetWorkPath()
	if work == "" {
		work = filepath.Join(c.bundle, workName)
	}
	lc, err := c.load()
	if err == nil {
		err = lc.Checkpoint(ctx, &libcontainer.CheckpointOptions{
			CRIUOptions: libcontainer.CRIUOptions{
				ImageDir: images, WorkDir: work, TCPEstablished: o.GetOpenTcp(), ExtUnixSockets: o.GetExternalUnixSockets(),
				ShellJob: o.GetTerminal(), FileLocks: o.GetFileLocks(), CgroupsMode: o.GetCgroupsMode(),
			},
			ParentPath: o.GetParentPath(), LeaveRunning: !o.GetExit(),
		})
	}
	if err == nil {
		c.mu.Lock()
		c.dumped = o.GetExit()
		c.mu.Unlock()
		return nil
	}
	// Where runc's shim leaves it.
	if cerr := c.keepLog(filepath.Join(work, "dump.log")); cerr != nil {
		c.service.warn(cerr.Error())
	}
	return fmt.Errorf("OCI runtime checkpoint failed: %w", err)
}

func (c *container) keepLog(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // criu was not asked
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.bundle, "criu-dump.log"), text, 0o600)
}
