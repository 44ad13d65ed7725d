// Package setup is what create and exec do on the host for the process that they launch: the
// descriptors that its plan names, its id maps, limits, pipes and terminal, its pid file, and the
// list of how to undo what has been made. Each of these is a function of its own. The plan's host
// steps give the order in which they are called.
package setup

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// FileSet are the descriptors that a plan names. Only those that it opened itself are closed with
// it.
type FileSet struct {
	ByName map[string]*os.File
	own    []*os.File
	// mapping are the user namespaces of idmapped mounts: many mounts have the same maps.
	mapping map[plan.IDMap]*os.File
}

// Give adds a file that belongs to somebody else.
func (s *FileSet) Give(name string, f *os.File) {
	if s.ByName == nil {
		s.ByName = make(map[string]*os.File)
	}
	s.ByName[name] = f
}

// Keep adds a file that is closed with the set.
func (s *FileSet) Keep(name string, f *os.File) {
	s.Give(name, f)
	s.own = append(s.own, f)
}

// Close closes the files that the set has opened itself.
func (s *FileSet) Close() {
	for _, f := range s.own {
		f.Close()
	}
	s.own, s.mapping = nil, nil
}

// Cgroup is the directory in which launch has to start the image, or nil when the plan puts its
// process there itself.
func (s *FileSet) Cgroup(p *plan.Plan, dir *os.File) *os.File {
	for i := range p.Files {
		if p.Files[i].Name == compile.FileCgroup {
			s.Give(compile.FileCgroup, dir)
			return nil
		}
	}
	return dir
}

// OpenAll opens what the plan says how to open.
func (s *FileSet) OpenAll(p *plan.Plan) error {
	for i := range p.Files {
		f := &p.Files[i]
		if f.Open == plan.Given || s.ByName[f.Name] != nil {
			continue
		}
		file, err := s.open(f)
		if err != nil {
			return err
		}
		s.Keep(f.Name, file)
	}
	return nil
}

func (s *FileSet) open(f *plan.File) (*os.File, error) {
	var fd int
	var err error
	switch f.Open {
	case plan.OpenTree:
		flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
		if f.Recursive {
			flags |= unix.AT_RECURSIVE
		}
		if f.NoFollow {
			flags |= unix.AT_SYMLINK_NOFOLLOW
		}
		fd, err = unix.OpenTree(unix.AT_FDCWD, f.Path, flags)
		err = refusal.Explain("open_tree", err)
	default:
		fd, err = unix.Open(f.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: open %s: %w", f.From, f.Path, err)
	}
	file := os.NewFile(uintptr(fd), f.Path)
	if f.IDMap != nil {
		if err := s.idmapTree(fd, f); err != nil {
			file.Close()
			return nil, err
		}
	}
	return file, nil
}
