package libcontainer

import (
	"os"
	"path/filepath"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/internal/members"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// Status of a container; the four words of the specification and "paused".
type Status string

// The statuses, in the order in which a container has them.
const (
	Creating Status = "creating"
	Created  Status = "created"
	Running  Status = "running"
	Paused   Status = "paused"
	Stopped  Status = "stopped"
)

// State is the state document of the specification with the additions that runc made to it.
type State struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"` // 0 when stopped
	Status      Status            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"` // empty here: see Container.Owner
}

// MarshalJSON makes of the state what its tags say, without the time that reflection takes.
func (s *State) MarshalJSON() ([]byte, error) { return s.members().Append(nil) }

// MarshalIndent is what json.MarshalIndent makes of the state with two spaces.
func (s *State) MarshalIndent() ([]byte, error) { return s.members().AppendIndent(nil) }

func (s *State) members() members.Table {
	return members.Table{
		{Name: "ociVersion", Value: &s.Version},
		{Name: "id", Value: &s.ID},
		{Name: "pid", Value: &s.Pid},
		{Name: "status", Value: (*string)(&s.Status)},
		{Name: "bundle", Value: &s.Bundle},
		{Name: "rootfs", Value: &s.Rootfs},
		{Name: "created", Value: &s.Created},
		{Name: "annotations", Value: &s.Annotations, Optional: true},
		{Name: "owner", Value: &s.Owner},
	}
}

// Status asks the kernel how the container is.
func (c *Container) Status() (Status, error) {
	init, err := c.rec.Init()
	if err != nil {
		return "", err
	}
	return c.statusWith(init != nil)
}

// statusWith is the status of a container whose init is known to live or not.
func (c *Container) statusWith(init bool) (Status, error) {
	switch {
	case !init && c.rec.Phase == state.Creating:
		return c.statusWithoutInit()
	case !init:
		return Stopped, nil
	case c.rec.Phase == state.Creating:
		return Creating, nil
	}
	if frozen, err := cgroups.OwnFrozen(c.rec.CgroupPaths, c.rec.CgroupID); err != nil || frozen {
		return Paused, err
	}
	started, err := c.started()
	if err != nil || started {
		return Running, err
	}
	return Created, nil
}

// statusWithoutInit is the status of a container without an init, whose record says that it is
// being created. That is so while the command that does it holds the lock.
func (c *Container) statusWithoutInit() (Status, error) {
	if c.dir.Held() {
		return Creating, nil
	}
	// It may have finished since we read the record.
	if err := c.reload(); err != nil {
		return "", err
	}
	if c.rec.Phase == state.Creating {
		return Stopped, nil
	}
	return c.Status()
}

// started reports whether the init has gone on from where it waited for `start` to the user's
// program.
func (c *Container) started() (bool, error) {
	if c.rec.Version == 0 {
		// runc's containers wait at a fifo, which its start removes.
		_, err := os.Lstat(filepath.Join(c.dir.Path(), "exec.fifo"))
		return err != nil, nil
	}
	if c.rec.ExecOp == 0 {
		return true, nil
	}
	// The last op is the execve itself, so this is right but for the moment that it takes.
	op, _, err := c.dir.Progress()
	return op >= c.rec.ExecOp, err
}

// State is the container's state now.
func (c *Container) State() (*State, error) {
	status, err := c.Status()
	if err != nil {
		return nil, err
	}
	s := &State{
		Version: c.rec.OCIVersion, ID: c.ID(), Pid: c.rec.InitPid, Status: status, Bundle: c.rec.Bundle,
		Rootfs: c.rec.Config.Rootfs, Created: c.rec.Created, Annotations: c.rec.Annotations,
	}
	if s.Version == "" {
		s.Version = specs.Version
	}
	if status == Stopped {
		s.Pid = 0
	}
	return s, nil
}

// hookDir is where the host's hooks run: in the bundle, as with other runtimes, or where we are
// ourselves if the bundle is gone by now.
func (c *Container) hookDir() string {
	if unix.Access(c.rec.Bundle, unix.X_OK) != nil {
		return ""
	}
	return c.rec.Bundle
}

// hookState is the state document that a hook gets; pid 0 leaves the pid out.
func (c *Container) hookState(status Status, pid int) *specs.State {
	return &specs.State{
		Version: specs.Version, ID: c.ID(), Status: specs.ContainerState(status), Pid: pid,
		Bundle: c.rec.Bundle, Annotations: c.rec.Annotations,
	}
}
