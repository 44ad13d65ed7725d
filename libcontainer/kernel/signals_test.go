//go:build amd64 || arm64

package kernel

import (
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// takeAll takes until as many signals have come as are wanted.
func takeAll(t *testing.T, s *Signals, want int) []unix.Signal {
	t.Helper()
	var got []unix.Signal
	for deadline := time.Now().Add(10 * time.Second); len(got) < want && time.Now().Before(deadline); {
		got = append(got, s.Take()...)
		runtime.Gosched()
	}
	slices.Sort(got)
	return got
}

// TestCatchSignals: signals that would end the process are noted while goroutines work on small stacks, and are Go's again afterwards.
func TestCatchSignals(t *testing.T) {
	set := []unix.Signal{unix.SIGTERM, unix.SIGUSR1, unix.SIGHUP}
	s, err := CatchSignals(set...)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	var depth atomic.Int64
	for range 2 {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					depth.Store(int64(deep(20)))
				}
			}
		})
	}
	for range 30 {
		for _, sig := range set {
			if err := unix.Kill(os.Getpid(), sig); err != nil {
				t.Fatal(err)
			}
		}
		if got := takeAll(t, s, len(set)); !slices.Equal(got, []unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGTERM}) {
			t.Fatalf("took %v", got)
		}
	}
	close(stop)
	busy.Wait()

	// None is lost when os/signal takes over.
	c := make(chan os.Signal, 8)
	signal.Notify(c, unix.SIGUSR1)
	defer signal.Stop(c)
	if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got := takeAll(t, s, 1); len(got) != 1 {
		t.Fatalf("took %v before it was released", got)
	}
	s.Release()
	if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("os/signal did not get the signal")
	}
	if got := s.Take(); got != nil {
		t.Errorf("took %v after it was released", got)
	}
}

// A signal that was ignored when the process began reaches os/signal all the same.
func TestReleaseOfIgnoredSignal(t *testing.T) {
	signal.Ignore(unix.SIGINT)
	defer signal.Reset(unix.SIGINT)
	s, err := CatchSignals(unix.SIGINT)
	if err != nil {
		t.Fatal(err)
	}
	c := make(chan os.Signal, 8)
	signal.Notify(c, unix.SIGINT)
	defer signal.Stop(c)
	s.Release()
	if err := unix.Kill(os.Getpid(), unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Error("os/signal did not get the signal")
	}
}

//go:noinline
func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n-1) + n
}
