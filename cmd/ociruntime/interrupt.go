package main

import (
	"context"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
)

// interruption is the signal that ended a command before the container's program ran.
type interruption struct{ signal unix.Signal }

func (i interruption) Error() string { return "interrupted by " + unix.SignalName(i.signal) }

// exitCode is that of a process which the signal has ended, as a shell gives it.
func (i interruption) exitCode() int { return 128 + int(i.signal) }

// endingSignals ask a command to end. One that was ignored from the start, as by nohup(1), does
// not.
func endingSignals() []os.Signal {
	var list []os.Signal
	for _, s := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// interruptible carries out a part of a command that has to be undone when a signal ends it. The
// signals stay caught: one that comes when all is done must not end the command as if it were not.
func interruptible(do func(ctx context.Context) error) error {
	ending := endingSignals()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, ending...)
	ctx, stop := cancelOn(ending, signals)
	defer stop()
	return do(ctx)
}

// uninterruptible carries out a part of a command that a signal may end as it ends any process.
func uninterruptible(do func(ctx context.Context) error) error { return do(context.Background()) }

// cancelOn gives a context that ends with the first signal of ending; the cause is an
// [interruption]. stop gives back every signal that has come.
func cancelOn(ending []os.Signal, signals <-chan os.Signal) (_ context.Context, stop func() []os.Signal) {
	ctx, cancel := context.WithCancelCause(context.Background())
	quit, came := make(chan struct{}), make(chan []os.Signal)
	go func() {
		var list []os.Signal
		for {
			select {
			case s := <-signals:
				list = append(list, s)
				if slices.Contains(ending, s) {
					cancel(interruption{s.(unix.Signal)})
				}
			case <-quit:
				came <- list
				return
			}
		}
	}()
	return ctx, func() []os.Signal {
		close(quit)
		list := <-came
		cancel(nil)
		return list
	}
}

// quitQuietly has SIGQUIT end a command that goes on for long. Where nobody catches it, Go dumps its
// goroutines.
func quitQuietly() {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, unix.SIGQUIT)
	go func() {
		<-quit
		os.Exit(interruption{unix.SIGQUIT}.exitCode())
	}()
}
