package libcontainer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/inspect"
)

// Inspection is what can be seen of a container from the host.
type Inspection struct {
	State       *State
	CgroupPaths map[string]string // by controller, "" for cgroup v2
	Systemd     string            // its unit, or empty
	// What follows is nil or empty for a container that has stopped.
	Init       *inspect.Process
	Namespaces []NamespaceView
	Processes  []inspect.Status // as far as they could be looked at
}

// NamespaceView is a namespace of a container beside that of whoever looks.
type NamespaceView struct {
	Type  string `json:"type"`
	Inode uint64 `json:"inode"`
	// Relation is "own", "joined" for one that config.json names a path of, and "shared" for the
	// looker's.
	Relation string `json:"relation"`
	Path     string `json:"path,omitempty"` // of the one that was joined
}

// Inspect looks at a container. It is for people: what it tells may have changed by then.
func (c *Container) Inspect() (*Inspection, error) {
	st, err := c.State()
	if err != nil {
		return nil, err
	}
	st.Owner = c.Owner()
	v := &Inspection{State: st, CgroupPaths: c.rec.CgroupPaths, Systemd: c.rec.SystemdScope}
	if st.Pid == 0 {
		return v, nil
	}
	if v.Init, err = inspect.Read(st.Pid); err == nil {
		v.Namespaces, err = c.namespaceViews(st.Pid)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, c.notRunning() // it has ended meanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("look at the container's init: %w", err)
	}
	v.Processes = c.processes(st.Pid)
	return v, nil
}

// processes are those in the container's cgroup, or the init alone where there is none.
func (c *Container) processes(init int) (list []inspect.Status) {
	pids, err := c.Pids()
	if err != nil {
		pids = []int{init}
	}
	for _, pid := range pids {
		if s, err := inspect.ReadStatus(pid); err == nil {
			list = append(list, *s)
		}
	}
	slices.SortFunc(list, func(a, b inspect.Status) int { return cmp.Compare(inside(a), inside(b)) })
	return list
}

func inside(s inspect.Status) int {
	if len(s.Pids) == 0 {
		return 0
	}
	return s.Pids[len(s.Pids)-1]
}

func (c *Container) namespaceViews(pid int) (list []NamespaceView, err error) {
	joined := map[string]string{}
	for _, ns := range c.rec.Config.Namespaces {
		joined[ns.Type] = ns.Path
	}
	for _, kind := range []struct{ name, file, record string }{
		{"mount", "mnt", "NEWNS"}, {"pid", "pid", "NEWPID"}, {"network", "net", "NEWNET"}, {"uts", "uts", "NEWUTS"}, {"ipc", "ipc", "NEWIPC"},
		{"cgroup", "cgroup", "NEWCGROUP"}, {"user", "user", "NEWUSER"}, {"time", "time", "NEWTIME"},
	} {
		theirs, err := namespaceInode(fmt.Sprint(pid), kind.file)
		if err != nil {
			return nil, err
		}
		ours, err := namespaceInode("self", kind.file)
		if err != nil {
			return nil, err
		}
		v := NamespaceView{Type: kind.name, Inode: theirs, Relation: "own", Path: joined[kind.record]}
		switch {
		case theirs == ours:
			v.Relation = "shared"
		case v.Path != "":
			v.Relation = "joined"
		}
		list = append(list, v)
	}
	return list, nil
}

func namespaceInode(pid, file string) (uint64, error) {
	var st unix.Stat_t
	path := "/proc/" + pid + "/ns/" + file
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}
