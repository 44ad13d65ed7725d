package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/criu"
	"github.com/ociruntime/ociruntime/libcontainer/internal/stage"
)

// CheckpointOptions are the parts of `checkpoint` that do not stand in config.json.
type CheckpointOptions struct {
	CRIUOptions
	// ParentPath leads from ImageDir to the images of an earlier PreDump, whose memory is not
	// written again.
	ParentPath string
	// LeaveRunning lets the container go on. PreDump does, too, and writes down only its memory.
	LeaveRunning, PreDump bool
	TCPSkipInFlight       bool // connections that are about to be accepted are left out
	LinkRemap             bool // files that have lost their names get others for the time being
	// PageServer is where the memory goes in place of ImageDir, if its Port is set.
	PageServer PageServer
	// Status, if not nil, gets a zero byte when LazyPages is ready to serve memory, and is closed.
	Status *os.File
}

// PageServer is the address of a `criu page-server`.
type PageServer struct {
	Address string
	Port    int
}

// dump is one call of Checkpoint.
type dump struct {
	*request
	c      *Container
	o      *CheckpointOptions
	spec   *specs.Spec
	host   *cgroups.Layout
	worker *criu.Worker
}

// Checkpoint writes the processes of a running or paused container to files, from which Restore
// makes them again. Without LeaveRunning and PreDump that is the end of the container, which is
// deleted. After an error it runs, or is paused, as before. The lock is held all the while.
//
// When ctx ends, criu takes back what it has done, or is killed if that lasts too long, and the
// container goes on; the error wraps the cause.
func (c *Container) Checkpoint(ctx context.Context, o *CheckpointOptions) error {
	return plain(c.checkpoint(ctx, o))
}

