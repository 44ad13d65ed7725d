package cgroups

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Config is what Create needs to know of a container.
type Config struct {
	Path     string    // linux.cgroupsPath as it stands in config.json, "" for the default
	ID       string    // the container's id
	Settings *Settings // from Compile
	Rootless bool      // leave out hierarchies in which this process may create nothing
	Owner    *Owner    // gives the cgroup away, nil to keep it; ignored on v1
	// Adopt takes directories that somebody (systemd) has made for this container, with a process
	// of theirs in them.
	Adopt bool
}

// Create makes the container's cgroup in every hierarchy, with its limits in force, before any
// process is in it. A cgroup that is there already is taken when it is neither in use nor frozen.
// Until Finish or Close no other Create can take it. When anything fails, what was made is removed
// again; if that fails too, the error is a LeftoverError.
func Create(host *Layout, cfg Config) (_ *Cgroup, err error) {
	places, err := host.Locate(cfg.Path, cfg.ID)
	if err != nil {
		return nil, err
	}
	m := &creator{host: host, c: &Cgroup{}, cfg: cfg}
	defer func() {
		if err != nil {
			if left := m.undo(); left != nil {
				err = &LeftoverError{Err: err, Left: left}
			}
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
		m.c.none = fmt.Sprintf("rootless, and this user may not: %v "+
			"(let the user's systemd do it, --systemd-cgroup, have a cgroup delegated to the user, or do without)", m.refusal)
	case len(places) == 0:
		m.c.none = "no cgroup hierarchy is mounted"
	}
	a := applier{c: m.c, fresh: !m.existed, rootless: m.cfg.Rootless}
	if err := a.apply(m.cfg.Settings); err != nil {
		return nil, err
	}
	if cfg.Owner != nil && m.c.Unified() {
		if err := m.c.v2().GiveTo(cfg.Owner.UID, cfg.Owner.GID); err != nil {
			return nil, err
		}
	}
	m.takeOver()
	return m.c, nil
}

// LeftoverError says that Create has failed and could not remove all that it had made.
type LeftoverError struct {
	Err  error // why Create has failed
	Left error // what could not be removed
}

func (e *LeftoverError) Error() string { return backend.Also(e.Err, e.Left).Error() }

func (e *LeftoverError) Unwrap() []error { return []error{e.Err, e.Left} }

// takeOver makes sure that another container, which has left the cgroup behind, does not take it
// for its own when it is deleted. It comes last: a creation that fails before leaves such a cgroup
// to it.
func (m *creator) takeOver() {
	for _, n := range m.c.nodes {
		if !n.Dir().Made && !m.cfg.Adopt {
			n.Dir().TakeOver()
		}
	}
}

// creator makes directories and remembers them.
type creator struct {
	host    *Layout
	c       *Cgroup
	cfg     Config
	made    []string
	existed bool  // some directory was there before
	refusal error // the first one, when rootless

	claimed        string // the directory that claim has made, or found
	claimedExisted bool
}

// place makes the cgroup in one hierarchy and gets it ready for limits.
func (m *creator) place(p Place) error {
	existed, err := m.mkdir(p)
	if err != nil {
		if m.skip(err) {
			return nil
		}
		return err
	}
	n := p.node()
	n.Dir().Made = !existed
	m.c.nodes = append(m.c.nodes, n)
	m.existed = m.existed || existed
	if existed && !m.cfg.Adopt {
		if err := unoccupied(n.Dir()); err != nil {
			return err
		}
	}
	if err := notFrozen(n, existed); err != nil {
		return err
	}
	return n.Prepare(backend.Setup{
		Mount: p.Tree.Mount, Rel: p.Rel, Fresh: !existed, Controllers: m.wanted(), Limits: m.cfg.Settings.Writes,
	})
}

// skip leaves out a hierarchy in which a user without privileges may make nothing.
func (m *creator) skip(err error) bool {
	if !m.cfg.Rootless || !backend.Refused(err) {
		return false
	}
	if m.refusal == nil {
		m.refusal = err
	}
	return true
}

// mkdir makes the cgroup's directory, and its parents where they are missing.
func (m *creator) mkdir(p Place) (existed bool, err error) {
	if p.Path() == m.claimed {
		return m.claimedExisted, nil
	}
	err = m.mkdirOne(p.Path())
	if errors.Is(err, unix.ENOENT) {
		// Another container's removal may take a parent away between the two; once more is enough
		// for that.
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

func (m *creator) parents(p Place) error {
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

func (m *creator) mkdirOne(dir string) error {
	if err := backend.Retry(func() error { return unix.Mkdir(dir, dirMode) }); err != nil {
		return &backend.FileError{From: "linux.cgroupsPath", Verb: "create cgroup", Path: dir, Err: err}
	}
	m.made = append(m.made, dir)
	return nil
}

// fixModes undoes what the caller's umask has taken from the new directories: everybody may look at
// cgroups.
func (m *creator) fixModes() error {
	for i, dir := range m.made {
		if i == 0 {
			var st unix.Stat_t
			if err := unix.Stat(dir, &st); err == nil && st.Mode&0o777 == dirMode {
				return nil
			}
		}
		if err := unix.Chmod(dir, dirMode); err != nil {
			return &backend.FileError{Verb: "change the mode of", Path: dir, Err: err}
		}
	}
	return nil
}

// undo removes what was made, last first.
func (m *creator) undo() error {
	var failure error
	for _, dir := range slices.Backward(m.made) {
		failure = backend.Also(failure, backend.Rmdir(dir))
	}
	return failure
}

// unoccupied refuses a cgroup that was there before and has somebody else's processes in it.
func unoccupied(d *backend.Dir) error {
	pids, err := d.Pids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("linux.cgroupsPath: container's cgroup is not empty: %d process(es) found in %s: %d%s",
			len(pids), d.Path, pids[0], commandOf(strconv.Itoa(pids[0])))
	}
	hidden, err := d.Populated()
	if err == nil && hidden {
		err = fmt.Errorf("linux.cgroupsPath: container's cgroup is not empty: %s has processes of another pid namespace", d.Path)
	}
	return err
}

// notFrozen refuses a cgroup in which the init would freeze at birth.
func notFrozen(n backend.Cgroup, existed bool) error {
	frozen, err := n.Frozen()
	if err != nil {
		return err
	}
	if frozen && !existed {
		return fmt.Errorf("linux.cgroupsPath: container's cgroup unexpectedly frozen: %s: %w", n.Dir().Path, ErrFrozenAbove)
	}
	if frozen {
		return fmt.Errorf("linux.cgroupsPath: container's cgroup unexpectedly frozen: %s", n.Dir().Path)
	}
	return nil
}

// wanted are the v2 controllers to enable: all that there are on a pure v2 host; beside v1
// hierarchies only those that a limit needs, since enabling changes the tree's root for everybody.
func (m *creator) wanted() []string {
	if m.host.Unified() {
		return m.host.V2.Controllers
	}
	return m.cfg.Settings.v2Controllers()
}
