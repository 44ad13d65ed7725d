package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/systemd"
	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/internal/setup"
	"github.com/ociruntime/ociruntime/libcontainer/internal/stage"
	"github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/netdev"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// start starts criu in a mount namespace that is ready for it.
func (c *restoration) start(ctx context.Context) error {
	stdio, null, err := c.stdio()
	if err != nil {
		return err
	}
	defer null.Close()
	if hasNamespace(c.spec, specs.UserNamespace) {
		if err := setup.OwnPipes(stdio, c.spec.Linux, c.spec.Process); err != nil {
			return err
		}
	}
	lock, err := c.dir.LockFile()
	if err != nil {
		return err
	}
	defer lock.Close()
	defer c.files.Close()
	return stage.Do(func() error {
		if err := c.furnish(); err != nil {
			return err
		}
		if err := c.req.openDirs(&c.ro.CRIUOptions); err != nil {
			return err
		}
		if !c.o.NoNewKeyring {
			stage.Keyring("_ses." + c.id)
		}
		if err := setup.SetMemoryPolicy(c.spec.Linux.MemoryPolicy); err != nil {
			return err
		}
		if c.ownNS != nil {
			if err := unix.Setns(int(c.ownNS.Fd()), unix.CLONE_NEWCGROUP); err != nil {
				return fmt.Errorf("enter the container's cgroup namespace: %w", err)
			}
		}
		return entry.AsCaller(func() (err error) {
			c.worker, err = startWorker(ctx, stdio, append(c.inherit, lock)...)
			return err
		})
	})
}

// furnish makes the mounts for criu, and names them.
func (c *restoration) furnish() error {
	if err := stage.BindOnItself(c.rec.Config.Rootfs); err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	if err := c.makePivot(); err != nil {
		return err
	}
	room := c.room()
	if err := os.Mkdir(room, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make a directory for criu: %w", err)
	}
	if err := c.makeRoom(room); err != nil {
		return err
	}
	return c.nameMounts(room)
}

// makeRoom makes a room for mounts, with the cgroups if criu is not to look for them elsewhere.
func (c *restoration) makeRoom(room string) error {
	if err := stage.Room(room); err != nil {
		return err
	}
	dir, ok := yard(c.host)
	if ok && dir == "" {
		dir = room
		if err := stage.CgroupYard(room, c.host.V2.Mount); err != nil {
			return err
		}
	}
	if ok {
		c.req.opts.CgroupYard = &dir
	}
	return nil
}

// room is where mounts for criu alone are made. With a user namespace its root has to get there.
func (c *restoration) room() string {
	if hasNamespace(c.spec, specs.UserNamespace) {
		used := []string{c.rec.Config.Rootfs, c.ro.ImageDir, c.ro.workDir()}
		for i := range c.spec.Mounts {
			used = append(used, compile.HostPath(c.spec.Mounts[i].Source, c.o.Bundle))
		}
		if place := stage.PublicPlace(used); place != "" {
			return place
		}
	}
	return c.ownRoom()
}

// ownRoom is in the container's directory, and empty on the host.
func (c *restoration) ownRoom() string { return filepath.Join(c.dir.Path(), "criu") }

// makePivot makes /tmp in a root file system that has none, for the time of the restore: criu puts
// the old root there, or in a directory that it makes, which it can't where root.readonly is set.
func (c *restoration) makePivot() error {
	tmp := filepath.Join(c.rec.Config.Rootfs, "tmp")
	if !c.spec.Root.Readonly || unix.Access(tmp, unix.F_OK) == nil {
		return nil
	}
	if err := unix.Mkdir(tmp, 0o755); err != nil {
		return fmt.Errorf("root.readonly: make /tmp for criu: %w", err)
	}
	c.pivot = tmp
	return nil
}