func (c *Container) checkpoint(ctx context.Context, o *CheckpointOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := o.checkLazy(); err != nil {
		return err
	}
	status, unlock, err := c.lockStatus(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if status != Running && status != Paused {
		return &statusError{fmt.Sprintf("container %s cannot be checkpointed in %s state", c.ID(), status), ErrNotRunning}
	}
	if err := o.checkParent(); err != nil {
		return err
	}
	own := *o
	d := &dump{c: c, o: &own}
	if d.spec, err = c.Config(); err != nil {
		return err
	}
	if err := d.run(ctx, status); err != nil {
		return err
	}
	if o.LeaveRunning || o.PreDump {
		return nil
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	return c.destroy(ctx, true, deathTimeout)
}

// checkLazy refuses what criu would wait for in vain, or not do.
func (o *CheckpointOptions) checkLazy() error {
	switch {
	case o.LazyPages && o.PreDump:
		return errors.New("--lazy-pages: not with --pre-dump, which writes the memory")
	case o.LazyPages && o.PageServer.Port == 0:
		return errors.New("--lazy-pages: --page-server is missing, at whose address \"criu lazy-pages\" asks for the memory")
	case o.Status != nil && !o.LazyPages:
		return errors.New("--status-fd: only with --lazy-pages is there something to wait for")
	}
	return nil
}

// checkParent wants a relative path, as criu does: the images may move together.
func (o *CheckpointOptions) checkParent() error {
	const flag = "--parent-path"
	switch {
	case o.ParentPath == "":
		return nil
	case filepath.IsAbs(o.ParentPath):
		return fmt.Errorf("%s: %s is absolute: a path relative to --image-path is needed", flag, o.ParentPath)
	}
	return isDir(flag, filepath.Join(o.ImageDir, o.ParentPath))
}

// run dumps. Whatever comes of it, the container is frozen afterwards if it was before.
func (d *dump) run(ctx context.Context, status Status) error {
	if err := d.prepare(); err != nil {
		return err
	}
	defer d.close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := d.start(ctx, [3]*os.File{null, null, null}); err != nil {
		return err
	}
	defer func() { _ = d.worker.Close() }() // its answer says what has come of it
	if err := d.checkFeatures(ctx); err != nil {
		return err
	}
	if !d.o.PreDump {
		if err := d.writeDescriptors(); err != nil {
			return err
		}
	}
	kind := rpc.CriuReqType_DUMP
	if d.o.PreDump {
		kind = rpc.CriuReqType_PRE_DUMP
	}
	if err := d.c.noteWorker(d.worker.Pid); err != nil {
		return err
	}
	_, err = d.worker.Do(ctx, kind, &d.opts, d.notified)
	if err == nil && !d.o.LeaveRunning && !d.o.PreDump {
		return nil
	}
	return errors.Join(d.failure(err), d.c.settle(status), d.c.noteWorker(0))
}

// noteWorker writes down which criu is at work, so that a forced Delete finds it if we are killed.
func (c *Container) noteWorker(pid int) error {
	if err := c.rec.SetWorker(pid); err != nil {
		return err
	}
	return c.dir.Save(c.rec)
}

// settle freezes or thaws the container as it was. criu does that, too, as long as nobody kills it.
func (c *Container) settle(status Status) error {
	if len(c.rec.CgroupPaths) == 0 {
		return nil
	}
	cg, err := c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	frozen, err := cg.Frozen()
	switch {
	case err != nil || frozen == (status == Paused):
		return err
	case frozen:
		return cg.Thaw()
	}
	return cg.Freeze()
}

// prepare looks at the container and makes the directories. What criu can't do is refused first.
func (d *dump) prepare() (err error) {
	if err := checkMountNamespace(d.spec); err != nil {
		return err
	}
	if !d.o.LeaveRunning && !d.o.PreDump {
		if err := checkRestorable(d.spec); err != nil {
			return fmt.Errorf("%w; with --leave-running there are images all the same", err)
		}
	}
	if d.host, err = cgroups.Probe(); err != nil {
		return err
	}
	if err := d.o.settleCgroups(d.spec, len(d.c.rec.CgroupPaths) == 0, d.host); err != nil {
		return err
	}
	d.o.settleLock()
	if d.request, err = newRequest(&d.o.CRIUOptions, d.c.rec.Annotations, "dump.log"); err != nil {
		return err
	}
	if err := d.describe(); err != nil {
		return err
	}
	if _, err := criu.Find(); err != nil {
		return err
	}
	if err := makeDir("--image-path", d.o.ImageDir); err != nil {
		return err
	}
	return d.makeWorkDir(d.o.workDir())
}

// describe fills the request in.
func (d *dump) describe() error {
	pid, o := int32(d.c.rec.InitPid), d.o
	running := o.LeaveRunning
	root := d.c.rec.Config.Rootfs
	d.opts.Pid, d.opts.LeaveRunning, d.opts.Root = &pid, &running, &root
	d.opts.TcpSkipInFlight, d.opts.LinkRemap = &o.TCPSkipInFlight, &o.LinkRemap
	if dir := freezer(d.c.rec.CgroupPaths); dir != "" {
		d.opts.FreezeCgroup = &dir
	}
	if o.ParentPath != "" || o.PreDump {
		yes := true
		d.opts.TrackMem = &yes
	}
	if o.ParentPath != "" {
		d.opts.ParentImg = &o.ParentPath
	}
	if o.PageServer.Port != 0 {
		port := int32(o.PageServer.Port)
		d.opts.Ps = &rpc.CriuPageServerInfo{Address: &o.PageServer.Address, Port: &port}
	}
	d.emptyNetwork(d.spec)
	if err := d.externalNamespaces(); err != nil {
		return err
	}
	if o.PreDump {
		return nil
	}
	d.externalFiles()
	if err := d.checkProcesses(); err != nil {
		return err
	}
	return d.externalMounts()
}

// externalNamespaces names those that are not the container's own: criu leaves them out.
func (d *dump) externalNamespaces() error {
	for _, ns := range sharedNamespaces {
		if joinedNamespace(d.spec, ns.kind) == "" {
			continue
		}
		// The path may lead to another by now.
		own := fmt.Sprintf("/proc/%d/ns/%s", d.c.rec.InitPid, ns.link)
		var st unix.Stat_t
		if err := unix.Stat(own, &st); err != nil {
			return fmt.Errorf("look at the namespace %s: %w", own, err)
		}
		d.opts.External = append(d.opts.External, fmt.Sprintf("%s[%d]:%s", ns.link, st.Ino, ns.key))
	}
	return nil
}

// sharedNamespaces are the kinds that criu takes from outside as a whole, with the keys that runc
// gives them.
var sharedNamespaces = [...]struct {
	kind      specs.LinuxNamespaceType
	link, key string
}{{specs.NetworkNamespace, "net", "extRootNetNS"}, {specs.PIDNamespace, "pid", "extRootPidNS"}}

// start starts criu where it finds all cgroup hierarchies mounted, or in the cgroup namespace that
// the container has joined.
func (d *dump) start(ctx context.Context, stdio [3]*os.File) error {
	lock, err := d.c.dir.LockFile()
	if err != nil {
		return err
	}
	defer lock.Close()
	begin := func() (err error) {
		if err := d.openDirs(&d.o.CRIUOptions); err != nil {
			return err
		}
		d.worker, err = startWorker(ctx, stdio, lock)
		return err
	}
	if joinedNamespace(d.spec, specs.CgroupNamespace) != "" {
		return stage.InNamespace(fmt.Sprintf("/proc/%d/ns/cgroup", d.c.rec.InitPid), unix.CLONE_NEWCGROUP, begin)
	}
	dir, ok := yard(d.host)
	if ok && dir != "" {
		d.opts.CgroupYard = &dir
	}
	if !ok || dir != "" {
		return begin()
	}
	dir = d.c.dir.Path()
	d.opts.CgroupYard = &dir
	return stage.Do(func() error {
		if err := stage.Room(dir); err != nil {
			return err
		}
		if err := stage.CgroupYard(dir, d.host.V2.Mount); err != nil {
			return err
		}
		return begin()
	})
}

// checkFeatures asks whether kernel and criu can do what is special about this dump.
func (d *dump) checkFeatures(ctx context.Context) error {
	if !d.o.PreDump && !d.o.LazyPages && d.o.ParentPath == "" {
		return nil
	}
	have, err := d.worker.Features(ctx)
	switch {
	case err != nil:
		return err
	case d.o.LazyPages && !have.GetLazyPages():
		return errors.New("--lazy-pages: this kernel (userfaultfd) or criu does not support it")
	case d.o.PreDump && !have.GetMemTrack():
		return errors.New("--pre-dump: this kernel does not track which memory is written to (CONFIG_MEM_SOFT_DIRTY)")
	case d.o.ParentPath != "" && !have.GetMemTrack():
		return errors.New("--parent-path: this kernel does not track which memory is written to (CONFIG_MEM_SOFT_DIRTY)")
	}
	return nil
}

// notified answers criu.
func (d *dump) notified(n *criu.Notification) error {
	if n.Script == "post-dump" && !d.o.PreDump {
		return d.checkLabels()
	}
	if n.Script != "status-ready" || d.o.Status == nil {
		return nil
	}
	defer d.o.Status.Close()
	if _, err := d.o.Status.Write([]byte{0}); err != nil {
		return fmt.Errorf("--status-fd: %w", err)
	}
	return nil
}
