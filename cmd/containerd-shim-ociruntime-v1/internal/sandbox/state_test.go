package sandbox

import (
	"errors"
	"testing"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
)

// Every call in every state.
func TestStep(t *testing.T) {
	const (
		exists  = task.AlreadyExists
		missing = task.NotFound
		wrong   = task.FailedPrecondition
	)
	type outcome struct {
		next status
		todo bool
		kind task.Kind
	}
	refused := func(s status, kind task.Kind) outcome { return outcome{s, false, kind} }
	for s, want := range map[status][6]outcome{ // create, start, look, count, stop, shutdown
		absent: {
			{creating, true, 0}, refused(absent, missing), refused(absent, missing), refused(absent, missing),
			refused(absent, missing), {absent, false, 0},
		},
		creating: {
			refused(creating, exists), refused(creating, missing), refused(creating, missing), refused(creating, missing),
			refused(creating, missing), refused(creating, missing),
		},
		created: {
			refused(created, exists), {started, true, 0}, {created, true, 0}, {created, true, 0}, {created, true, 0}, {removing, true, 0},
		},
		started: {
			refused(started, exists), refused(started, wrong), {started, true, 0}, {started, true, 0}, {started, true, 0}, {removing, true, 0},
		},
		ended: {
			refused(ended, exists), refused(ended, wrong), {ended, true, 0}, refused(ended, wrong), {ended, false, 0}, {removing, true, 0},
		},
		removing: {
			refused(removing, exists), refused(removing, wrong), refused(removing, wrong), refused(removing, wrong),
			refused(removing, wrong), refused(removing, wrong),
		},
	} {
		for c, w := range want {
			next, todo, err := s.step(call(c), "x")
			got := outcome{next, todo, 0}
			var e *task.Error
			if errors.As(err, &e) {
				got.kind = e.Kind
			}
			if got != w {
				t.Errorf("state %d, call %d: %v, not %v", s, c, got, w)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for s, want := range map[status][2]string{
		creating: {notReady, "stopped"}, created: {notReady, "created"}, started: {ready, "running"}, ended: {notReady, "stopped"}, removing: {notReady, "stopped"},
	} {
		if got := [2]string{s.word(), s.process()}; got != want {
			t.Errorf("%d: %v, not %v", s, got, want)
		}
	}
}
