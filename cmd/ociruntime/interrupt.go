package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/ociruntime/ociruntime/libcontainer/foreground"
)

// interruptible carries out a part of a command that a signal cancels, to be undone.
func (a *app) interruptible(do func(ctx context.Context) error) error {
	a.quit()
	return foreground.Interruptible(do)
}

// uninterruptible carries out a part of a command that a signal may end as it ends any process.
func uninterruptible(do func(ctx context.Context) error) error { return do(context.Background()) }

// foreground stays in front of a process; beside one that goes on, garbage is worth collecting.
func (a *app) foreground() *foreground.Loop {
	l := foreground.New()
	l.Settle = func() {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(100)
		}
	}
	return l
}

// catch has a loop catch the signals that end a process.
func (a *app) catch(l *foreground.Loop) {
	a.quit()
	l.Catch()
}
