package service

import (
	"errors"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/ttrpc"
	"github.com/ociruntime/ociruntime/libcontainer"
)

// answerError gives an error the number by which containerd knows its kind.
func answerError(err error) error {
	if err == nil {
		return nil
	}
	if code := codeOf(err); code != ttrpc.Unknown {
		return &ttrpc.Error{Code: code, Text: err.Error()}
	}
	return err
}

func codeOf(err error) ttrpc.Code {
	var refusal *task.Error
	if errors.As(err, &refusal) {
		switch refusal.Kind {
		case task.NotFound:
			return ttrpc.NotFound
		case task.AlreadyExists:
			return ttrpc.AlreadyExists
		case task.InvalidArgument:
			return ttrpc.InvalidArgument
		case task.FailedPrecondition:
			return ttrpc.FailedPrecondition
		}
	}
	for _, c := range []struct {
		err  error
		code ttrpc.Code
	}{
		{libcontainer.ErrNotExist, ttrpc.NotFound},
		{libcontainer.ErrExist, ttrpc.AlreadyExists},
		{libcontainer.ErrInvalidID, ttrpc.InvalidArgument},
		{libcontainer.ErrNotRunning, ttrpc.FailedPrecondition},
		{libcontainer.ErrRunning, ttrpc.FailedPrecondition},
		{libcontainer.ErrPaused, ttrpc.FailedPrecondition},
		{libcontainer.ErrNotPaused, ttrpc.FailedPrecondition},
		{libcontainer.ErrCreating, ttrpc.FailedPrecondition},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ttrpc.Unknown
}
