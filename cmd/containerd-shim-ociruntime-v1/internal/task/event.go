package task

import (
	"time"

	"golang.org/x/sys/unix"
)

// EventKind is what has happened to a process of a task.
type EventKind uint8

const (
	Create EventKind = iota + 1
	Start
	Exit
	Delete
	ExecAdded
	ExecStarted
	Pause
	Resume
	OOM
	Checkpoint
)

// Event is something that containerd is told of. ExecID is empty for the container's init.
type Event struct {
	Kind   EventKind
	ExecID string
	Pid    int
	End    End    // of Exit and Delete
	Images string // of Checkpoint, where they are
}

// End is how a process ended.
type End struct {
	Status uint32 // the exit code, or 128 and the signal
	At     time.Time
}

// EndOf is the end of a process that was waited for, with an error if that failed.
func EndOf(status unix.WaitStatus, err error, at time.Time) End {
	switch {
	case err != nil:
		return End{FailedExec, at}
	case status.Signaled():
		return End{128 + uint32(status.Signal()), at}
	}
	return End{uint32(status.ExitStatus()), at}
}
