package cgroups

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/v1"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/v2"
)

// Cgroup is a container's cgroup: one directory on cgroup v2, one in every hierarchy on v1. It
// keeps directories open between calls, until Close. A Cgroup may be empty (rootless, or switched
// off): its methods then do nothing, and None says why. It is not for use by several goroutines at
// once.
type Cgroup struct {
	nodes []backend.Cgroup // one a hierarchy
	late  []Write          // for Finish
	none  string           // why hierarchies were left out
	claim *os.File         // locks it against other creations until Finish
	lost  error            // why there is nothing to enter any more
}

// newNode is the cgroup at a path, in the hierarchy that a state file calls by these names.
func newNode(path string, names []string) backend.Cgroup {
	if names[0] == "" {
		return v2.New(path)
	}
	return v1.New(path, names)
}

func isV2(n backend.Cgroup) bool {
	_, ok := n.(*v2.Cgroup)
	return ok
}

// Disabled is an empty Cgroup: nothing is created, joined or limited.
func Disabled(why string) *Cgroup { return &Cgroup{none: why} }

// missing says why there is no cgroup for a controller.
func (c *Cgroup) missing(controller string) string {
	if c.none != "" {
		return c.none
	}
	return "the container has none for controller " + strconv.Quote(controller)
}

// Paths is the map for state.json: the directory for each v1 controller, "" for the cgroup2 tree's.
func (c *Cgroup) Paths() map[string]string {
	paths := make(map[string]string, len(c.nodes))
	for _, n := range c.nodes {
		for _, name := range n.Names() {
			paths[name] = n.Dir().Path
		}
	}
	return paths
}

// Open takes up a cgroup again from the map that Paths gave, in another process. It touches
// nothing: whether the cgroup is still there, see Exists. A container without cgroups (an empty
// map) gives an empty Cgroup.
func Open(paths map[string]string) (*Cgroup, error) {
	names := make([]string, 0, len(paths))
	for name := range paths {
		names = append(names, name)
	}
	slices.Sort(names)
	c := &Cgroup{}
	if len(paths) == 0 {
		c.none = "the container was created without a cgroup"
	}
	var order []string
	shared := make(map[string][]string, len(paths)) // controllers of one v1 hierarchy, by path
	for _, name := range names {
		p := paths[name]
		if err := checkPath(name, p); err != nil {
			return nil, err
		}
		if name == "" {
			c.nodes = append(c.nodes, v2.New(p)) // the first, as the names are sorted
			continue
		}
		if shared[p] == nil {
			order = append(order, p)
		}
		shared[p] = append(shared[p], name)
	}
	for _, p := range order {
		c.nodes = append(c.nodes, v1.New(p, shared[p]))
	}
	return c, nil
}

// checkPath checks a path that a state file gives for a controller.
func checkPath(controller, p string) error {
	if !path.IsAbs(p) || p != path.Clean(p) {
		return fmt.Errorf("cgroup path for %q: %q is not a clean absolute path", controller, p)
	}
	return nil
}

// Identity is what OpenOwn knows the cgroup by; "" for an empty one.
func (c *Cgroup) Identity() (string, error) {
	dir := c.procs()
	if dir == nil {
		return "", nil
	}
	return dir.Identity()
}

// OpenOwn is Open for a container whose cgroup had this identity, or "" if that is not known. A
// container that was made at the same paths since is another one's: then there is none to kill in
// and to remove.
func OpenOwn(paths map[string]string, identity string) (*Cgroup, error) {
	c, err := Open(paths)
	if err != nil || identity == "" {
		return c, err
	}
	now, err := c.Identity()
	switch {
	case backend.Gone(err), err == nil && now == identity:
		return c, nil
	case err != nil:
		return nil, backend.Also(err, c.Close())
	}
	none := Disabled("another container has taken it")
	none.lost = &backend.FileError{Verb: "enter", Path: c.procs().Path, Hint: "another container has taken it", Err: unix.ENOENT}
	return none, c.Close()
}

// OfProcess is the cgroup in which a process is now: where exec goes when the container's init has
// moved itself away.
func OfProcess(host *Layout, pid int) (*Cgroup, error) {
	text, err := backend.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, fmt.Errorf("find the cgroup of process %d: %w", pid, err)
	}
	c := &Cgroup{}
	for _, m := range parseMembership(text) {
		if strings.HasPrefix(m.path, "/..") {
			return nil, fmt.Errorf("the cgroup of process %d is outside of this cgroup namespace", pid)
		}
		if len(m.controllers) == 0 {
			if host.V2 != nil {
				c.nodes = append(c.nodes, v2.New(path.Join(host.V2.Mount, m.path)))
			}
			continue
		}
		for i := range host.V1 {
			if slices.Equal(host.V1[i].Controllers, m.controllers) {
				c.nodes = append(c.nodes, v1.New(path.Join(host.V1[i].Mount, m.path), m.controllers))
			}
		}
	}
	return c, nil
}

