package sandbox

import "github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"

// Words of CRI's for a pod's state.
const (
	ready    = "SANDBOX_READY"
	notReady = "SANDBOX_NOTREADY"
)

// status is how far a pod has come. Its process is there once it is created: what is wrong with its
// configuration CreateSandbox shall say.
type status uint8

const (
	absent status = iota
	creating
	created
	started
	ended
	removing
)

// call is what containerd may ask for.
type call uint8

const (
	create call = iota
	start
	look  // at the state, or wait
	count // what is used, or one container more
	stop
	shutdown
)

// step says what a call makes of a pod, and whether there is anything to do for it: stopping twice
// is no error, nor is removing twice, of which the first answer may have got lost.
func (s status) step(c call, id string) (next status, todo bool, err error) {
	refuse := func(kind task.Kind, text string) (status, bool, error) {
		return s, false, &task.Error{Kind: kind, Text: "sandbox " + id + " " + text}
	}
	switch {
	case c == create && s == absent:
		return creating, true, nil
	case c == create:
		return refuse(task.AlreadyExists, "can't be made: this shim has one already")
	case c == shutdown && s == absent:
		return s, false, nil
	case s == absent || s == creating:
		return refuse(task.NotFound, "does not exist")
	case s == removing:
		return refuse(task.FailedPrecondition, "is being removed")
	case c == start && s == started:
		return refuse(task.FailedPrecondition, "is started already")
	case (c == start || c == count) && s == ended:
		return refuse(task.FailedPrecondition, "has ended")
	case c == start:
		return started, true, nil
	case c == shutdown:
		return removing, true, nil
	}
	return s, c != stop || s != ended, nil
}

// word is the state as CRI calls it.
func (s status) word() string {
	if s == started {
		return ready
	}
	return notReady
}

// process is the state of the pod's process as `crictl inspectp` shows it.
func (s status) process() string {
	switch s {
	case created:
		return "created"
	case started:
		return "running"
	}
	return "stopped"
}
