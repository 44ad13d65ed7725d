package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/criu"
	"github.com/ociruntime/ociruntime/libcontainer/internal/unixsock"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// RestoreOptions are the parts of `restore` that do not stand in config.json. Of CreateOptions it
// has no use for NoPivot, Notify, Run, Preserve and Trace.
type RestoreOptions struct {
	CreateOptions
	CRIUOptions
	TCPClose bool // connected sockets come back closed
	// LSMProfile, "apparmor:NAME" or "selinux:NAME", and LSMMountContext take the place of those
	// of the images.
	LSMProfile, LSMMountContext string
}

// restoration is one call of Restore.
type restoration struct {
	*creation
	req      *request
	ro       *RestoreOptions
	inherit  []*os.File // criu's from the fourth on
	worker   *criu.Worker
	terminal *os.File // the console socket, connected
	late     []cgroups.Write
	ownNS    *os.File     // a cgroup namespace for criu
	lent     func() error // takes the images back, see lendImages
	pivot    string       // see makePivot
	resize   []func() error
	lends    []lentMount
}

// Restore makes a container again from the images of Checkpoint, under any id. It runs when Restore
// returns; its init is our child. Otherwise it is as Create: after an error nothing is left, or at
// least the record by which a forced Delete finds the rest. ctx ends it in the same way.
func (r *Runtime) Restore(ctx context.Context, id string, o *RestoreOptions) (*Container, *Process, error) {
	c, p, err := r.restore(ctx, id, o)
	return c, p, plain(err)
}

