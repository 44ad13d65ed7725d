// Package orphans reaps processes that nobody waits for. In a container with the host's pid
// namespace a process that loses its parent becomes a child of the shim, and stays as a zombie when
// it ends.
//
// To wait for any child would take their statuses from those who wait for their own. So what nobody
// has reaped for a while is looked at, and left if it belongs to somebody.
package orphans

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// turn is how long after the end of a child zombies are looked for. Whoever was seen in the turn
// before and is nobody's is reaped.
const turn = 1500 * time.Millisecond

// Owner says whose child a zombie is that was first seen at a time: somebody's who will reap it, or
// perhaps somebody's.
type Owner func(pid int, seen time.Time) bool

// Reap makes orphans below this process its children, and reaps them from then on. Nothing runs
// while no child ends.
func Reap(owned Owner) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		seen := make(map[int]time.Time)
		for range ended {
			for again := true; again; {
				time.Sleep(turn)
				again = pass(seen, zombies(), owned)
			}
		}
	}()
	return nil
}

// pass reaps the zombies that were seen in the pass before, and reports whether there has to be
// another one.
func pass(seen map[int]time.Time, zombies []int, owned Owner) (again bool) {
	now := time.Now()
	still := make(map[int]bool)
	for _, pid := range zombies {
		first, known := seen[pid]
		switch {
		case !known:
			seen[pid] = now
		case !owned(pid, first):
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			continue
		}
		still[pid] = true
	}
	for pid := range seen {
		if !still[pid] {
			delete(seen, pid)
		}
	}
	return len(still) > 0
}

// zombies are the children of this process that have ended. A child is listed with the thread that
// has started it, an orphan with any.
func zombies() (pids []int) {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		list, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(list)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				continue
			}
			if p, err := state.ReadProcess(pid); err == nil && p.Dead() {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
