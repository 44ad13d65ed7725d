package libcontainer

import (
	"errors"
	"slices"
)

// undo is how to take back what has been made, in the order in which it was made.
type undo []func() error

func (u *undo) add(f func() error) { *u = append(*u, f) }

// run takes everything back, the last first. A failure does not keep it from the rest.
func (u undo) run() error {
	var errs []error
	for _, f := range slices.Backward(u) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