func (r *Runtime) restore(ctx context.Context, id string, o *RestoreOptions) (*Container, *Process, error) {
	if err := state.CheckID(id); err != nil {
		return nil, nil, err
	}
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	given := o.CreateOptions
	given.Run, given.Notify, given.Preserve, given.Trace = true, false, nil, ""
	own := *o
	c := &restoration{creation: newCreation(r, id, &given), ro: &own}
	defer c.release()
	defer c.letGo()
	if err := c.prepare(); err != nil {
		return nil, nil, err
	}
	unlock, err := c.claim(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if err := c.carryOut(ctx); err != nil {
		return nil, nil, errors.Join(err, c.unmake(ctx))
	}
	p, err := newProcess(c.proc)
	if err != nil {
		r.warn(err.Error())
	}
	return c.container(), p, nil
}

// check refuses what can be seen to be wrong before anything is touched.
func (o *RestoreOptions) check() error {
	if err := o.CRIUOptions.check(); err != nil {
		return err
	}
	if err := o.checkLSM(); err != nil {
		return err
	}
	if o.Spec.Process == nil {
		return errors.New("process: not set in config.json, so there is nothing to restore")
	}
	if err := checkMountNamespace(o.Spec); err != nil {
		return err
	}
	if err := checkRestorable(o.Spec); err != nil {
		return err
	}
	if err := isDir("--image-path", o.ImageDir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(o.ImageDir, "inventory.img")); err != nil {
		return fmt.Errorf("--image-path: %s holds no images of a checkpoint (inventory.img is missing)", o.ImageDir)
	}
	return nil
}

func (o *RestoreOptions) checkLSM() error {
	kind, name, _ := strings.Cut(o.LSMProfile, ":")
	if o.LSMProfile == "" || name != "" && (kind == "apparmor" || kind == "selinux") {
		return nil
	}
	return fmt.Errorf("--lsm-profile: %q is neither apparmor:NAME nor selinux:NAME", o.LSMProfile)
}

// describeLSM leaves criu what is in the images where nothing is said.
func (o *RestoreOptions) describeLSM(opts *rpc.CriuOpts) {
	if o.LSMProfile != "" {
		opts.LsmProfile = &o.LSMProfile
	}
	if o.LSMMountContext != "" {
		opts.LsmMountContext = &o.LSMMountContext
	}
}

// prepare compiles what create would, and puts the request together. Nothing is made but the
// directory for criu's log.
func (c *restoration) prepare() (err error) {
	if err := c.compile(); err != nil {
		return err
	}
	if _, err := criu.Find(); err != nil {
		return err
	}
	if err := c.ro.settleCgroups(c.spec, c.rt.NoCgroup, c.host); err != nil {
		return err
	}
	if c.ro.NetworkLock != "" {
		c.rt.warn("--network-lock: a restore lets the traffic go again in the way in which the checkpoint has stopped it")
	}
	if c.req, err = newRequest(&c.ro.CRIUOptions, c.spec.Annotations, "restore.log"); err != nil {
		return err
	}
	yes, root := true, compile.RootfsPath(c.spec, c.o.Bundle)
	c.req.opts.RstSibling, c.req.opts.Root, c.req.opts.TcpClose = &yes, &root, &c.ro.TCPClose
	c.ro.describeLSM(&c.req.opts)
	c.req.emptyNetwork(c.spec)
	c.describeCgroups()
	if err := c.describeStreams(); err != nil {
		return err
	}
	if err := c.describeNamespaces(); err != nil {
		return err
	}
	if c.given.ConsoleSocket != "" {
		if c.terminal, err = unixsock.Dial(c.given.ConsoleSocket); err != nil {
			return fmt.Errorf("--console-socket: %w", err)
		}
	}
	return c.req.makeWorkDir(c.ro.workDir())
}

// letGo closes what was for criu alone.
func (c *restoration) letGo() {
	if c.req != nil {
		c.req.close()
	}
	if c.terminal != nil {
		c.terminal.Close()
	}
	if c.ownNS != nil {
		c.ownNS.Close()
	}
}

// describeStreams puts ours in place of the pipes, fifos and logs that the standard streams were.
func (c *restoration) describeStreams() error {
	name := filepath.Join(c.ro.ImageDir, descriptorsFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--image-path: %s is missing, which says what the standard streams are", name)
	}
	var list []string
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err == nil && len(list) > len(c.given.Stdio) {
		err = errors.New("too many entries")
	}
	if err != nil {
		return fmt.Errorf("--image-path: read %s: %w", name, err)
	}
	for i, key := range list {
		if strings.HasPrefix(key, externalTerminalPrefix) {
			if err := c.giveTerminal(i); err != nil {
				return err
			}
		}
		if _, ok := external(key); ok || strings.HasPrefix(key, "pipe:") {
			c.inheritAs(c.streamKey(key), int32(i))
		}
	}
	return nil
}

// giveTerminal wants a terminal where there was one of the host's. criu sets its modes as they
// were, and its size, which is not the program's to say. criu's own way to connect one, its
// --shell-job, crashes in a mount namespace, and looks for a standard input that is given away.
func (c *restoration) giveTerminal(i int) error {
	no := false
	c.req.opts.ShellJob = &no
	f := c.given.Stdio[i]
	if f == nil || !console.IsTerminal(int(f.Fd())) {
		return fmt.Errorf("%s was a terminal of the host at the checkpoint with --shell-job, and is none now: restore from a terminal", streamNames[i])
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return fmt.Errorf("ask for the size of the terminal: %w", err)
	}
	c.resize = append(c.resize, func() error {
		if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, size); err != nil {
			return fmt.Errorf("give the terminal its size back: %w", err)
		}
		return nil
	})
	return nil
}

func (c *restoration) resizeTerminals() error {
	for _, resize := range c.resize {
		if err := resize(); err != nil {
			return err
		}
	}
	return nil
}

// streamKey is the name under which criu is to find a stream. A fifo of the host it opens anew, and
// puts in again what waited to be read. In a user namespace the container's root has no right to do
// that.
func (c *restoration) streamKey(key string) string {
	if strings.HasPrefix(key, externalFilePrefix) && hasNamespace(c.spec, specs.UserNamespace) {
		return asItIs(key)
	}
	return key
}

func (c *restoration) inheritAs(key string, fd int32) {
	c.req.opts.InheritFd = append(c.req.opts.InheritFd, &rpc.InheritFd{Key: &key, Fd: &fd})
}

