package foreground

import (
	"context"
	"os"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A signal that comes when a command has done its work does not end it as if it had not.
func TestSignalBehindTheWork(t *testing.T) {
	defer signal.Reset(endingSignals()...)
	if err := Interruptible(func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGUSR1)
	defer signal.Stop(caught)
	if err := unix.Kill(os.Getpid(), unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	// The kernel hands out the lower number first: behind this one, the other has had its effect.
	if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-caught:
	case <-time.After(10 * time.Second):
		t.Error("no signal arrives")
	}
}
