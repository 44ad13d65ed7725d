package libcontainer

import (
	"errors"

	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// What a verb says, or wraps, when the container's status does not allow it. Engines look for these
// words in a command's output.
var (
	ErrNotExist   = state.ErrNotExist
	ErrExist      = state.ErrExist
	ErrInvalidID  = state.ErrInvalidID
	ErrNotRunning = errors.New("container not running")
	ErrRunning    = errors.New("container still running")
	ErrPaused     = errors.New("container paused")
	ErrNotPaused  = errors.New("container not paused")
	ErrNoCgroup   = errors.New("container has no cgroup")
	ErrCreating   = errors.New("container is being created")
)

// statusError says in a verb's own words that the status does not allow it. Engines look for these
// words, too, and programs for what it wraps.
type statusError struct {
	text string
	kind error
}

func (e *statusError) Error() string { return e.text }

func (e *statusError) Unwrap() error { return e.kind }
