package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/note"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/rootfs"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/sandbox"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/kernel/ahead"
)

func (s *Service) delete(ctx context.Context, r *api.DeleteRequest) (*api.DeleteResponse, error) {
	c, err := s.find(r.Id)
	if err != nil {
		return nil, err
	}
	if err := c.with(func(m *task.Machine) error { return m.Delete(r.ExecId) }); err != nil {
		return nil, err
	}
	if r.ExecId == "" {
		err = c.remove(ctx)
	} else {
		err = c.closeStreams(r.ExecId)
	}
	var v task.View
	_ = c.with(func(m *task.Machine) error {
		v, _ = m.State(r.ExecId)
		m.Deleted(r.ExecId, err == nil)
		if err == nil {
			delete(c.processes, r.ExecId)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	answer := &api.DeleteResponse{Pid: uint32(v.Pid), ExitStatus: v.End.Status, ExitedAt: api.Stamp(v.End.At)}
	if r.ExecId == "" {
		s.forget(c)
		s.departed(c.bundle, answer)
	}
	return answer, nil
}

// departed leaves the answer for the shim's delete in the bundle of what has been removed.
func (s *Service) departed(bundle string, answer *api.DeleteResponse) {
	text, err := answer.MarshalVT()
	if err != nil {
		return // the shim's delete looks for itself
	}
	s.leave(&remains{filepath.Join(bundle, ahead.Deleted), text})
}

// remains are the file in a bundle that answers the shim's delete.
type remains struct {
	path string
	text []byte
}

// leave has the shim's delete find that there is nothing left to do for it. After the last
// container, that is not so before the daemon's socket is gone.
func (s *Service) leave(r *remains) {
	s.mu.Lock()
	last := s.lastGone()
	if last {
		s.last = r
	}
	s.mu.Unlock()
	if !last {
		r.save()
	}
}

// save writes the file. Without it the shim's delete looks for itself.
func (r *remains) save() {
	if r != nil {
		_ = note.Replace(r.path, r.text)
	}
}

// remove removes the container and all that was made for it. It can be repeated.
func (c *container) remove(ctx context.Context) error {
	lc, err := c.load()
	if err == nil {
		err = lc.Delete(ctx, false)
	}
	if err != nil && !errors.Is(err, libcontainer.ErrNotExist) {
		return fmt.Errorf("OCI runtime delete failed: %w", err)
	}
	if err := c.awaitEnd(); err != nil {
		return err
	}
	err = nil
	c.mu.Lock()
	ids := append(c.machine.Execs(), "")
	c.mu.Unlock()
	for _, id := range ids {
		err = errors.Join(err, c.closeStreams(id))
	}
	return errors.Join(err, rootfs.Unmount(c.rootfs()))
}

// awaitEnd waits for the init's exit, which comes before the deletion: what was created only has
// been killed.
func (c *container) awaitEnd() error {
	if c.process("").running == nil {
		return nil // it was to be restored
	}
	over, _ := c.machine.Over("")
	late := time.NewTimer(deathTime)
	defer late.Stop()
	select {
	case <-over:
		return nil
	case <-late.C:
		return errors.New("OCI runtime delete failed: the container's init has not ended")
	}
}

func (c *container) closeStreams(id string) error {
	p := c.process(id)
	if p == nil {
		return nil
	}
	p.ahead.drop()
	if p.opened == nil {
		return nil
	}
	return p.opened.Close()
}

// Cleanup removes what a dead shim has left of a container, and after a live one's deletion finds
// nothing. The bundle is all there is to go by.
func Cleanup(ctx context.Context, id, bundle string, warn func(string)) (*api.DeleteResponse, error) {
	answer := &api.DeleteResponse{ExitStatus: 128 + uint32(unix.SIGKILL), ExitedAt: api.Stamp(time.Now())}
	n, err := note.Read(bundle)
	if err != nil {
		return nil, err
	}
	if n != nil {
		rt := n.Runtime(warn)
		if lc, lerr := rt.Load(id); lerr == nil {
			answer.Pid = uint32(lc.Record().InitPid)
		}
		if !n.ExitedAt.IsZero() {
			answer.Pid, answer.ExitStatus, answer.ExitedAt = uint32(n.Pid), n.Status, api.Stamp(n.ExitedAt)
		}
		err = rt.Delete(ctx, id, true)
	}
	return answer, errors.Join(err, rootfs.Unmount(bundle+"/rootfs"), sandbox.Unmount(bundle))
}
