package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/criu"
	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// CRIUOptions are what Checkpoint and Restore have in common.
type CRIUOptions struct {
	// ImageDir holds the images, WorkDir criu's log and statistics; both absolute. Without WorkDir
	// they lie beside the images.
	ImageDir, WorkDir string

	TCPEstablished bool // connected sockets, too
	ExtUnixSockets bool // unix sockets with an end outside of the container
	ShellJob       bool // a terminal that is the caller's
	FileLocks      bool
	AutoDedup      bool // pages that a later image has are dropped from the earlier
	LazyPages      bool // memory goes over the wire when it is asked for
	// CgroupsMode is one of those in CgroupsModes, or empty for criu's default.
	CgroupsMode string
	// NetworkLock is one of those in NetworkLocks, or empty for criu's default, which is iptables
	// where the host has that. A restore unlocks in the way of the checkpoint.
	NetworkLock string
}

// CgroupsModes are the ways in which criu may treat cgroups (criu(8), --manage-cgroups).
func CgroupsModes() []string { return []string{"soft", "full", "strict", "ignore"} }

// NetworkLocks are the ways in which criu may stop a container's traffic meanwhile.
func NetworkLocks() []string { return []string{"iptables", "nftables", "skip"} }

const ignoreCgroups = "ignore"

// check refuses what can be seen to be wrong before anything is touched.
func (o *CRIUOptions) check() error {
	switch {
	case os.Geteuid() != 0 || probe.InUserNS():
		return errors.New("only root of the host can do this: criu reads and makes what belongs to the kernel")
	case o.CgroupsMode != "" && !slices.Contains(CgroupsModes(), o.CgroupsMode):
		return fmt.Errorf("--manage-cgroups-mode: %q is none of %s", o.CgroupsMode, strings.Join(CgroupsModes(), ", "))
	case o.NetworkLock != "" && !slices.Contains(NetworkLocks(), o.NetworkLock):
		return fmt.Errorf("--network-lock: %q is none of %s", o.NetworkLock, strings.Join(NetworkLocks(), ", "))
	}
	return nil
}

// settleCgroups leaves out the cgroups where criu could not tell the container's from others: where
// it has none; where the container is at the root of a hierarchy that is not mounted here, beside
// strangers; and where it has joined a cgroup namespace, of which criu would make a new one. It
// says why another mode can't be had.
func (o *CRIUOptions) settleCgroups(spec *specs.Spec, none bool, host *cgroups.Layout) error {
	why := ""
	switch {
	case none:
		why = "the container has no cgroup"
	case joinedNamespace(spec, specs.CgroupNamespace) != "":
		why = "the container has joined a cgroup namespace"
	case host.Hidden && o.CgroupsMode == "":
	default:
		return nil
	}
	if o.CgroupsMode != "" && o.CgroupsMode != ignoreCgroups {
		return fmt.Errorf("--manage-cgroups-mode: %s can't be had: %s (%s can)", o.CgroupsMode, why, ignoreCgroups)
	}
	o.CgroupsMode = ignoreCgroups
	return nil
}

// settleLock has criu talk to the kernel itself where the program is missing that it would start.
func (o *CRIUOptions) settleLock() {
	if o.NetworkLock == "" && !criu.Has("iptables-restore") {
		o.NetworkLock = "nftables"
	}
}

func (o *CRIUOptions) workDir() string {
	if o.WorkDir == "" {
		return o.ImageDir
	}
	return o.WorkDir
}

// plainError has the words of another less those that engines would misread, see criu.Plain.
type plainError struct{ err error }

func (e *plainError) Error() string { return criu.Plain(e.err.Error()) }

func (e *plainError) Unwrap() error { return e.err }

func plain(err error) error {
	if err == nil {
		return nil
	}
	return &plainError{err}
}

// makeDir makes a directory for criu, or takes one that is there.
func makeDir(flag, dir string) error {
	err := unix.Mkdir(dir, 0o700)
	if errors.Is(err, unix.EEXIST) {
		return isDir(flag, dir)
	}
	if err != nil {
		return fmt.Errorf("%s: make the directory %s: %w", flag, dir, err)
	}
	return nil
}

func isDir(flag, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("%s: look at %s: %w", flag, dir, errors.Unwrap(err))
	case !info.IsDir():
		return fmt.Errorf("%s: %s is no directory", flag, dir)
	}
	return nil
}

// request is a request to criu, with the descriptors that it names in this process.
type request struct {
	opts  rpc.CriuOpts
	dirs  []*os.File
	log   string // the path
	files []*os.File
}

func (r *request) close() {
	for _, f := range append(r.dirs, r.files...) {
		f.Close()
	}
}

// criuLogLevel is how much criu writes into its log: all that its developers ask for.
const criuLogLevel = 4

// newRequest fills in what both kinds of requests have.
func newRequest(o *CRIUOptions, annotations map[string]string, log string) (*request, error) {
	r := &request{log: filepath.Join(o.workDir(), log)}
	level, yes := int32(criuLogLevel), true
	r.opts = rpc.CriuOpts{
		LogFile: &log, LogLevel: &level, NotifyScripts: &yes, OrphanPtsMaster: &yes, ManageCgroups: &yes,
		TcpEstablished: &o.TCPEstablished, ExtUnixSk: &o.ExtUnixSockets, ShellJob: &o.ShellJob,
		FileLocks: &o.FileLocks, AutoDedup: &o.AutoDedup, LazyPages: &o.LazyPages,
	}
	if o.CgroupsMode != "" {
		mode := [...]rpc.CriuCgMode{
			rpc.CriuCgMode_SOFT, rpc.CriuCgMode_FULL, rpc.CriuCgMode_STRICT, rpc.CriuCgMode_IGNORE,
		}[slices.Index(CgroupsModes(), o.CgroupsMode)]
		r.opts.ManageCgroupsMode = &mode
	}
	if o.NetworkLock != "" {
		lock := [...]rpc.CriuNetworkLockMethod{
			rpc.CriuNetworkLockMethod_IPTABLES, rpc.CriuNetworkLockMethod_NFTABLES, rpc.CriuNetworkLockMethod_SKIP,
		}[slices.Index(NetworkLocks(), o.NetworkLock)]
		r.opts.NetworkLock = &lock
	}
	if file := configFile(annotations); file != "" {
		r.opts.ConfigFile = &file
	}
	return r, nil
}

