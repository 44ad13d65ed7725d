package backend

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// walker visits a cgroup and all cgroups below it. A container that manages its own cgroup decides
// how deep they lie and how long their names are: a full path may be longer than PATH_MAX, and
// there may be more levels than this process may have descriptors. So every step is relative to the
// descriptor of one directory, and ".." leads back: the kernel moves no cgroup to another parent.
type walker struct {
	// enter is called with each directory before those below it.
	enter func(dir int) error
	// leave is called after all below a directory have been visited, with that of its parent; not
	// for the first one.
	leave func(parent int, name string) error
}

// walk begins at d. What disappears meanwhile is skipped.
func (w walker) walk(d *Dir) error {
	top, err := d.Open()
	if err != nil {
		return ignoreGone(err)
	}
	way := &way{dir: top, top: top}
	defer way.close()
	if err := w.visit(way, ""); err != nil {
		return fmt.Errorf("list %s: %w", d.Path, err)
	}
	for len(way.levels) > 0 {
		if err := w.step(way); err != nil {
			return fmt.Errorf("go through the cgroups below %s: %w", d.Path, err)
		}
	}
	return nil
}

// way is where a walk has got to.
type way struct {
	top    int // belongs to the Dir
	dir    int
	levels []level
}

// level is a directory on the way down.
type level struct {
	name string
	todo []string // directories in it that are still to be visited
}

func (y *way) move(dir int) {
	y.close()
	y.dir = dir
}

func (y *way) close() {
	if y.dir != y.top {
		unix.Close(y.dir)
		y.dir = y.top
	}
}

// step goes down by one directory, or back up.
func (w walker) step(y *way) error {
	here := &y.levels[len(y.levels)-1]
	if len(here.todo) > 0 {
		name := here.todo[0]
		here.todo = here.todo[1:]
		child, err := OpenAt(y.dir, name, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return ignoreGone(err)
		}
		y.move(child)
		return w.visit(y, name)
	}
	name := here.name
	y.levels = y.levels[:len(y.levels)-1]
	if len(y.levels) == 0 {
		return nil
	}
	parent, err := openParent(y.dir)
	if err != nil {
		return err
	}
	y.move(parent)
	if w.leave == nil {
		return nil
	}
	return w.leave(parent, name)
}

// visit enters the directory that the way has come to.
func (w walker) visit(y *way, name string) error {
	names, err := w.look(y.dir)
	y.levels = append(y.levels, level{name, names})
	return err
}

// look enters a directory and lists those in it.
func (w walker) look(dir int) ([]string, error) {
	if w.enter != nil {
		if err := w.enter(dir); err != nil {
			return nil, ignoreGone(err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return nil, err
	}
	// kernfs counts a directory's subdirectories here, and most cgroups have none.
	if st.Nlink == 2 {
		return nil, nil
	}
	fd, err := OpenAt(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, ignoreGone(err)
	}
	f := os.NewFile(uintptr(fd), "cgroup")
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil && !Gone(err) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// openParent is the way back up, which OpenAt does not go.
func openParent(dir int) (int, error) {
	return retryOpen(func() (int, error) {
		return unix.Openat(dir, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
}
