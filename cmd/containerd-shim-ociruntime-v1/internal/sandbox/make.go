package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/note"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/options"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/rootfs"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

const (
	// rootName is the directory in the bundle that is the root of the pod's process. containerd's
	// own, rootfs, has to be empty in the end.
	rootName = "root"
	// stopTime is how long the pod's process is waited for, unless containerd says.
	stopTime = 10 * time.Second
	// oomScore is that of a pod's process: without it, its containers are not to be had.
	oomScore = "-998"
)

// Annotations of CRI's, by which tools know what a container is.
const (
	containerType = "io.kubernetes.cri.container-type"
	sandboxID     = "io.kubernetes.cri.sandbox-id"
)

// Prepare notes in the bundle of a pod what the shim's start is told and no call of the service's.
// A pod's bundle is one without a configuration.
func Prepare(bundle string, o options.Options, namespace string) error {
	if _, err := os.Stat(filepath.Join(bundle, load.ConfigName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n := &note.Note{Root: note.Root(o.Root, namespace), SystemdCgroup: o.SystemdCgroup}
	return n.Save(bundle)
}

// make makes the pod's process and files. After an error there is nothing left of them.
func (p *sandbox) make(ctx context.Context, host *Host, r *api.CreateSandboxRequest) (err error) {
	n, err := note.Read(p.bundle)
	if err != nil {
		return err
	}
	if n == nil {
		n = &note.Note{Root: note.Root("", host.Namespace)}
	}
	systemd := n.SystemdCgroup
	n.SystemdCgroup = systemd || systemdCgroups(p.config.GetLinux().GetCgroupParent())
	if err := n.Save(p.bundle); err != nil {
		return err
	}
	defer func() {
		if err != nil && n.SystemdCgroup != systemd {
			n.SystemdCgroup = systemd // what this pod was to have says nothing of the next one
			err = errors.Join(err, n.Save(p.bundle))
		}
	}()
	p.rt = n.Runtime(host.Warn)
	p.rt.Resident = true
	if err := p.makeFiles(); err != nil {
		return errors.Join(err, Unmount(p.bundle))
	}
	if err := p.makeProcess(ctx, r.GetNetnsPath()); err != nil {
		return errors.Join(err, Unmount(p.bundle))
	}
	// Where this is not allowed the score stays the daemon's, as in a container that tests run in.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.process.Pid), []byte(oomScore), 0); err != nil && !os.IsPermission(err) {
		host.Warn(err.Error())
	}
	p.made = time.Now()
	// containerd has the shim's delete remove the pod when it has waited for too long, and that may
	// have been too early to find anything.
	if _, err := os.Stat(p.bundle); err != nil {
		return errors.Join(err, p.rt.Delete(ctx, p.id, true))
	}
	return nil
}

func (p *sandbox) makeProcess(ctx context.Context, netns string) error {
	s := &surroundings{
		ID: p.id, Root: filepath.Join(p.bundle, rootName), Network: netns, InUserNS: inUserNamespace(),
		Annotations: map[string]string{containerType: "sandbox", sandboxID: p.id},
	}
	if err := os.MkdirAll(filepath.Join(s.Root, "dev"), 0o711); err != nil {
		return err
	}
	if mapped(p.config) && netns != "" {
		owner, err := ownerOf(netns)
		if err != nil {
			return err
		}
		if owner != nil {
			defer owner.Close()
			s.User = fmt.Sprintf("/proc/self/fd/%d", owner.Fd())
		}
	}
	spec := spec(p.config, s)
	if _, err := check.Spec(spec, check.Options{SystemdCgroup: p.rt.SystemdCgroup}); err != nil {
		return err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	_, p.process, err = p.rt.Create(ctx, p.id, &libcontainer.CreateOptions{
		ProcessOptions: libcontainer.ProcessOptions{Stdio: [3]*os.File{null, null, null}},
		Bundle:         p.bundle, Spec: spec, Config: text, Hold: true,
	})
	return err
}

// ownerOf is the user namespace that a network namespace belongs to: for a pod in one, containerd
// makes both. It is nil if that is our own.
func ownerOf(netns string) (*os.File, error) {
	net, err := os.Open(netns)
	if err != nil {
		return nil, err
	}
	defer net.Close()
	fd, err := unix.IoctlRetInt(int(net.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return nil, fmt.Errorf("find the user namespace of %s: %w", netns, err)
	}
	owner := os.NewFile(uintptr(fd), "user namespace")
	theirs, err := owner.Stat()
	ours, oerr := os.Stat("/proc/self/ns/user")
	if err = errors.Join(err, oerr); err != nil || os.SameFile(theirs, ours) {
		return nil, errors.Join(err, owner.Close())
	}
	return owner, nil
}

// inUserNamespace reports whether this program is in one that is not the host's.
func inUserNamespace() bool {
	const all = 1<<32 - 1
	var inside, outside, length uint64
	text, err := os.ReadFile("/proc/self/uid_map")
	if err == nil {
		_, err = fmt.Sscan(string(text), &inside, &outside, &length)
	}
	return err != nil || outside != 0 || length != all
}

// makeFiles makes what the pod's containers have in common.
func (p *sandbox) makeFiles() error {
	name := hostname(p.config)
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return err
		}
	}
	for file, text := range map[string]string{fileHostname: name + "\n", fileHosts: "", fileResolv: resolvConf(p.config.GetDnsConfig())} {
		if text == "" {
			host, err := os.ReadFile(etc + file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			text = string(host)
		}
		if err := os.WriteFile(filepath.Join(p.bundle, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if hostIPC(p.config) {
		return nil // containerd gives them the host's
	}
	// Of the size that containerd's is.
	shm := &api.Mount{Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}}
	return rootfs.Mount([]*api.Mount{shm}, filepath.Join(p.bundle, dirShm), nil)
}

// Unmount unmounts what is mounted in the bundle of a pod.
func Unmount(bundle string) error { return rootfs.Unmount(filepath.Join(bundle, dirShm)) }

// Files puts the pod's files into the configuration of a container, if it is one of the pod's.
func (s *Service) Files(bundle string) error {
	s.mu.Lock()
	p := s.pod
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	path := filepath.Join(bundle, load.ConfigName)
	config, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc document
	if err := json.Unmarshal(config, &doc); err != nil || doc.Annotations[sandboxID] != p.id {
		return nil // what is wrong with it Create says
	}
	// After the end of a pod its files are about to go, and its /dev/shm is the host's directory.
	if _, _, err := s.step(count, p.id); err != nil {
		return err
	}
	var names []string
	for _, name := range []string{fileHostname, fileHosts, fileResolv, dirShm} {
		if _, err := os.Stat(filepath.Join(p.bundle, name)); err == nil {
			names = append(names, name)
		}
	}
	if config, err = addFiles(config, p.bundle, names); err != nil {
		return err
	}
	return note.Replace(path, config)
}

// stop ends the pod's process. It has nothing to tidy up, so it is killed.
func (p *sandbox) stop(ctx context.Context, patience time.Duration) error {
	lc, err := p.rt.Load(p.id)
	if err == nil {
		err = lc.Kill(unix.SIGKILL, false)
	}
	if err != nil && !errors.Is(err, libcontainer.ErrNotExist) && !errors.Is(err, libcontainer.ErrNotRunning) {
		return fmt.Errorf("stop sandbox %s: %w", p.id, err)
	}
	if patience == 0 {
		patience = stopTime
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return fmt.Errorf("stop sandbox %s: its process has not ended after %v", p.id, patience)
	}
}

// remove removes all that was made for the pod. It can be repeated.
func (p *sandbox) remove(ctx context.Context) error {
	err := p.rt.Delete(ctx, p.id, true)
	if err == nil {
		err = p.stop(ctx, 0)
	}
	return errors.Join(err, Unmount(p.bundle))
}

// left is how the pod is after its removal has failed.
func (p *sandbox) left() status {
	select {
	case <-p.over:
		return ended
	default:
		return started
	}
}
