package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/note"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/options"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/rootfs"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/stdio"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/kernel/ahead"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/idmap"
)

func (s *Service) create(ctx context.Context, r *api.CreateTaskRequest) (*api.CreateTaskResponse, error) {
	o, err := options.Decode(r.Options)
	if err != nil {
		return nil, &task.Error{Kind: task.InvalidArgument, Text: err.Error()}
	}
	if len(o.Ignored) > 0 {
		s.warn("options without effect: " + strings.Join(o.Ignored, ", "))
	}
	c := s.newContainer(r, o)
	if err := s.reserve(c); err != nil {
		return nil, err
	}
	defer close(c.settled)
	pid, err := c.make(ctx, r)
	if err != nil {
		s.forget(c)
		return nil, fmt.Errorf("OCI runtime create failed: %w", err)
	}
	return &api.CreateTaskResponse{Pid: uint32(pid)}, nil
}

func (s *Service) newContainer(r *api.CreateTaskRequest, o options.Options) *container {
	c := &container{service: s, id: r.Id, bundle: r.Bundle, options: o, processes: make(map[string]*process), settled: make(chan struct{})}
	c.rt = &libcontainer.Runtime{Root: note.Root(o.Root, s.namespace), SystemdCgroup: o.SystemdCgroup, Resident: true, Warn: s.warn}
	return c
}

func (c *container) streams(execID, stdin, stdout, stderr string, terminal bool) config {
	return config{
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Terminal: terminal,
		UID: c.options.UID, GID: c.options.GID, ID: c.id, Namespace: c.service.namespace,
		Warn: c.service.warn,
	}
}

// make creates the container. After an error there is nothing left of it.
func (c *container) make(ctx context.Context, r *api.CreateTaskRequest) (pid int, err error) {
	if err := c.service.pod.Files(c.bundle); err != nil {
		return 0, err
	}
	spec, text, warnings, err := specconv.LoadBundle(c.bundle, func(spec *specs.Spec) check.Options {
		c.findCgroupDriver(spec)
		return c.checks()
	})
	for _, w := range warnings {
		c.service.warn(fmt.Sprint(w))
	}
	if err == nil {
		err = checkPod(spec)
	}
	if err != nil {
		return 0, err
	}
	if spec.Process != nil {
		spec.Process.Terminal = r.Terminal
	}
	// The shim's delete has to find what is about to be made.
	if err := os.Remove(filepath.Join(c.bundle, ahead.Deleted)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err := note.Of(c.rt).Save(c.bundle); err != nil {
		return 0, err
	}
	if err := rootfs.Mount(r.Rootfs, c.rootfs(), libcontainer.MappingNamespace); err != nil {
		return 0, err
	}
	p := &process{streams: c.streams("", r.Stdin, r.Stdout, r.Stderr, r.Terminal)}
	if r.Checkpoint != "" {
		c.restoring = &restoration{r.Checkpoint, spec, text}
		c.announce(p, r)
		return 0, nil
	}
	if p.opened, err = stdio.Open(&p.streams); err != nil {
		return 0, errors.Join(err, c.unmount(r))
	}
	err = c.createWith(ctx, p, spec, text)
	p.opened.Launched()
	if err != nil {
		return 0, errors.Join(err, p.opened.Close(), c.unmount(r))
	}
	c.announce(p, r)
	go c.watchOver(p)
	return p.running.Pid, nil
}

// checkPod refuses what only CRI does: a user namespace without root. Kubernetes relies on it, and
// containerd leaves it to the runtime.
func checkPod(spec *specs.Spec) error {
	if spec.Annotations["io.kubernetes.cri.sandbox-id"] == "" || spec.Linux == nil {
		return nil
	}
	for name, maps := range map[string][]specs.LinuxIDMapping{
		"linux.uidMappings": spec.Linux.UIDMappings, "linux.gidMappings": spec.Linux.GIDMappings,
	} {
		if len(maps) > 0 && !idmap.Has(maps, 0) {
			return fmt.Errorf("%s: id 0 is not mapped, which a pod needs", name)
		}
	}
	return nil
}

func (c *container) unmount(r *api.CreateTaskRequest) error {
	if len(r.Rootfs) == 0 {
		return nil
	}
	return rootfs.Unmount(c.rootfs())
}

// findCgroupDriver knows by the form of the path that a client wants systemd's cgroups which can't
// send options, as CRI in containerd 1.6.
func (c *container) findCgroupDriver(spec *specs.Spec) {
	if spec.Linux != nil && strings.Count(spec.Linux.CgroupsPath, ":") == 2 && !strings.Contains(spec.Linux.CgroupsPath, "/") {
		c.options.SystemdCgroup = true
		c.rt.SystemdCgroup = true
	}
}

func (c *container) createWith(ctx context.Context, p *process, spec *specs.Spec, text []byte) error {
	o := c.createOptions(p, spec, text)
	lc, running, err := c.rt.Create(ctx, c.id, &o)
	if err != nil {
		return err
	}
	return c.born(ctx, p, lc, running)
}

func (c *container) createOptions(p *process, spec *specs.Spec, text []byte) libcontainer.CreateOptions {
	return libcontainer.CreateOptions{
		ProcessOptions: p.given(), Bundle: c.bundle, Spec: spec, Config: text,
		NoPivot: c.options.NoPivot, NoNewKeyring: c.options.NoNewKeyring,
	}
}

// born notes what there is to know of an init that has just been made.
func (c *container) born(ctx context.Context, p *process, lc *libcontainer.Container, running *libcontainer.Process) (err error) {
	c.mu.Lock()
	p.running = running
	c.mu.Unlock()
	c.private = lc.Record().PrivatePid()
	var watching context.Context
	watching, c.endWatch = context.WithCancel(context.Background())
	if c.notices, err = lc.WatchOOM(watching); err != nil {
		c.service.warn(err.Error())
	}
	err = note.Replace(filepath.Join(c.bundle, "init.pid"), []byte(strconv.Itoa(running.Pid)))
	if err != nil {
		c.endWatch()
		err = errors.Join(err, lc.Delete(ctx, true))
		_, werr := running.WaitContext(ctx)
		return errors.Join(err, werr)
	}
	return nil
}

// given are the process's streams for the library.
func (p *process) given() libcontainer.ProcessOptions {
	o := libcontainer.ProcessOptions{Stdio: p.opened.Files}
	if p.streams.Terminal {
		o.Console = p.opened.Console
	}
	return o
}

// announce makes the container one that can be found.
func (c *container) announce(p *process, r *api.CreateTaskRequest) {
	c.mu.Lock()
	c.processes[""] = p
	pid := 0
	if p.running != nil {
		pid = p.running.Pid
	}
	c.machine = task.New(pid, c.publish(r))
	c.mu.Unlock()
	c.service.mu.Lock()
	c.made = true
	c.service.mu.Unlock()
}

// watchOver waits for what happens to the init.
func (c *container) watchOver(p *process) {
	if c.notices != nil {
		go c.watchMemory()
	}
	c.watch("", p.running)
}
