package v1

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

const oomFile = "memory.oom_control"

// OOMKills counts the processes that the kernel has killed for the memory limit.
func (c *Cgroup) OOMKills() (uint64, error) {
	text, err := c.dir.Read(oomFile)
	if backend.Gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return backend.EventCount(text, "oom_kill ")
}

// oomWatch is an eventfd that is registered with the kernel.
type oomWatch struct {
	dir   *backend.Dir
	event int
}

// WatchOOM asks for a notice through an eventfd.
func (c *Cgroup) WatchOOM() (backend.OOMWatch, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	w := &oomWatch{dir: backend.NewDir(c.dir.Path), event: event}
	if err := w.register(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *oomWatch) register() error {
	control, err := w.dir.OpenFile(oomFile, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(control)
	return w.dir.Write("cgroup.event_control", fmt.Sprintf("%d %d", w.event, control))
}

// Poll is what to wait for before the next Look.
func (w *oomWatch) Poll() []unix.PollFd {
	return []unix.PollFd{{Fd: int32(w.event), Events: unix.POLLIN}}
}

// Look takes the notice. The kernel gives it before it kills, so its count of kills says nothing
// yet; and it gives one when the cgroup is removed, which the file tells apart.
func (w *oomWatch) Look() (oom, alive bool) {
	n, _ := unix.Read(w.event, make([]byte, 8))
	_, err := w.dir.Read(oomFile)
	return n == 8 && err == nil, err == nil
}

func (w *oomWatch) Close() {
	unix.Close(w.event)
	w.dir.Close()
}
