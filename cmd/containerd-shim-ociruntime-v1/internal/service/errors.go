package service

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
)

// answerError gives an error the number by which containerd knows its kind.
func answerError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(code(err), err.Error())
}

func code(err error) codes.Code {
	var e *task.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case task.NotFound:
			return codes.NotFound
		case task.AlreadyExists:
			return codes.AlreadyExists
		case task.InvalidArgument:
			return codes.InvalidArgument
		case task.FailedPrecondition:
			return codes.FailedPrecondition
		}
	}
	for _, c := range []struct {
		err  error
		code codes.Code
	}{
		{libcontainer.ErrNotExist, codes.NotFound},
		{libcontainer.ErrExist, codes.AlreadyExists},
		{libcontainer.ErrInvalidID, codes.InvalidArgument},
		{libcontainer.ErrNotRunning, codes.FailedPrecondition},
		{libcontainer.ErrRunning, codes.FailedPrecondition},
		{libcontainer.ErrPaused, codes.FailedPrecondition},
		{libcontainer.ErrNotPaused, codes.FailedPrecondition},
		{libcontainer.ErrCreating, codes.FailedPrecondition},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return codes.Unknown
}
