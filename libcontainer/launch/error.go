package launch

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// StepError is a failed op, in words: the place in config.json, what was tried, the call, the kernel's word.
type StepError struct {
	Step  *plan.Step
	Op    *plan.Op
	Errno unix.Errno
}

func (p *Process) stepError(op int, errno unix.Errno) error { return NewStepError(p.plan, op, errno) }

// NewStepError explains the failure of the op with the given index.
func NewStepError(pl *plan.Plan, index int, errno unix.Errno) error {
	s, o := pl.At(index)
	if s == nil {
		return errno
	}
	return &StepError{s, o, errno}
}

func (e *StepError) Error() string {
	if e.Op.Msg != "" {
		if msg, ok := strings.CutSuffix(e.Op.Msg, "."); ok {
			return msg
		}
		return e.Op.Msg + ": " + e.Errno.Error()
	}
	word := e.Errno.Error()
	if e.Errno == unix.EPROTO && e.Op.HasWant {
		word = "cut short"
	}
	return e.Step.From + ": " + e.Step.What + ": " + e.Op.Call.String() + ": " + word
}

// Unwrap makes errors.Is(err, unix.ENOENT) and the like work.
func (e *StepError) Unwrap() error { return e.Errno }
