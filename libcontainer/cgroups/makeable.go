package cgroups

import (
	"errors"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// Makeable are the places in which this process could make a cgroup, as far as can be told without
// making one: those that it may write to, or to the nearest directory above that there is.
func Makeable(places []Place) (may []Place) {
	for _, p := range places {
		if writable(p.Path(), p.Tree.Mount) {
			may = append(may, p)
		}
	}
	return may
}

func writable(dir, top string) bool {
	for {
		err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
		if !errors.Is(err, unix.ENOENT) || dir == top || dir == "/" {
			return err == nil
		}
		dir = path.Dir(dir)
	}
}

// Within are the settings of a user without privileges who gets a cgroup in these places alone.
// Rules for devices are left out where nothing enforces them, as Create does. lacking are the
// writes for which there is no cgroup, so that Create would refuse them.
func (s *Settings) Within(places []Place) (in *Settings, lacking []Write) {
	in = &Settings{mount: s.mount}
	for _, w := range s.Writes {
		switch {
		case slices.ContainsFunc(places, func(p Place) bool {
			return p.V2 == w.V2 && (p.V2 || slices.Contains(p.Tree.Controllers, w.Controller))
		}):
			in.Writes = append(in.Writes, w)
		case w.Controller != "devices":
			lacking = append(lacking, w)
		}
	}
	return in, lacking
}
