package v2

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Cgroup is a container's cgroup in the cgroup2 tree. It implements backend.Cgroup.
type Cgroup struct {
	dir        *backend.Dir
	notEnabled error // why some controllers could not be enabled
}

var _ backend.Cgroup = (*Cgroup)(nil)

// New is the cgroup at path. It touches nothing.
func New(path string) *Cgroup { return &Cgroup{dir: backend.NewDir(path)} }

// Dir is the cgroup's directory.
func (c *Cgroup) Dir() *backend.Dir { return c.dir }

// Names is the key "", which stands for the cgroup2 tree in a state file.
func (c *Cgroup) Names() []string { return []string{""} }

// LockFile is cgroup.kill, which only the cgroup's owner may open.
func (c *Cgroup) LockFile() (name string, flags uint64) { return "cgroup.kill", unix.O_WRONLY }

// MissingFile says why a file for a limit may not be there.
func (c *Cgroup) MissingFile() string {
	if c.notEnabled != nil {
		return fmt.Sprintf("the controller is not enabled here (%v)", c.notEnabled)
	}
	return backend.NotOffered
}

// Entrance is the directory, in which a process can be born (CLONE_INTO_CGROUP).
func (c *Cgroup) Entrance() (*os.File, error) {
	fd, err := c.dir.Duplicate()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), c.dir.Path), nil
}

// Prepare enables controllers for the cgroup, and makes it threaded where it can't be anything
// else.
func (c *Cgroup) Prepare(s backend.Setup) error {
	c.enable(s.Mount, s.Rel, s.Controllers)
	return c.checkType(s.Limits)
}

// Enable enables controllers for a cgroup that is in use. mount is that of the tree.
func (c *Cgroup) Enable(mount string, controllers []string) {
	if rel, ok := strings.CutPrefix(c.dir.Path, strings.TrimSuffix(mount, "/")); ok {
		c.enable(mount, rel, controllers)
	}
}

// enable gives controllers to the children of all cgroups above this one, from the top. What can't
// be enabled is not fatal: the limit that needs it fails later, and says why (see MissingFile).
func (c *Cgroup) enable(mount, rel string, controllers []string) {
	c.notEnabled = nil
	dir := path.Dir(rel)
	if len(controllers) == 0 || enabledIn(path.Join(mount, dir), controllers) {
		return
	}
	at := mount
	for _, part := range strings.Split("."+dir, "/") {
		at = path.Join(at, part)
		if enabledIn(at, controllers) {
			continue
		}
		if err := enableAt(at, controllers); err != nil && c.notEnabled == nil {
			c.notEnabled = err
		}
	}
}

func enabledIn(dir string, controllers []string) bool {
	d := backend.NewDir(dir)
	defer d.Close()
	text, err := d.Read("cgroup.subtree_control")
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
	d := backend.NewDir(dir)
	defer d.Close()
	if d.Write("cgroup.subtree_control", "+"+strings.Join(controllers, " +")) == nil {
		return nil
	}
	// One controller that is refused (a domain with processes, real-time tasks) takes the others
	// with it: one by one.
	var failure error
	for _, name := range controllers {
		if err := d.Write("cgroup.subtree_control", "+"+name); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// checkType deals with a child of a threaded cgroup, which is born invalid: it can become threaded
// too, but then has no limits of memory, io and the other controllers that count for a whole
// process.
func (c *Cgroup) checkType(limits []backend.Write) error {
	kind, err := c.dir.Read("cgroup.type")
	if err != nil {
		if backend.Gone(err) { // the root of the tree has no type
			return nil
		}
		return err
	}
	kind = strings.TrimSpace(kind)
	if kind != "domain invalid" && kind != "threaded" {
		return nil
	}
	for _, w := range limits {
		switch w.Controller {
		case "", "cpu", "cpuset", "perf_event", "pids":
		default:
			if w.V2 {
				return fmt.Errorf("%s: cannot limit %s in a threaded cgroup: %s", w.From, w.Controller, c.dir.Path)
			}
		}
	}
	if kind == "threaded" {
		return nil
	}
	return c.dir.Write("cgroup.type", "threaded")
}

// GiveTo makes a user able to manage the cgroup's inside: the directory and the files that the
// kernel names for it, which hold no limits. -1 leaves an id alone.
func (c *Cgroup) GiveTo(uid, gid int) error {
	dir, err := c.dir.Open()
	if err != nil {
		return err
	}
	for _, name := range append([]string{""}, delegated()...) {
		flags := unix.AT_SYMLINK_NOFOLLOW
		if name == "" {
			flags = unix.AT_EMPTY_PATH
		}
		err := unix.Fchownat(dir, name, uid, gid, flags)
		if name != "" && errors.Is(err, unix.ENOENT) {
			continue // of a controller that is not enabled here
		}
		if err != nil {
			return &backend.FileError{
				From: "process.user", Verb: "change the owner of", Path: path.Join(c.dir.Path, name), Err: err,
			}
		}
	}
	return nil
}

// delegated are the names in /sys/kernel/cgroup/delegate (cgroups(7)).
func delegated() []string {
	text, err := backend.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil {
		return []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
	}
	return slices.DeleteFunc(strings.Fields(text), func(name string) bool {
		return strings.Contains(name, "/")
	})
}

// Kill sends SIGKILL to all processes of the cgroup and of those below it, and to what they fork
// meanwhile. The kernel refuses a threaded cgroup (EOPNOTSUPP).
func (c *Cgroup) Kill() error { return c.dir.Write("cgroup.kill", "1") }
