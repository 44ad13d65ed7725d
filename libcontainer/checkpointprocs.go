package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// checkProcesses refuses what criu would find out in the middle of a dump, and says what it leaves
// out.
func (d *dump) checkProcesses() error {
	cg, err := d.c.cgroup()
	if err != nil {
		return err
	}
	defer cg.Close()
	pids, err := cg.Pids()
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		pids = []int{d.c.rec.InitPid}
	}
	ids := mountIDs{}
	if err := ids.add(d.c.rec.InitPid); err != nil {
		return err
	}
	var strangers []string
	for _, pid := range pids {
		if !d.descends(pid) {
			strangers = append(strangers, strconv.Itoa(pid))
			continue
		}
		if err := ids.add(pid); err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
		if err := d.checkStreams(pid, ids); err != nil {
			return err
		}
	}
	if len(strangers) > 0 {
		d.c.rt.warn(fmt.Sprintf("not among what is checkpointed, as it is not a child of the container's init: process %s (of exec)",
			strings.Join(strangers, ", ")))
	}
	return nil
}

// mountIDs has the ids of the mounts in some mount namespaces, and the names of those.
type mountIDs map[string]bool

// add adds those of the namespace that a process is in: a container may have more than one. The
// host's are nobody's in a container.
func (ids mountIDs) add(pid int) error {
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil || ids[name] || sameNamespace(pid, "mnt") {
		return nil
	}
	mounts, err := mountsOf(strconv.Itoa(pid))
	if err != nil {
		return err
	}
	ids[name] = true
	for i := range mounts {
		ids[strconv.Itoa(mounts[i].ID)] = true
	}
	return nil
}

// descends says whether a process is the container's init or one of its children's children.
func (d *dump) descends(pid int) bool {
	for pid > 1 {
		if pid == d.c.rec.InitPid {
			return true
		}
		p, err := state.ReadProcess(pid)
		if err != nil {
			return true // it is gone, and nothing to be warned of
		}
		pid = p.Parent
	}
	return false
}

// undumpable is why a container can't be checkpointed, whatever is tried.
type undumpable string

func (e undumpable) Error() string { return string(e) }

func (e undumpable) Unwrap() error { return errors.ErrUnsupported }

// field is the value of a line of fdinfo.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
