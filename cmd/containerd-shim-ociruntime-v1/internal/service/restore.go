package service

import (
	"context"
	"fmt"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/stdio"
	"github.com/ociruntime/ociruntime/libcontainer"
)

// restoration is what a container is to be restored from. Its create only notes that: containerd's
// clients take a container that has been created to be one that does not run yet, and what is
// restored does.
type restoration struct {
	images string
	spec   *specs.Spec
	config []byte
}

// restoreInit restores the container, and watches over its init from then on.
func (c *container) restoreInit(ctx context.Context) (int, error) {
	pid, err := c.restore(ctx)
	if err != nil {
		return 0, fmt.Errorf("OCI runtime restore failed: %w", err)
	}
	return pid, nil
}

func (c *container) restore(ctx context.Context) (int, error) {
	p := c.process("")
	opened, err := stdio.Open(&p.streams)
	if err != nil {
		return 0, err
	}
	defer opened.Launched()
	c.mu.Lock()
	err = p.open(opened)
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	work := c.options.CRIUWork
	if work == "" {
		work = filepath.Join(c.bundle, workName)
	}
	lc, running, err := c.rt.Restore(ctx, c.id, &libcontainer.RestoreOptions{
		CreateOptions: c.createOptions(p, c.restoring.spec, c.restoring.config),
		CRIUOptions:   libcontainer.CRIUOptions{ImageDir: c.restoring.images, WorkDir: work},
	})
	if err != nil {
		return 0, err
	}
	// criu has given the terminal the size that it had.
	c.mu.Lock()
	if p.size != nil {
		err = opened.Resize(p.size.width, p.size.height)
	}
	c.mu.Unlock()
	if err != nil {
		c.service.warn(err.Error())
	}
	if err := c.born(ctx, p, lc, running); err != nil {
		return 0, err
	}
	go c.watchOver(p)
	return running.Pid, nil
}