// Close closes what Cgroup keeps open. It may be used again afterwards.
func (c *Cgroup) Close() error {
	if c.claim != nil {
		c.claim.Close()
		c.claim = nil
	}
	for _, n := range c.nodes {
		n.Dir().Close()
	}
	return nil
}

// v1 finds the cgroup in the v1 hierarchy of a controller, nil when there is none.
func (c *Cgroup) v1(controller string) backend.Cgroup {
	for _, n := range c.nodes {
		if controller != "" && slices.Contains(n.Names(), controller) {
			return n
		}
	}
	return nil
}

// v2 finds the cgroup in the cgroup2 tree, nil when there is none.
func (c *Cgroup) v2() *v2.Cgroup {
	for _, n := range c.nodes {
		if n, ok := n.(*v2.Cgroup); ok {
			return n
		}
	}
	return nil
}

// v1Or2 finds the cgroup in the v1 hierarchy of a controller, else that in the cgroup2 tree; nil
// when there is neither.
func (c *Cgroup) v1Or2(controller string) backend.Cgroup {
	if n := c.v1(controller); n != nil {
		return n
	}
	if n := c.v2(); n != nil {
		return n
	}
	return nil // and not a nil *v2.Cgroup
}

// Unified says that the cgroup lies on cgroup v2 alone.
func (c *Cgroup) Unified() bool { return len(c.nodes) == 1 && c.v2() != nil }

// Exists says whether the cgroup is there in any hierarchy.
func (c *Cgroup) Exists() bool {
	return slices.ContainsFunc(c.nodes, func(n backend.Cgroup) bool { return n.Dir().Exists() })
}

// procs is the directory that is asked for the container's processes: of the v1 hierarchies those
// that a systemd or another manager inside the container is least likely to divide, else the
// cgroup2 tree.
func (c *Cgroup) procs() *backend.Dir {
	for _, name := range []string{"freezer", "devices", "memory", "pids"} {
		if n := c.v1(name); n != nil {
			return n.Dir()
		}
	}
	if n := c.v2(); n != nil {
		return n.Dir()
	}
	if len(c.nodes) == 0 {
		return nil
	}
	return c.nodes[0].Dir()
}

// Pids are the processes of the cgroup and of all cgroups below it, in ascending order, as this
// process's pid namespace numbers them. A cgroup that is gone has none.
func (c *Cgroup) Pids() ([]int, error) {
	dir := c.procs()
	if dir == nil {
		return nil, nil
	}
	return dir.Pids()
}

// Sub is the cgroup for `exec --cgroup`: paths below the container's cgroup, each for one
// controller, or for all with the key "". They must exist and have no "..", and controllers that
// are not named stay where they are.
func (c *Cgroup) Sub(paths map[string]string) (*Cgroup, error) {
	sub := &Cgroup{nodes: make([]backend.Cgroup, len(c.nodes)), none: c.none}
	for i, n := range c.nodes {
		sub.nodes[i] = newNode(n.Dir().Path, n.Names())
	}
	for name, p := range paths {
		if err := c.descend(sub, name, p); err != nil {
			return nil, backend.Also(err, sub.Close())
		}
	}
	return sub, nil
}

// descend sets sub to the path below the cgroup in the hierarchy of a controller, or with "" in
// all.
func (c *Cgroup) descend(sub *Cgroup, controller, to string) error {
	if slices.Contains(strings.Split(to, "/"), "..") {
		return fmt.Errorf("--cgroup: %s is not below the container's cgroup", to)
	}
	found := false
	for i, n := range c.nodes {
		if controller != "" && !slices.Contains(n.Names(), controller) {
			continue
		}
		found = true
		below := newNode(path.Join(n.Dir().Path, path.Clean("/"+to)), n.Names())
		_, err := below.Dir().Open()
		if backend.Gone(err) && isV2(n) && !c.Unified() {
			// Who divides a container's v1 cgroups rarely knows of the v2 tree beside them.
			sub.nodes[i] = newNode(n.Dir().Path, n.Names())
			continue
		}
		if err != nil {
			return fmt.Errorf("--cgroup: %w", err)
		}
		sub.nodes[i].Dir().Close()
		sub.nodes[i] = below
	}
	if !found {
		return fmt.Errorf("--cgroup: the container has no cgroup for controller %q", controller)
	}
	return nil
}
