package libcontainer

import (
	"errors"
	"fmt"
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
	own, err := mountsOf(strconv.Itoa(d.c.rec.InitPid))
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for i := range own {
		ids[strconv.Itoa(own[i].ID)] = true
	}
	var strangers []string
	for _, pid := range pids {
		if !d.descends(pid) {
			strangers = append(strangers, strconv.Itoa(pid))
			continue
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
