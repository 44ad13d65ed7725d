package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Hierarchy is one mounted cgroup tree of the host.
type Hierarchy struct {
	Dir         string   // where it is mounted
	Unified     bool     // cgroup v2
	Controllers []string // v1: its controllers, "name=systemd" among them; v2: cgroup.controllers
}

// Hierarchies lists the host's cgroup trees, v1 before v2.
var Hierarchies = sync.OnceValue(func() []Hierarchy {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		panic(err)
	}
	var v1, v2 []Hierarchy
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		switch {
		case len(f) < 4:
		case f[2] == "cgroup":
			v1 = append(v1, Hierarchy{Dir: f[1], Controllers: v1Controllers(f[3])})
		case f[2] == "cgroup2":
			list, _ := os.ReadFile(filepath.Join(f[1], "cgroup.controllers"))
			v2 = append(v2, Hierarchy{Dir: f[1], Unified: true, Controllers: strings.Fields(string(list))})
		}
	}
	return append(v1, v2...)
})

// v1Controllers picks the controllers out of a v1 mount's options.
func v1Controllers(options string) []string {
	known := []string{
		"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids",
		"hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "misc",
	}
	var found []string
	for o := range strings.SplitSeq(options, ",") {
		if slices.Contains(known, o) || strings.HasPrefix(o, "name=") {
			found = append(found, o)
		}
	}
	return found
}

// Unified reports whether the host has cgroup v2 alone.
func Unified() bool {
	return !slices.ContainsFunc(Hierarchies(), func(h Hierarchy) bool { return !h.Unified })
}

// NeedController skips the test on a host that doesn't give the controller.
func NeedController(t T, name string) Hierarchy {
	t.Helper()
	for _, h := range Hierarchies() {
		// Freezer and devices are part of cgroup v2 itself.
		if slices.Contains(h.Controllers, name) || h.Unified && Unified() && (name == "freezer" || name == "devices") {
			return h
		}
	}
	t.Skipf("no cgroup controller %q on this host", name)
	return Hierarchy{}
}

// CgroupDir is the container's directory in the hierarchy of a controller.
func (b *Bundle) CgroupDir(controller string) string {
	b.t.Helper()
	return filepath.Join(NeedController(b.t, controller).Dir, b.cgroupsPath())
}

// CgroupValue reads a file of the container's cgroup: the name of v1 or of v2.
func (b *Bundle) CgroupValue(controller, v1, v2 string) string {
	b.t.Helper()
	name := v1
	h := NeedController(b.t, controller)
	if h.Unified {
		name = v2
	}
	data, err := os.ReadFile(filepath.Join(h.Dir, b.cgroupsPath(), name))
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// CgroupDirs are the directories of the container that exist, in all trees.
func (b *Bundle) CgroupDirs() []string {
	var dirs []string
	for _, h := range Hierarchies() {
		dir := filepath.Join(h.Dir, b.cgroupsPath())
		if _, err := os.Stat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// RemoveCgroups ends what is in the container's cgroups, and removes them.
func (b *Bundle) RemoveCgroups() error {
	var failed []error
	for _, dir := range b.CgroupDirs() {
		failed = append(failed, removeCgroup(dir))
	}
	return errors.Join(failed...)
}

// CgroupsNamed finds the cgroups whose path has a component that contains
// part, the deepest first. Part ends in a number, and no digit may follow: "ocitest-1" is another
// run than "ocitest-12".
func CgroupsNamed(part string) []string {
	named := regexp.MustCompile(regexp.QuoteMeta(part) + `([^0-9]|$)`)
	var dirs []string
	for _, h := range Hierarchies() {
		_ = filepath.WalkDir(h.Dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && named.MatchString(strings.TrimPrefix(name, h.Dir)) {
				dirs = append(dirs, name)
			}
			return nil
		})
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	return dirs
}

// removeCgroup thaws a cgroup, kills what is in it and removes it.
func removeCgroup(dir string) error {
	_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
	_ = os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte("0"), 0)
	deadline := time.Now().Add(Patience(3 * time.Second))
	for {
		for _, pid := range CgroupPids(dir) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("rmdir %s: %w", dir, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// CgroupPids are the processes of one cgroup directory.
func CgroupPids(dir string) []int {
	data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var pids []int
	for _, word := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
