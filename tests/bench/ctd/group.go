package ctd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Group is a cgroup that counts the CPU time of all that is started in it.
type Group struct{ dir string }

// newGroup makes one at the top, on hosts with cgroup v1 in the hierarchy that counts.
func newGroup(name string) (*Group, error) {
	top := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(top, "cpuacct")); err == nil {
		top = filepath.Join(top, "cpuacct")
	}
	g := &Group{filepath.Join(top, name)}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, fmt.Errorf("a cgroup for containerd: %w", err)
	}
	return g, nil
}

func (g *Group) procs() string { return filepath.Join(g.dir, "cgroup.procs") }

// CPU is what has been used so far, by processes that have ended, too.
func (g *Group) CPU() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, "cpuacct.usage"))
	if err == nil {
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		return time.Duration(n), err
	}
	if text, err = os.ReadFile(filepath.Join(g.dir, "cpu.stat")); err != nil {
		return 0, err
	}
	var usec int64
	if _, err := fmt.Sscanf(string(text), "usage_usec %d", &usec); err != nil {
		return 0, fmt.Errorf("%s: %w", g.dir, err)
	}
	return time.Duration(usec) * time.Microsecond, nil
}

// remove waits a little for the last processes.
func (g *Group) remove() error {
	const tries, pause = 50, 100 * time.Millisecond
	var err error
	for range tries {
		if err = os.Remove(g.dir); !errors.Is(err, unix.EBUSY) {
			return err
		}
		time.Sleep(pause)
	}
	return err
}
