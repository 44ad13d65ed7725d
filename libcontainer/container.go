package libcontainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/state"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// Container is one that exists, as the last command left it. Its methods are for one goroutine. To
// do several things at once, as executing processes, Load it for each: they exclude each other
// where they have to, as the commands of several programs do.
type Container struct {
	rt  *Runtime
	dir *state.Dir
	rec *state.Record

	listen bool     // see ListenNotify
	notify *os.File // the socket, once it is made
}

// lockTimeout is how long a command waits for another one that is changing the same container.
const lockTimeout = 10 * time.Second

// Load finds a container.
func (r *Runtime) Load(id string) (*Container, error) {
	dir, err := state.Open(r.Root, id)
	if err != nil {
		return nil, err
	}
	return r.load(dir)
}

func (r *Runtime) load(dir *state.Dir) (*Container, error) {
	rec, err := dir.Load()
	if err != nil {
		return nil, err
	}
	return &Container{rt: r, dir: dir, rec: rec}, nil
}

func (r *Runtime) warn(msg string) {
	if r.Warn != nil {
		r.Warn(msg)
	}
}

// ID is the container's id.
func (c *Container) ID() string { return c.dir.ID() }

// Record is what is known of the container beside what the kernel can be asked.
func (c *Container) Record() *state.Record { return c.rec }

// lock keeps other commands from changing the container, and makes c what the last of them has
// left.
func (c *Container) lock(ctx context.Context) (unlock func(), err error) {
	unlock, err = c.dir.LockWithin(ctx, lockTimeout)
	if err != nil {
		return nil, err
	}
	if err := c.reload(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// lockStatus is lock with the status that the container then has.
func (c *Container) lockStatus(ctx context.Context) (status Status, unlock func(), err error) {
	if unlock, err = c.lock(ctx); err != nil {
		return "", nil, err
	}
	if status, err = c.Status(); err != nil {
		unlock()
		return "", nil, err
	}
	return status, unlock, nil
}

func (c *Container) reload() error {
	rec, err := c.dir.Load()
	if err == nil {
		c.rec = rec
	}
	return err
}

// Config is the configuration with which the container was created.
func (c *Container) Config() (*specs.Spec, error) {
	data, err := c.configText()
	var spec *specs.Spec
	if err == nil {
		spec, _, err = load.Parse(data)
	}
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", c.ID(), err)
	}
	return spec, nil
}

func (c *Container) configText() ([]byte, error) {
	data, err := c.dir.Config()
	if errors.Is(err, os.ErrNotExist) {
		// Another runtime made the container.
		return os.ReadFile(filepath.Join(c.rec.Bundle, load.ConfigName))
	}
	return data, err
}

// Owner is the name of the user who created the container, or "#" and the number of one without a
// name.
func (c *Container) Owner() string {
	passwd, _ := fs.ReadFile("/etc/passwd") // without one, nobody has a name
	users, err := user.ParsePasswdFilter(bytes.NewReader(passwd), func(u user.User) bool { return u.Uid == c.rec.Owner })
	if err == nil && len(users) > 0 {
		return users[0].Name
	}
	return "#" + strconv.Itoa(c.rec.Owner)
}

// OOMKilled reports whether the kernel has killed a process of the container because of its memory
// limit.
func (c *Container) OOMKilled() (bool, error) {
	cg, err := c.cgroup()
	if err != nil {
		return false, err
	}
	defer cg.Close()
	n, err := cg.OOMKills()
	return n > 0 || err == nil && c.oomScope(cg), err
}

// needsCgroup says what can't be had of a container without a cgroup.
func (c *Container) needsCgroup(without string) error {
	if len(c.rec.CgroupPaths) > 0 {
		return nil
	}
	way := ""
	if c.rec.Rootless {
		way = " (--systemd-cgroup has a user's systemd make one, and one below a cgroup that is delegated to the user will do)"
	}
	return fmt.Errorf("%w: %s%s", ErrNoCgroup, without, way)
}

func (c *Container) cgroup() (*cgroups.Cgroup, error) {
	return cgroups.OpenOwn(c.rec.CgroupPaths, c.rec.CgroupID)
}
