package backend

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Remove removes the cgroup and those below it, which may hold no process.
func (d *Dir) Remove() error {
	err := Rmdir(d.Path)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := d.removeBelow(); err != nil {
		return err
	}
	return Rmdir(d.Path)
}

// Rmdir removes a cgroup that has none below it. One that is gone already is fine.
func Rmdir(dir string) error {
	err := Retry(func() error { return unix.Rmdir(dir) })
	if err == nil || Gone(err) {
		return nil
	}
	return &FileError{Verb: "remove cgroup", Path: dir, Err: err}
}

// removeBelow removes the cgroups inside, leaves first. One that can't be removed keeps nothing but
// its parents.
func (d *Dir) removeBelow() error {
	var failure error
	err := walker{leave: func(parent int, name string) error {
		err := Retry(func() error { return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR) })
		if err != nil && !Gone(err) && failure == nil {
			failure = &FileError{Verb: "remove cgroup", Path: d.Path + "/…/" + name, Err: err}
		}
		return nil
	}}.walk(d)
	if err != nil {
		return err
	}
	return failure
}
