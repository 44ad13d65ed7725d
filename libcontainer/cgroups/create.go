package cgroups

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Config is what Create needs to know of a container.
type Config struct {
	Path     string    // linux.cgroupsPath as it stands in config.json, "" for the default
	ID       string    // the container's id
	Settings *Settings // from Compile
	Rootless bool      // leave out hierarchies in which this process may create nothing
	Owner    *Owner    // gives the cgroup away, nil to keep it; ignored on v1
	Adopt    bool      // take directories that somebody (systemd) has made for this container, with a process of theirs in them
}

// Create makes the container's cgroup in every hierarchy, with its limits in force, before any process is in it. A cgroup
// that is there already is taken when it is neither in use nor frozen. Until Finish or Close no other Create can take it. When
// anything fails, what was made is removed again.
func Create(host *Layout, cfg Config) (_ *Cgroup, err error) {
	places, err := host.Locate(cfg.Path, cfg.ID)
	if err != nil {
		return nil, err
	}
	m := &maker{host: host, c: &Cgroup{}, cfg: cfg}
	defer func() {
		if err != nil {
			err = also(err, m.undo())
			m.c.Close() // and with it the claim
		}
	}()
	if m.cfg.Settings == nil {
		m.cfg.Settings = &Settings{}
	}
	if !cfg.Adopt { // the name of its unit is unique
		if err := m.claim(places); err != nil {
			return nil, err
		}
	}
	for _, p := range places {
		if err := m.place(p); err != nil {
			return nil, err
		}
	}
	if err := m.fixModes(); err != nil {
		return nil, err
	}
	switch {
	case m.refusal != nil:
		m.c.none = fmt.Sprintf("rootless, and this user may not: %v", m.refusal)
	case len(places) == 0:
		m.c.none = "no cgroup hierarchy is mounted"
	}
	a := applier{c: m.c, fresh: !m.existed, rootless: m.cfg.Rootless, enableErr: m.enableErr}
	if err := a.apply(m.cfg.Settings); err != nil {
		return nil, err
	}
	if cfg.Owner != nil {
		if err := m.c.giveTo(*cfg.Owner); err != nil {
			return nil, err
		}
	}
	return m.c, nil
}

// maker creates directories and remembers them.
type maker struct {
	host      *Layout
	c         *Cgroup
	cfg       Config
	made      []string
	existed   bool  // some directory was there before
	refusal   error // the first one, when rootless
	enableErr error // why some v2 controllers could not be enabled

	claimed        string // the directory that claim has made, or found
	claimedExisted bool
}

// place makes the cgroup in one hierarchy and gets it ready for limits.
func (m *maker) place(p Place) error {
	existed, err := m.mkdir(p)
	if err != nil {
		if m.excuse(err) {
			return nil
		}
		return err
	}
	m.c.nodes = append(m.c.nodes, p.node())
	last := &m.c.nodes[len(m.c.nodes)-1]
	last.ours = !existed
	m.existed = m.existed || existed
	if existed && !m.cfg.Adopt {
		if err := last.unoccupied(); err != nil {
			return err
		}
	}
	if err := last.runs(existed); err != nil {
		return err
	}
	switch {
	case p.V2:
		m.enableErr = enable(p.Tree.Mount, path.Dir(p.Rel), m.wanted())
		return last.checkType(m.cfg.Settings)
	case slices.Contains(p.Tree.Controllers, "cpuset"):
		return last.fillCpuset(p, !existed)
	}
	return nil
}

func (m *maker) excuse(err error) bool {
	if !m.cfg.Rootless || !refused(err) {
		return false
	}
	if m.refusal == nil {
		m.refusal = err
	}
	return true
}

// mkdir makes the cgroup's directory, and its parents where they are missing.
func (m *maker) mkdir(p Place) (existed bool, err error) {
	if p.Path() == m.claimed {
		return m.claimedExisted, nil
	}
	err = m.mkdirOne(p.Path())
	if errors.Is(err, unix.ENOENT) {
		// Another container's removal may take a parent away between the two; once more is enough for that.
		for range 2 {
			if err = m.parents(p); err != nil {
				return false, err
			}
			if err = m.mkdirOne(p.Path()); !errors.Is(err, unix.ENOENT) {
				break
			}
		}
	}
	if errors.Is(err, unix.EEXIST) {
		return true, nil
	}
	return false, err
}

