package backend

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Pids are the processes of the cgroup and of all cgroups below it, in ascending order, as this
// process's pid namespace numbers them. A cgroup that is gone has none.
func (d *Dir) Pids() ([]int, error) {
	var pids []int
	err := walker{enter: func(dir int) error {
		list, err := dirPids(dir)
		pids = append(pids, list...)
		return err
	}}.walk(d)
	if err != nil {
		return nil, err
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// Populated says whether a process is in the cgroup or below it, also one that this pid namespace
// can't see: it has the number 0.
func (d *Dir) Populated() (bool, error) {
	found := false
	err := walker{enter: func(dir int) error {
		text, _, err := members(dir)
		found = found || text != ""
		return err
	}}.walk(d)
	return found, err
}

// members lists a cgroup's own processes, or its threads: in a threaded cgroup only these can be
// listed.
func members(dir int) (text string, threads bool, err error) {
	text, err = readAt(dir, "cgroup.procs")
	if threads = errors.Is(err, unix.EOPNOTSUPP); threads {
		text, err = readAt(dir, "cgroup.threads")
	}
	return text, threads, err
}

func dirPids(dir int) ([]int, error) {
	text, threads, err := members(dir)
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		if pid > 0 && threads {
			pid = processOf(pid)
		}
		if pid > 0 { // 0 is a process that this pid namespace can't see
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// processOf is the process of a thread, 0 when it has ended.
func processOf(tid int) int {
	text, _ := ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	for line := range strings.Lines(text) {
		if pid, ok := strings.CutPrefix(line, "Tgid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(pid))
			return n
		}
	}
	return 0
}
