package launch

import (
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// StepError is a failed op, in words: the place in config.json, what was tried, the call, the
// kernel's word.
type StepError struct {
	Step  *plan.Step
	Op    *plan.Op
	Errno unix.Errno

	refused string // name, word and reason of a call that was refused as a whole, else empty
}

func (p *Process) stepError(op int, errno unix.Errno) error { return NewStepError(p.plan, op, errno) }

// NewStepError explains the failure of the op with the given index.
func NewStepError(pl *plan.Plan, index int, errno unix.Errno) error {
	s, o := pl.At(index)
	if s == nil {
		return errno
	}
	e := &StepError{Step: s, Op: o, Errno: errno}
	call := callName(o)
	// The init lives under the filters that are around us: what they refuse to it they refuse to
	// us.
	if err := refusal.Explain(call, errno); err != error(errno) {
		e.refused = err.Error()
	} else if by := ownFilter(pl, o, errno); by != "" {
		e.refused = call + ": " + errno.Error() + " (" + by + ")"
	}
	return e
}

// birthError is that of starting the image in a cgroup.
type birthError struct{ error }

func (e *birthError) Unwrap() error { return e.error }

// RefusedByCgroup reports whether err says that a process could not be born in its cgroup because
// that has been removed, or has given controllers to cgroups below it and so may have no processes
// of its own (cgroups(7), "no internal processes").
func RefusedByCgroup(err error) bool {
	var step *StepError
	var image *birthError
	if !errors.As(err, &image) && !(errors.As(err, &step) && step.Op.Call == plan.Spawn) {
		return false
	}
	return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENODEV)
}

// ownFilter blames the filter that the plan has loaded before op, if that is all that can have
// refused it.
func ownFilter(pl *plan.Plan, op *plan.Op, errno unix.Errno) string {
	const own = "refused by the container's own filter, linux.seccomp"
	for i := range pl.Steps {
		for j := range pl.Steps[i].Ops {
			switch o := &pl.Steps[i].Ops[j]; {
			case o == op:
				return ""
			case o.Call != plan.SysSeccomp:
			case errno == unix.ENOSYS:
				return own
			case errno == unix.EPERM && op.Call == plan.SysExecve:
				return "perhaps " + own
			}
		}
	}
	return ""
}

func (e *StepError) Error() string {
	word, call := e.Errno.Error(), callName(e.Op)
	switch msg, whole := strings.CutSuffix(e.Op.Msg, "."); {
	case msg != "" && e.refused != "":
		return strings.TrimSuffix(msg, ": "+call) + ": " + e.refused
	case whole:
		return msg
	case msg != "":
		return msg + ": " + word
	case e.refused != "":
		return place(e.Step) + ": " + e.Step.What + ": " + e.refused
	case e.Errno == unix.EPROTO && e.Op.HasWant:
		word = "cut short"
	case e.Errno == unix.ELOOP && followsNoLink(e.Op):
		word = "a symbolic link of the root file system is in the way, and none may be followed there"
	}
	return place(e.Step) + ": " + e.Step.What + ": " + call + ": " + word
}

// place is where a step comes from. Many come from no place in config.json, but have to be made for
// any container.
func place(s *plan.Step) string {
	if s.From == "default" {
		return "set up the process"
	}
	return s.From
}

// followsNoLink reports whether an op has the kernel answer every symbolic link with ELOOP.
func followsNoLink(o *plan.Op) bool {
	if o.Call != plan.SysOpenat2 {
		return false
	}
	// struct open_how has its resolve flags last (openat2(2)).
	how := o.Args[2].Data()
	if len(how) != unix.SizeofOpenHow {
		return false
	}
	resolve := binary.NativeEndian.Uint64([]byte(how[len(how)-8:]))
	return resolve&unix.RESOLVE_NO_SYMLINKS != 0
}

// callName is the name of the system call that an op makes.
func callName(o *plan.Op) string {
	switch {
	case o.Call != plan.Spawn:
		return o.Call.String()
	case len(o.Args) > 0 && o.Args[0].Kind == plan.KindInt:
		return "clone"
	}
	return "clone3"
}

// Unwrap makes errors.Is(err, unix.ENOENT) and the like work.
func (e *StepError) Unwrap() error { return e.Errno }
