package v1

import (
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Cgroup is a container's cgroup in one v1 hierarchy. It implements backend.Cgroup.
type Cgroup struct {
	dir         *backend.Dir
	controllers []string
}

var _ backend.Cgroup = (*Cgroup)(nil)

// New is the cgroup at path in the hierarchy with these controllers. It touches nothing.
func New(path string, controllers []string) *Cgroup {
	return &Cgroup{dir: backend.NewDir(path), controllers: controllers}
}

// Dir is the cgroup's directory.
func (c *Cgroup) Dir() *backend.Dir { return c.dir }

// Names are the controllers of the hierarchy. Those that a state file doesn't tell are missing.
func (c *Cgroup) Names() []string { return c.controllers }

func (c *Cgroup) has(controller string) bool { return slices.Contains(c.controllers, controller) }

// LockFile is devices.allow, which only root may open. The files of other hierarchies can be read
// by everybody, so that there the directory itself has to do.
func (c *Cgroup) LockFile() (name string, flags uint64) {
	if c.has("devices") {
		return "devices.allow", unix.O_WRONLY
	}
	return ".", unix.O_RDONLY | unix.O_DIRECTORY
}

// MissingFile says why a file for a limit may not be there.
func (c *Cgroup) MissingFile() string { return backend.NotOffered }

// Entrance is the file tasks: a process with a single thread writes "0" to it.
func (c *Cgroup) Entrance() (*os.File, error) {
	fd, err := c.dir.OpenTasks()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), c.dir.File("tasks")), nil
}

// Prepare fills the CPUs and memory nodes of a cpuset cgroup.
func (c *Cgroup) Prepare(s backend.Setup) error {
	if !c.has("cpuset") {
		return nil
	}
	return fillCpuset(c.dir, s.Mount, s.Rel, s.Fresh)
}

// fillCpuset gives a cpuset cgroup, which lies at rel below mount, the CPUs and memory nodes of its
// parent, and first of all the parent its own.
func fillCpuset(dir *backend.Dir, mount, rel string, fresh bool) error {
	if rel == "/" {
		return nil
	}
	up := path.Dir(rel)
	parent := backend.NewDir(path.Join(mount, up))
	defer parent.Close()
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if !fresh {
			if own, err := dir.Read(spell(dir, file)); err != nil || own != "\n" {
				if err != nil {
					return err
				}
				continue
			}
		}
		file = spell(parent, file)
		value, err := parent.Read(file)
		if err == nil && value == "\n" {
			if err = fillCpuset(parent, mount, up, false); err == nil {
				value, err = parent.Read(file)
			}
		}
		if err != nil {
			return err
		}
		if err := dir.Write(file, strings.TrimSuffix(value, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// spell drops the controller's name where the hierarchy is mounted with "noprefix".
func spell(d *backend.Dir, file string) string {
	dir, err := d.Open()
	if err == nil && unix.Faccessat(dir, file, unix.F_OK, 0) == unix.ENOENT {
		return strings.TrimPrefix(file, "cpuset.")
	}
	return file
}
