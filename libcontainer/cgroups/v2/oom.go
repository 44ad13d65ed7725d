package v2

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

const oomFile = "memory.events"

// OOMKills counts the processes that the kernel has killed for the memory limit.
func (c *Cgroup) OOMKills() (uint64, error) {
	text, err := c.dir.Read(oomFile)
	if backend.Gone(err) { // also where the memory controller is not enabled
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return backend.EventCount(text, "oom_kill ")
}

// oomWatch holds the two files whose changes the kernel reports to poll.
type oomWatch struct {
	dir    *backend.Dir
	memory int    // memory.events
	events int    // cgroup.events
	last   uint64 // sum of the counts at the last look
}

// WatchOOM begins to watch for a lack of memory. The watch ends with the last process, too.
func (c *Cgroup) WatchOOM() (_ backend.OOMWatch, err error) {
	w := &oomWatch{dir: backend.NewDir(c.dir.Path), memory: -1, events: -1}
	if w.memory, err = w.dir.OpenFile(oomFile, unix.O_RDONLY); err == nil {
		w.events, err = w.dir.OpenFile(eventsFile, unix.O_RDONLY)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	w.Look()
	return w, nil
}

// Poll is what to wait for before the next Look.
func (w *oomWatch) Poll() []unix.PollFd {
	return []unix.PollFd{
		{Fd: int32(w.memory), Events: unix.POLLPRI},
		{Fd: int32(w.events), Events: unix.POLLPRI},
	}
}

// Look reads both files, which arms the next notice.
func (w *oomWatch) Look() (oom, alive bool) {
	events, eerr := backend.ReadFD(w.events)
	text, err := backend.ReadFD(w.memory)
	ooms, _ := backend.EventCount(text, "oom ")
	kills, _ := backend.EventCount(text, "oom_kill ")
	oom = ooms+kills > w.last
	w.last = ooms + kills
	return oom, err == nil && eerr == nil && !strings.Contains(events, "populated 0")
}

func (w *oomWatch) Close() {
	for _, fd := range []int{w.memory, w.events} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	w.dir.Close()
}