func (m *maker) parents(p Place) error {
	dir := p.Tree.Mount
	parts := strings.Split(p.Rel[1:], "/")
	for _, part := range parts[:len(parts)-1] {
		dir += "/" + part
		if err := m.mkdirOne(dir); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

const dirMode = 0o755

func (m *maker) mkdirOne(dir string) error {
	for {
		err := unix.Mkdir(dir, dirMode)
		switch err {
		case nil:
			m.made = append(m.made, dir)
			return nil
		case unix.EINTR:
		default:
			return &FileError{From: "linux.cgroupsPath", Verb: "create cgroup", Path: dir, Err: err}
		}
	}
}

// fixModes undoes what the caller's umask has taken from the new directories: everybody may look at cgroups.
func (m *maker) fixModes() error {
	for i, dir := range m.made {
		if i == 0 {
			var st unix.Stat_t
			if err := unix.Stat(dir, &st); err == nil && st.Mode&0o777 == dirMode {
				return nil
			}
		}
		if err := unix.Chmod(dir, dirMode); err != nil {
			return &FileError{Verb: "change the mode of", Path: dir, Err: err}
		}
	}
	return nil
}

// undo removes what was made, last first.
func (m *maker) undo() error {
	var failure error
	for _, dir := range slices.Backward(m.made) {
		failure = also(failure, rmdir(dir))
	}
	return failure
}

// unoccupied refuses a cgroup that was there before and has somebody else's processes in it.
func (n *node) unoccupied() error {
	pids, err := n.pids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("linux.cgroupsPath: container's cgroup is not empty: %d process(es) found in %s: %d%s",
			len(pids), n.path, pids[0], commandOf(strconv.Itoa(pids[0])))
	}
	hidden, err := n.populated()
	if err == nil && hidden {
		err = fmt.Errorf("linux.cgroupsPath: container's cgroup is not empty: %s has processes of another pid namespace", n.path)
	}
	return err
}

// runs refuses a cgroup in which the init would freeze at birth.
func (n *node) runs(existed bool) error {
	if !existed && !n.v2 && !n.has("freezer") {
		return nil
	}
	frozen, err := n.frozen()
	if err == nil && !frozen && n.v2 {
		// cgroup.freeze is the cgroup's own; that of one above it shows here, as long as nothing is in it.
		var events string
		events, err = n.read("cgroup.events")
		frozen = strings.Contains(events, "frozen 1")
	}
	if err != nil {
		return err
	}
	if frozen && !existed {
		return fmt.Errorf("linux.cgroupsPath: container's cgroup unexpectedly frozen: %s: a cgroup above it is frozen, and must be thawed first", n.path)
	}
	if frozen {
		return fmt.Errorf("linux.cgroupsPath: container's cgroup unexpectedly frozen: %s", n.path)
	}
	return nil
}

// wanted are the v2 controllers to enable: all that there are on a pure v2 host; beside v1 hierarchies only those that a
// limit needs, since enabling changes the tree's root for everybody.
func (m *maker) wanted() []string {
	if m.host.Unified() {
		return m.host.V2.Controllers
	}
	return m.cfg.Settings.v2Controllers()
}

// enable gives controllers to the children of dir and of everything above it, from the top. What can't be enabled is
// not fatal: the limit that needs it fails later, and the error returned here is its explanation.
func enable(mount, dir string, controllers []string) error {
	if len(controllers) == 0 || enabledIn(path.Join(mount, dir), controllers) {
		return nil
	}
	var failure error
	at := mount
	for _, part := range strings.Split("."+dir, "/") {
		at = path.Join(at, part)
		if enabledIn(at, controllers) {
			continue
		}
		if err := enableAt(at, controllers); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

func enabledIn(dir string, controllers []string) bool {
	n := node{path: dir, fd: -1}
	defer n.close()
	text, err := n.read("cgroup.subtree_control")
	if err != nil {
		return false
	}
	enabled := strings.Fields(text)
	for _, name := range controllers {
		if !slices.Contains(enabled, name) {
			return false
		}
	}
	return true
}

func enableAt(dir string, controllers []string) error {
	n := node{path: dir, fd: -1}
	defer n.close()
	if n.write("cgroup.subtree_control", "+"+strings.Join(controllers, " +")) == nil {
		return nil
	}
	// One controller that is refused (a domain with processes, real-time tasks) takes the others with it: one by one.
	var failure error
	for _, name := range controllers {
		if err := n.write("cgroup.subtree_control", "+"+name); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// checkType deals with a child of a threaded cgroup, which is born invalid: it can become threaded too, but then has no
// limits of memory, io and the other controllers that count for a whole process.
func (n *node) checkType(s *Settings) error {
	kind, err := n.read("cgroup.type")
	if err != nil {
		if gone(err) { // the root of the tree has no type
			return nil
		}
		return err
	}
	kind = strings.TrimSpace(kind)
	if kind != "domain invalid" && kind != "threaded" {
		return nil
	}
	for _, w := range s.Writes {
		switch w.Controller {
		case "", "cpu", "cpuset", "perf_event", "pids":
		default:
			if w.V2 {
				return fmt.Errorf("%s: cannot limit %s in a threaded cgroup: %s", w.From, w.Controller, n.path)
			}
		}
	}
	if kind == "threaded" {
		return nil
	}
	return n.write("cgroup.type", "threaded")
}

// fillCpuset gives a v1 cpuset cgroup the CPUs and memory nodes of its parent, and first of all the parent its own: new ones
// are empty, and no process can enter an empty one.
func (n *node) fillCpuset(p Place, fresh bool) error {
	if p.Rel == "/" {
		return nil
	}
	up := Place{Tree: p.Tree, Rel: path.Dir(p.Rel)}
	parent := node{path: up.Path(), fd: -1}
	defer parent.close()
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if !fresh {
			if own, err := n.read(n.spell(file)); err != nil || own != "\n" {
				if err != nil {
					return err
				}
				continue
			}
		}
		file = parent.spell(file)
		value, err := parent.read(file)
		if err == nil && value == "\n" {
			if err = parent.fillCpuset(up, false); err == nil {
				value, err = parent.read(file)
			}
		}
		if err != nil {
			return err
		}
		if err := n.write(file, strings.TrimSuffix(value, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// spell drops the controller's name where the hierarchy is mounted with "noprefix".
func (n *node) spell(file string) string {
	dir, err := n.open()
	if err == nil && errors.Is(unix.Faccessat(dir, file, unix.F_OK, 0), unix.ENOENT) {
		return strings.TrimPrefix(file, "cpuset.")
	}
	return file
}
