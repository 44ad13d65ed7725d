package libcontainer

import (
	"errors"
	"fmt"

	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// List finds all containers, in the order of their ids, and in broken an error for each directory
// that holds none. A missing root is an error that is fs.ErrNotExist.
func (r *Runtime) List() (all []*Container, broken []error, err error) {
	dirs, err := state.List(r.Root)
	if err != nil {
		return nil, nil, err
	}
	for _, dir := range dirs {
		id := dir.ID()
		c, err := r.load(dir)
		switch {
		case err == nil:
			all = append(all, c)
		case !errors.Is(err, ErrNotExist):
			broken = append(broken, fmt.Errorf("load container %s: %w", id, err))
		case r.abandoned(id):
			broken = append(broken, fmt.Errorf("load container %s: its directory holds no state", id))
		}
	}
	return all, broken, nil
}

// abandoned tells the rest of a create that was killed before it had any effect from a container
// that is just being made or deleted.
func (r *Runtime) abandoned(id string) bool {
	dir, err := state.Open(r.Root, id)
	return err == nil && !dir.Held()
}