// lendImages gives the directory of the images to root of the container's user namespace, and to
// our own group: the container's processes read the rest of them themselves, at first in a user
// namespace that has no maps yet, where they are strangers to all but what is ours, and then as
// nobody but its root.
func (c *restoration) lendImages() error {
	if !hasNamespace(c.spec, specs.UserNamespace) {
		return nil
	}
	dir := c.ro.ImageDir
	root, ok := idmap.HostID(c.spec.Linux.UIDMappings, 0)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || !ok || st.Mode&0o005 == 0o005 {
		return err
	}
	c.lent = func() error {
		c.lent = nil
		return errors.Join(unix.Chown(dir, int(st.Uid), int(st.Gid)), unix.Chmod(dir, st.Mode&0o7777))
	}
	if err := errors.Join(unix.Chown(dir, int(root), 0), unix.Chmod(dir, st.Mode&0o7777|0o750)); err != nil {
		return fmt.Errorf("--image-path: lend %s to the container: %w", dir, err)
	}
	return nil
}

// takeBack undoes what was for the time of the restore alone.
func (c *restoration) takeBack() error {
	if c.pivot != "" {
		_ = unix.Rmdir(c.pivot) // unless somebody uses it
	}
	if c.lent == nil {
		return nil
	}
	return c.lent()
}

// describeCgroups says where the container's processes go.
func (c *restoration) describeCgroups() {
	if c.ro.CgroupsMode == ignoreCgroups {
		return
	}
	for _, p := range c.places {
		controllers, path := "", p.Rel
		if !p.V2 {
			controllers = strings.Join(p.Tree.Controllers, ",")
		}
		c.req.opts.CgRoot = append(c.req.opts.CgRoot, &rpc.CgroupRoot{Ctrl: &controllers, Path: &path})
	}
}

// withholdPids keeps the limit on processes back until all are there: criu's helpers count, too.
func (c *restoration) withholdPids() {
	isPids := func(w cgroups.Write) bool { return w.Controller == "pids" }
	for _, w := range c.set.Writes {
		if isPids(w) {
			c.late = append(c.late, w)
		}
	}
	c.set.Writes = slices.DeleteFunc(c.set.Writes, isPids)
	if c.scope == nil {
		return
	}
	isTasks := func(p systemd.Property) bool { return p.Name == "TasksMax" }
	for _, p := range c.scope.props {
		if isTasks(p) {
			c.scope.late = append(c.scope.late, p)
		}
	}
	c.scope.props = slices.DeleteFunc(c.scope.props, isTasks)
}

// limit is for when all processes are there and none runs yet.
func (c *restoration) limit() error {
	if err := c.scope.finish(); err != nil {
		return err
	}
	if err := c.cg.Finish(); err != nil {
		return err
	}
	return c.cg.Update(&cgroups.Settings{Writes: c.late})
}

// placeWorker puts criu where the processes inherit what criu does not restore.
func (c *restoration) placeWorker() error {
	pid := c.worker.Pid
	if err := setup.AllCPUs(pid); err != nil {
		return err
	}
	if err := setup.SetIOPriority(pid, c.spec.Process.IOPriority); err != nil {
		return err
	}
	if c.resctrl != nil {
		if err := c.resctrl.Join(pid); err != nil {
			return err
		}
	}
	if c.ro.CgroupsMode == ignoreCgroups && !c.rt.NoCgroup {
		return c.cg.Join(pid)
	}
	return nil
}

// checkMemoryPolicy says what has become of linux.memoryPolicy, which the processes have from criu,
// and criu from us.
func (c *restoration) checkMemoryPolicy() {
	policy := c.spec.Linux.MemoryPolicy
	if policy == nil || c.proc == nil {
		return
	}
	if is := setup.MovedMemoryPolicy(c.proc.Pid(), policy); is != "" {
		c.rt.warn(fmt.Sprintf("linux.memoryPolicy: restored as %s, not for the nodes %s: it is set before the processes enter their cpuset, "+
			"and the kernel moves it along (with the flag %s it does not)", is, policy.Nodes, specs.MpolFStaticNodes))
	}
}

// checkPlaced sees to it that the processes are where their limits are in force. They are not if
// the images hold no cgroups.
func (c *restoration) checkPlaced() error {
	if c.rt.NoCgroup || c.proc == nil {
		return nil
	}
	is, err := cgroups.OfProcess(c.host, c.proc.Pid())
	if err != nil {
		return err
	}
	defer is.Close()
	found := is.Paths()
	for controller, dir := range c.cg.Paths() {
		if now := found[controller]; now != dir && !strings.HasPrefix(now, dir+"/") {
			return errors.New("the images do not say in which cgroups the processes were, as after a checkpoint with " +
				"--manage-cgroups-mode ignore: restore with the same")
		}
	}
	return nil
}