// describeNamespaces names those that are joined by path.
func (c *restoration) describeNamespaces() error {
	for _, ns := range sharedNamespaces {
		path := joinedNamespace(c.spec, ns.kind)
		if path == "" {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("linux.namespaces: open %s: %w", path, err)
		}
		c.req.files = append(c.req.files, f)
		c.inherit = append(c.inherit, f)
		c.inheritAs(ns.key, criu.Descriptor(len(c.inherit)-1))
	}
	for _, kind := range []specs.LinuxNamespaceType{specs.IPCNamespace, specs.UTSNamespace, specs.TimeNamespace} {
		if path := joinedNamespace(c.spec, kind); path != "" {
			name := string(kind)
			c.req.opts.JoinNs = append(c.req.opts.JoinNs, &rpc.JoinNamespace{Ns: &name, NsFile: &path})
		}
	}
	return nil
}

// carryOut restores. What it makes is on the list of how to unmake it.
func (c *restoration) carryOut(ctx context.Context) (err error) {
	if err := c.record(); err != nil {
		return err
	}
	// criu makes one for every container.
	c.rec.AddNamespace("NEWTIME")
	c.withholdPids()
	if err := c.makeCgroup(); err != nil {
		return err
	}
	if err := c.cgroupNamespace(); err != nil {
		return err
	}
	if err := c.lendImages(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.takeBack()) }()
	if err := c.start(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.worker.Kill()
		}
		_ = c.worker.Close() // its answer says what has come of it
		_ = os.Remove(c.ownRoom())
	}()
	if err := c.placeWorker(); err != nil {
		return err
	}
	if err := c.container().noteWorker(c.worker.Pid); err != nil {
		return err
	}
	if _, err := c.worker.Do(ctx, rpc.CriuReqType_RESTORE, &c.req.opts, func(n *criu.Notification) error { return c.notified(ctx, n) }); err != nil {
		return c.req.failure(err)
	}
	if c.proc == nil || c.rec.Phase != state.Created {
		return errors.New("criu has not said which process it has restored")
	}
	if err := c.container().noteWorker(0); err != nil {
		return err
	}
	return c.announce("standard")
}

// notified does our part at each moment of a restore.
func (c *restoration) notified(ctx context.Context, n *criu.Notification) error {
	if n.Pid > 0 && c.proc == nil {
		// Made with its parent for a parent, as ForkExec would have.
		c.proc = launch.Adopt(n.Pid)
		c.undo.Add(c.endInit)
	}
	switch n.Script {
	case "setup-namespaces":
		if err := c.widen(); err != nil {
			return err
		}
		if err := c.runEarlyHooks(ctx); err != nil {
			return err
		}
		return c.setUpNetwork()
	case "orphan-pts-master":
		return c.deliverTerminal(n)
	case "post-restore":
		if err := c.checkPlaced(); err != nil {
			return err
		}
		return c.recordCreated()
	case "pre-resume":
		c.checkMemoryPolicy()
		err := errors.Join(c.takeBack(), c.resizeTerminals(), c.limit(), c.checkLabels())
		if err != nil && c.proc != nil {
			// criu lets them run, whatever we say, or waits for ever for one that is killed.
			_ = unix.Kill(c.proc.Pid(), unix.SIGKILL)
			c.worker.Kill()
		}
		return err
	}
	return nil
}

// deliverTerminal passes on the master of the container's terminal.
func (c *restoration) deliverTerminal(n *criu.Notification) error {
	if len(n.Files) != 1 {
		return errors.New("criu has not sent the container's terminal")
	}
	master := n.Files[0]
	switch {
	case c.terminal != nil:
		if err := console.Send(c.terminal, master); err != nil {
			return fmt.Errorf("--console-socket: %w", err)
		}
	case c.given.Console != nil:
		n.Files = nil
		return c.given.Console(master)
	}
	return nil
}

// stdio are the standard streams for criu, which are the container's then.
func (c *restoration) stdio() (list [3]*os.File, null *os.File, err error) {
	if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return list, nil, err
	}
	for i, f := range c.given.Stdio {
		list[i] = f
		if f == nil || c.spec.Process.Terminal {
			list[i] = null
		}
	}
	return list, null, nil
}
