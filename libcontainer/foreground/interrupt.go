package foreground

import (
	"context"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
)

// Interruption is the error of what a signal has ended.
type Interruption struct{ Signal unix.Signal }

func (i Interruption) Error() string { return "interrupted by " + unix.SignalName(i.Signal) }

// ExitCode is that of a process which the signal has ended, as a shell gives it: 128 and its
// number.
func (i Interruption) ExitCode() int { return 128 + int(i.Signal) }

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

// Interruptible carries out what has to be undone when HUP, INT, QUIT or TERM ends it: then ctx
// ends, with an [Interruption] for its cause. The signals stay caught: one that comes when all is
// done must not end the program as if it were not.
func Interruptible(do func(ctx context.Context) error) error {
	ending := endingSignals()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, ending...)
	ctx, stop := cancelOn(ending, signals)
	defer stop()
	return do(ctx)
}

// cancelOn gives a context that ends with the first signal of ending; the cause is an
// [Interruption]. stop gives back every signal that has come.
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
					cancel(Interruption{s.(unix.Signal)})
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
