package setup

import (
	"errors"
	"slices"
)

// Undo is how to take back what has been made, in the order in which it was made.
type Undo []func() error

// Add notes how to take back what has just been made.
func (u *Undo) Add(f func() error) { *u = append(*u, f) }

// Run takes everything back, the last first. A failure does not keep it from the rest.
func (u Undo) Run() error {
	var errs []error
	for _, f := range slices.Backward(u) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
