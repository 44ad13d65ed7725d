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
	at := &position{dir: top, top: top}
	defer at.close()
	if err := w.visit(at, ""); err != nil {
		return fmt.Errorf("list %s: %w", d.Path, err)
	}
	for len(at.levels) > 0 {
		if err := w.step(at); err != nil {
			return fmt.Errorf("go through the cgroups below %s: %w", d.Path, err)
		}
	}
	return nil
}

// position is where a walk has got to.
type position struct {
	top    int // belongs to the Dir
	dir    int
	levels []level
}

// level is a directory on the way down.
type level struct {
	name string
	todo []string // directories in it that are still to be visited
}

func (p *position) move(dir int) {
	p.close()
	p.dir = dir
}

func (p *position) close() {
	if p.dir != p.top {
		unix.Close(p.dir)
		p.dir = p.top
	}
}

// step goes down by one directory, or back up.
func (w walker) step(p *position) error {
	here := &p.levels[len(p.levels)-1]
	if len(here.todo) > 0 {
		name := here.todo[0]
		here.todo = here.todo[1:]
		child, err := OpenAt(p.dir, name, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return ignoreGone(err)
		}
		p.move(child)
		return w.visit(p, name)
	}
	name := here.name
	p.levels = p.levels[:len(p.levels)-1]
	if len(p.levels) == 0 {
		return nil
	}
	parent, err := openParent(p.dir)
	if err != nil {
		return err
	}
	p.move(parent)
	if w.leave == nil {
		return nil
	}
	return w.leave(parent, name)
}

// visit enters the directory that the walk has come to.
func (w walker) visit(p *position, name string) error {
	names, err := w.look(p.dir)
	p.levels = append(p.levels, level{name, names})
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
func openParent(dir int) (fd int, err error) {
	err = Retry(func() error {
		fd, err = unix.Openat(dir, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}
