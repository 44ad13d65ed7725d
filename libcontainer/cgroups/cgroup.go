package cgroups

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Cgroup is a container's cgroup: one directory on cgroup v2, one in every hierarchy on v1. It keeps directories open between
// calls, until Close. A Cgroup may be empty (rootless, or switched off): its methods then do nothing, and None says why.
// It is not for use by several goroutines at once.
type Cgroup struct {
	nodes []node
	late  []Write  // for Finish
	none  string   // why hierarchies were left out
	claim *os.File // locks it against other creations until Finish
}

// node is the cgroup's directory in one hierarchy.
type node struct {
	controllers []string // as Hierarchy.Controllers; what a state file doesn't tell is not here
	v2          bool
	path        string
	fd          int  // O_PATH, -1 while not open
	ours        bool // just made, below a mount that was checked
}

// Disabled is an empty Cgroup: nothing is created, joined or limited.
func Disabled(why string) *Cgroup { return &Cgroup{none: why} }

// None says why there is no cgroup, or none in some hierarchies, in words for the user; "" when all are there.
func (c *Cgroup) None() string { return c.none }

// why says why there is no cgroup for a controller.
func (c *Cgroup) why(controller string) string {
	if c.none != "" {
		return c.none
	}
	return "the container has none for controller " + strconv.Quote(controller)
}

// Paths is the map for state.json: the directory for each v1 controller, "" for the cgroup2 tree's.
func (c *Cgroup) Paths() map[string]string {
	paths := make(map[string]string, len(c.nodes))
	for i := range c.nodes {
		if c.nodes[i].v2 {
			paths[""] = c.nodes[i].path
			continue
		}
		for _, name := range c.nodes[i].controllers {
			paths[name] = c.nodes[i].path
		}
	}
	return paths
}

// Open takes up a cgroup again from the map that Paths gave, in another process. It touches nothing: whether the cgroup is
// still there, see Exists. A container without cgroups (an empty map) gives an empty Cgroup.
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
	byPath := make(map[string]int, len(paths))
	for _, name := range names {
		p := paths[name]
		if !path.IsAbs(p) || p != path.Clean(p) {
			return nil, fmt.Errorf("cgroup path for %q: %q is not a clean absolute path", name, p)
		}
		if name == "" {
			c.nodes = append(c.nodes, node{v2: true, path: p, fd: -1})
			continue
		}
		if i, ok := byPath[p]; ok {
			c.nodes[i].controllers = append(c.nodes[i].controllers, name)
			continue
		}
		byPath[p] = len(c.nodes)
		c.nodes = append(c.nodes, node{controllers: []string{name}, path: p, fd: -1})
	}
	return c, nil
}

// OfProcess is the cgroup in which a process is now: where exec goes when the container's init has moved itself away.
func OfProcess(host *Layout, pid int) (*Cgroup, error) {
	text, err := readFile(fmt.Sprintf("/proc/%d/cgroup", pid))
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
				c.nodes = append(c.nodes, node{v2: true, path: path.Join(host.V2.Mount, m.path), fd: -1})
			}
			continue
		}
		for i := range host.V1 {
			if slices.Equal(host.V1[i].Controllers, m.controllers) {
				p := path.Join(host.V1[i].Mount, m.path)
				c.nodes = append(c.nodes, node{controllers: m.controllers, path: p, fd: -1})
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
	for i := range c.nodes {
		c.nodes[i].close()
	}
	return nil
}

// has says whether the directory lies in the v1 hierarchy of a controller.
func (n *node) has(controller string) bool {
	return !n.v2 && slices.Contains(n.controllers, controller)
}

func (n *node) close() {
	if n.fd >= 0 {
		unix.Close(n.fd)
		n.fd = -1
	}
}

func (n *node) open() (int, error) {
	if n.fd >= 0 {
		return n.fd, nil
	}
	open := openDir
	if n.ours {
		open = openOwnDir
	}
	fd, err := open(n.path)
	if err == nil {
		n.fd = fd
	}
	return fd, err
}

func (n *node) file(name string) string { return n.path + "/" + name }

func (n *node) read(name string) (string, error) {
	dir, err := n.open()
	if err != nil {
		return "", err
	}
	s, err := readAt(dir, name)
	if err != nil {
		return "", &FileError{Verb: "read", Path: n.file(name), Err: err}
	}
	return s, nil
}

func (n *node) write(name, value string) error {
	dir, err := n.open()
	if err != nil {
		return err
	}
	if err := writeAt(dir, name, value); err != nil {
		return &FileError{Verb: "write " + value + " to", Path: n.file(name), Err: err}
	}
	return nil
}

// v1 finds the directory of a v1 controller, nil when there is none.
func (c *Cgroup) v1(controller string) *node {
	for i := range c.nodes {
		if c.nodes[i].has(controller) {
			return &c.nodes[i]
		}
	}
	return nil
}

// v2 finds the directory in the cgroup2 tree, nil when there is none.
func (c *Cgroup) v2() *node {
	for i := range c.nodes {
		if c.nodes[i].v2 {
			return &c.nodes[i]
		}
	}
	return nil
}

// Exists says whether the cgroup is there in any hierarchy.
func (c *Cgroup) Exists() bool {
	for i := range c.nodes {
		if unix.Access(c.nodes[i].path, unix.F_OK) == nil {
			return true
		}
	}
	return false
}

// procs is the directory that is asked for the container's processes: of the v1 hierarchies those that a systemd or another
// manager inside the container is least likely to divide, else the cgroup2 tree.
func (c *Cgroup) procs() *node {
	for _, name := range []string{"freezer", "devices", "memory", "pids"} {
		if n := c.v1(name); n != nil {
			return n
		}
	}
	if n := c.v2(); n != nil || len(c.nodes) == 0 {
		return n
	}
	return &c.nodes[0]
}

// Sub is the cgroup for `exec --cgroup`: paths below the container's cgroup, each for one controller, or for all with the
// key "". They must exist and have no "..", and controllers that are not named stay where they
// are.
func (c *Cgroup) Sub(paths map[string]string) (*Cgroup, error) {
	sub := &Cgroup{nodes: slices.Clone(c.nodes), none: c.none}
	for i := range sub.nodes {
		sub.nodes[i].fd, sub.nodes[i].ours = -1, false
	}
	for name, p := range paths {
		if slices.Contains(strings.Split(p, "/"), "..") {
			return nil, also(fmt.Errorf("--cgroup: %s is not below the container's cgroup", p), sub.Close())
		}
		found := false
		for i := range sub.nodes {
			n := &sub.nodes[i]
			if name != "" && (n.v2 || !slices.Contains(n.controllers, name)) {
				continue
			}
			found = true
			n.path = path.Join(c.nodes[i].path, path.Clean("/"+p))
			_, err := n.open()
			if gone(err) && n.v2 && !c.Unified() {
				n.path = c.nodes[i].path // who divides a container's v1 cgroups rarely knows of the v2 tree beside them
				continue
			}
			if err != nil {
				return nil, also(fmt.Errorf("--cgroup: %w", err), sub.Close())
			}
		}
		if !found {
			return nil, also(fmt.Errorf("--cgroup: the container has no cgroup for controller %q", name), sub.Close())
		}
	}
	return sub, nil
}