// cgroupNamespace makes the container's cgroup namespace where criu would not: its root is the
// cgroup of the process that makes it.
func (c *restoration) cgroupNamespace() error {
	kind := specs.CgroupNamespace
	switch {
	case !hasNamespace(c.spec, kind):
		return nil
	case joinedNamespace(c.spec, kind) != "":
		f, err := os.Open(joinedNamespace(c.spec, kind))
		if err != nil {
			return fmt.Errorf("linux.namespaces: join a cgroup namespace: %w", err)
		}
		c.ownNS = f
		return nil
	case c.ro.CgroupsMode != ignoreCgroups:
		return nil
	}
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	b.Host("join", "linux.cgroupsPath", "move it to the container's cgroup")
	b.Step("default", "make a cgroup namespace", plan.Unshare(plan.Int(unix.CLONE_NEWCGROUP, "NEWCGROUP")))
	b.Host("open", "default", "take a descriptor of the namespace")
	b.Step("default", "end", plan.Exit(0))
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := launch.Start(&launch.Config{Plan: &b.Plan, Stdio: [3]*os.File{null, null, null}, Dir: c.dir.Path()})
	if err != nil {
		return err
	}
	defer p.Close()
	err = p.Serve(context.Background(), func(s *plan.Step, _ []*os.File) (err error) {
		if s.Do == "join" {
			return c.cg.Join(p.Pid())
		}
		c.ownNS, err = os.Open(fmt.Sprintf("/proc/%d/ns/cgroup", p.Pid()))
		return err
	})
	if err == nil {
		_, err = p.Wait()
	}
	return err
}

// runEarlyHooks runs those that create runs while the namespaces are there and the mounts are not.
func (c *restoration) runEarlyHooks(ctx context.Context) error {
	if c.spec.Hooks == nil || c.proc == nil {
		return nil
	}
	for _, do := range []plan.HostStep{compile.DoPrestart, compile.DoCreateRuntime} {
		if err := c.runHooks(ctx, &plan.Step{Do: do}, nil); err != nil {
			return err
		}
	}
	return nil
}

// setUpNetwork makes a network namespace what create makes of it: criu leaves it as it is made.
func (c *restoration) setUpNetwork() error {
	lin := c.spec.Linux
	if c.proc == nil || !hasNamespace(c.spec, specs.NetworkNamespace) {
		return nil
	}
	var netlink *os.File
	err := stage.InNamespace(fmt.Sprintf("/proc/%d/ns/net", c.proc.Pid()), unix.CLONE_NEWNET, func() error {
		if joinedNamespace(c.spec, specs.NetworkNamespace) == "" {
			if err := netdev.Loopback(); err != nil {
				return err
			}
		}
		if len(lin.NetDevices) == 0 {
			return setSysctls(lin.Sysctl)
		}
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		netlink = os.NewFile(uintptr(fd), "netlink")
		return err
	})
	if err != nil || netlink == nil {
		return err
	}
	defer netlink.Close()
	if err := c.moveNetDevices(netlink); err != nil {
		return err
	}
	// Some are about the devices.
	return stage.InNamespace(fmt.Sprintf("/proc/%d/ns/net", c.proc.Pid()), unix.CLONE_NEWNET, func() error { return setSysctls(lin.Sysctl) })
}

// setSysctls sets those of the network namespace that the calling thread is in.
func setSysctls(all map[string]string) error {
	proc, err := setup.OpenProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		path := names.SysctlPath(key)
		if !strings.HasPrefix(path, "net/") {
			continue
		}
		fd, err := fs.OpenBelow(int(proc.Fd()), filepath.Join("sys", path), &unix.OpenHow{
			Flags: unix.O_WRONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		})
		if err == nil {
			_, err = unix.Write(fd, []byte(all[key]))
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("linux.sysctl.%s: set it to %s: %w", key, all[key], err)
		}
	}
	return nil
}
