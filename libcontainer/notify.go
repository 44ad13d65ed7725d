package libcontainer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/sdnotify"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// notifyMount is where the container finds its notify socket: users of runc know the place.
const notifyMount = "/run/notify"

// withNotify is o with a mount and a variable that lead the container's process to the notify
// socket below dir.
func (o *CreateOptions) withNotify(dir string) *CreateOptions {
	own, spec := *o, *o.Spec
	spec.Mounts = append(slices.Clip(spec.Mounts), specs.Mount{
		Destination: notifyMount, Source: dir, Type: "bind", Options: []string{"bind", "nosuid", "noexec", "nodev", "ro"},
	})
	if spec.Process != nil {
		p := *spec.Process
		p.Env = append(slices.Clip(p.Env), "NOTIFY_SOCKET="+notifyMount+"/"+state.NotifySocket)
		spec.Process = &p
	}
	own.Spec = &spec
	return &own
}

// makeNotify makes the directory of the notify socket, and, since there will be no start that does,
// the socket.
func (c *creation) makeNotify() error {
	if !c.o.Notify {
		return nil
	}
	if err := c.dir.MakeNotify(); err != nil || !c.o.Run {
		return err
	}
	var err error
	if c.notify, err = c.dir.ListenNotify(); err != nil {
		return err
	}
	c.undo.Add(c.notify.Close)
	return nil
}

// ListenNotify has Start make the socket on which the container's process reports that it is ready,
// if the container was made with Notify.
func (c *Container) ListenNotify() { c.listen = true }

// listenNotify makes the socket. The caller holds the lock and is about to start the program: a
// start that is refused must not take the place of one that waits.
func (c *Container) listenNotify() (err error) {
	if c.listen {
		c.notify, err = c.dir.ListenNotify()
	}
	return err
}

// ForwardReady waits until the container's process has reported READY=1 and tells the service
// manager at address (NOTIFY_SOCKET), with mainPid as the service's main process; 0 is the
// container's init. It returns at once for a container made without Notify, and when the init has
// ended.
func (c *Container) ForwardReady(address string, mainPid int) error {
	if c.notify == nil {
		return nil
	}
	defer func() {
		c.notify.Close()
		c.notify = nil
	}()
	init, err := c.rec.OpenInit()
	if err == nil {
		defer init.Close()
	}
	if mainPid == 0 {
		mainPid = c.rec.InitPid
	}
	if err == nil || errors.Is(err, unix.ESRCH) {
		err = sdnotify.Forward(c.notify, address, mainPid, init)
	}
	if err != nil {
		return fmt.Errorf("the container runs, but nobody was told that it is ready: %w", err)
	}
	return nil
}
