package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/systemd"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// scope is the part of a creation in which systemd makes the cgroup. All methods but newScope do
// nothing on a nil scope, which is what a creation without systemd has.
type scope struct {
	unit        systemd.Unit
	path        string // its cgroup, for cgroups.Config
	manager     *systemd.Manager
	props, late []systemd.Property
	placeholder *launch.Process // is in the scope until the init is
	started     bool
}

// newScope finds out which unit the configuration asks for and connects to systemd; nothing is
// made. Quotas in set become those that systemd can keep.
func newScope(spec *specs.Spec, id string, host *cgroups.Layout, set *cgroups.Settings) (*scope, error) {
	user := systemd.User()
	if user && !host.Unified() {
		return nil, errors.New("the systemd of a user can make cgroups on cgroup v2 only")
	}
	s := &scope{}
	var err error
	if s.unit, err = systemd.Parse(cgroupsPath(spec), id, user); err != nil {
		return nil, err
	}
	if s.props, s.late, err = systemd.Limits(set); err != nil {
		return nil, err
	}
	own, err := systemd.FromAnnotations(spec.Annotations)
	if err != nil {
		return nil, err
	}
	s.props = append(own, s.props...)
	if s.manager, err = systemd.Connect(user); err != nil {
		return nil, err
	}
	root, err := s.manager.Root()
	if err != nil {
		s.manager.Close()
		return nil, err
	}
	s.path = s.unit.Path(root)
	return s, nil
}

func (s *scope) close() {
	if s == nil {
		return
	}
	s.release()
	s.manager.Close()
}

// start has systemd make the unit, with a placeholder in it. dir is as in launch.Config.
func (s *scope) start(stdio *os.File, dir string) error {
	if s == nil {
		return nil
	}
	pid := 0
	if !s.unit.IsSlice() {
		var err error
		s.placeholder, err = launch.Start(&launch.Config{Plan: placeholderPlan(), Stdio: [3]*os.File{stdio, stdio, stdio}, Dir: dir})
		if err != nil {
			return fmt.Errorf("linux.cgroupsPath: start a first process for systemd: %w", err)
		}
		pid = s.placeholder.Pid()
	}
	if err := s.manager.Start(s.unit, pid, s.props); err != nil {
		return err
	}
	s.started = true
	return nil
}

// placeholderPlan is that of a process which waits, until it is killed or the runtime is gone.
func placeholderPlan() *plan.Plan {
	b := plan.NewBuilder()
	b.Group = plan.Cgroup
	b.Step("default", "share the progress page with the runtime", b.MapPage(plan.PageSize))
	b.Host("placeholder", "linux.cgroupsPath", "wait in the new scope until the init is in it")
	return &b.Plan
}

// release ends the placeholder.
func (s *scope) release() {
	if s == nil || s.placeholder == nil {
		return
	}
	_ = s.placeholder.Kill() // without us it ends as well
	s.placeholder.Close()
	s.placeholder = nil
}

// finish is for when the init is in the cgroup.
func (s *scope) finish() error {
	if s == nil {
		return nil
	}
	s.release()
	return s.manager.Set(s.unit.Name, s.late)
}

// stop ends the unit.
func (s *scope) stop() error {
	if s == nil {
		return nil
	}
	s.release()
	if !s.started {
		return nil
	}
	return s.manager.Stop(s.unit.Name)
}

// explain says what systemd will be asked for.
func (s *scope) explain(from string, add func(from, what string)) {
	if s == nil {
		return
	}
	kind := "scope"
	if s.unit.IsSlice() {
		kind = "slice"
	}
	add(from, fmt.Sprintf("have systemd start the %s %s in %s", kind, s.unit.Name, s.unit.Slice))
	for _, p := range s.props {
		add(p.From, "give it "+p.Setting())
	}
	for _, p := range s.late {
		add(p.From, "give it "+p.Setting()+", once the init is in it")
	}
}

// mayMove says whether the kernel lets us put processes of ours into the v2 cgroup dir: that takes
// the right to write to cgroup.procs there and in what it has in common with our own cgroup
// (cgroups(7), "Delegation containment"). A login session, for one, is not below the user's own
// systemd.
func mayMove(host *cgroups.Layout, dir string) bool {
	if host.V2 == nil {
		return true
	}
	common := filepath.Join(host.V2.Mount, host.V2.Own)
	for common != "/" && dir != common && !strings.HasPrefix(dir, common+"/") {
		common = filepath.Dir(common)
	}
	for _, d := range []string{common, dir} {
		if unix.Faccessat(unix.AT_FDCWD, d+"/cgroup.procs", unix.W_OK, unix.AT_EACCESS) != nil {
			return false
		}
	}
	return true
}

// needsAttach says whether systemd has to move a further process into the container's scope, and
// closes the way in that is no use then.
func (c *Container) needsAttach(in *cgroups.Entrance) (bool, error) {
	if c.rec.SystemdScope == "" || in.Dir == nil || in.Dir.Name() != c.rec.CgroupPaths[""] || os.Geteuid() == 0 && !systemd.User() {
		return false, nil
	}
	host, err := cgroups.Probe()
	if err != nil || mayMove(host, in.Dir.Name()) {
		return false, err
	}
	err = in.Dir.Close()
	in.Dir = nil
	return true, err
}

// withSystemd does something with the unit that systemd made for the container, if there is one.
func (c *Container) withSystemd(do func(m *systemd.Manager, unit string) error) error {
	if c.rec.SystemdScope == "" {
		return nil
	}
	m, err := systemd.Connect(systemd.User())
	if err != nil {
		return err
	}
	defer m.Close()
	return do(m, c.rec.SystemdScope)
}

// oomScope asks systemd whether the container has lacked memory: it removes the cgroup, and the
// kernel's count with it, as soon as the last process is gone.
func (c *Container) oomScope(cg *cgroups.Cgroup) (oom bool) {
	if c.rec.SystemdScope == "" || cg.Exists() {
		return false
	}
	err := c.withSystemd(func(m *systemd.Manager, unit string) (err error) { oom, err = m.OutOfMemory(unit); return err })
	if err != nil {
		c.rt.warn(err.Error())
	}
	return oom
}

// limitUnit puts limits in force in a cgroup that systemd has made. The control files come first:
// systemd reports nothing when the kernel refuses a value. No property of devices is among them, so
// that the container need not be frozen meanwhile.
func (c *Container) limitUnit(cg *cgroups.Cgroup, set *cgroups.Settings, before func() (*cgroups.Settings, error)) error {
	props, late, err := systemd.Limits(set)
	if err != nil {
		return err
	}
	return c.withSystemd(func(m *systemd.Manager, unit string) error {
		if err := cg.Update(set); err != nil {
			return err
		}
		err := m.Set(unit, append(props, late...))
		if err == nil {
			// systemd has written its own idea of the same: without a quota, say, no period.
			return cg.Update(set)
		}
		old, oerr := before()
		if oerr == nil {
			oerr = cg.Update(old)
		}
		return errors.Join(err, oerr)
	})
}

// stopUnit ends the container's unit when its processes are gone.
func (c *Container) stopUnit() {
	if err := c.withSystemd((*systemd.Manager).Stop); err != nil {
		c.rt.warn(fmt.Sprintf("container %s: %v", c.ID(), err))
	}
}