// configFile is the file of settings for criu, which count more than ours: an annotation names it,
// or that there is none, and without the annotation it is runc's. criu does without a missing one.
func configFile(annotations map[string]string) string {
	if file, ok := annotations[names.CriuConfig]; ok {
		return file
	}
	return "/etc/criu/runc.conf"
}

// openDirs opens the directories for criu, in the mount namespace that it is in.
func (r *request) openDirs(o *CRIUOptions) error {
	for _, d := range []struct{ flag, path string }{{"--image-path", o.ImageDir}, {"--work-path", o.workDir()}} {
		fd, err := unix.Open(d.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: open %s: %w", d.flag, d.path, err)
		}
		r.dirs = append(r.dirs, os.NewFile(uintptr(fd), d.path))
	}
	images, work := int32(r.dirs[0].Fd()), int32(r.dirs[1].Fd())
	r.opts.ImagesDirFd, r.opts.WorkDirFd = &images, &work
	return nil
}

// emptyNetwork leaves out what is in the container's own network namespace: who runs it makes that
// anew.
func (r *request) emptyNetwork(spec *specs.Spec) {
	if hasNamespace(spec, specs.NetworkNamespace) && joinedNamespace(spec, specs.NetworkNamespace) == "" {
		empty := uint32(unix.CLONE_NEWNET)
		r.opts.EmptyNs = &empty
	}
}

// checkMountNamespace refuses containers whose mounts are not their own.
func checkMountNamespace(spec *specs.Spec) error {
	if !hasNamespace(spec, specs.MountNamespace) || joinedNamespace(spec, specs.MountNamespace) != "" {
		return errors.New("linux.namespaces: a container without a mount namespace of its own can't be checkpointed or restored")
	}
	return nil
}

// checkRestorable refuses what criu writes down and can't make again as it was.
func checkRestorable(spec *specs.Spec) error {
	if joinedNamespace(spec, specs.UserNamespace) != "" {
		return undumpable("linux.namespaces: a container that has joined a user namespace can't be restored: criu makes a new one " +
			"(give it mappings of its own)")
	}
	if s := spec.Linux.Seccomp; s != nil && s.ListenerPath != "" {
		return undumpable("linux.seccomp.listenerPath: a container with a seccomp agent can't be restored: nothing would answer its system calls")
	}
	return nil
}

// freezer is the directory by which criu freezes the container.
func freezer(paths map[string]string) string {
	if dir, ok := paths["freezer"]; ok {
		return dir
	}
	return paths[""]
}

// yard is a directory in which criu finds all hierarchies mounted; "" if it has to be made, for
// cgroup v2.
func yard(host *cgroups.Layout) (dir string, ok bool) {
	const usual = "/sys/fs/cgroup"
	if host.Hidden {
		return "", false
	}
	for i := range host.V1 {
		if host.V1[i].Mount != cgroups.UsualMount(host.V1[i].Controllers) {
			return "", false
		}
	}
	switch {
	case host.Unified():
		return "", true
	case host.V2 != nil && host.V2.Mount != cgroups.UnifiedMount:
		return "", false
	}
	return usual, len(host.V1) > 0
}

// failure words what criu has refused: the reason stands in its log.
func (r *request) failure(err error) error {
	var refused *criu.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	if reason := criu.Reason(r.log); reason != "" {
		return fmt.Errorf("criu: %s (see %s)", reason, r.log)
	}
	if unix.Access(r.log, unix.F_OK) != nil {
		return fmt.Errorf("%w (there is no %s: a file of settings for criu may name another log)", err, r.log)
	}
	return fmt.Errorf("%w (see %s)", err, r.log)
}

// makeWorkDir makes the directory for criu's log, or takes one that is there, less the log of an
// earlier run: its reason would be taken for that of this one.
func (r *request) makeWorkDir(dir string) error {
	if err := makeDir("--work-path", dir); err != nil {
		return err
	}
	if err := os.Remove(r.log); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--work-path: remove an earlier log: %w", err)
	}
	return nil
}

// startWorker starts a criu that is new enough. It is in the mount namespace of the thread that
// calls, and does not see the end of ctx until its first request.
func startWorker(ctx context.Context, stdio [3]*os.File, files ...*os.File) (*criu.Worker, error) {
	path, err := criu.Find()
	if err != nil {
		return nil, err
	}
	w, err := criu.Start(path, stdio, files...)
	if err != nil {
		return nil, err
	}
	if err := w.CheckVersion(ctx); err != nil {
		w.Kill()
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func hasNamespace(spec *specs.Spec, kind specs.LinuxNamespaceType) bool {
	_, ok := namespace.Of(spec, kind)
	return ok
}

// joinedNamespace is the path of a namespace of the kind that the container has joined, or "".
func joinedNamespace(spec *specs.Spec, kind specs.LinuxNamespaceType) string {
	path, _ := namespace.Of(spec, kind)
	return path
}
