package kernel_test

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/kernel"
)

// caught reports whether this process has a handler for a signal (proc_pid_status(5), SigCgt).
func caught(t *testing.T, s unix.Signal) bool {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, mask, _ := strings.Cut(string(status), "SigCgt:")
	mask, _, _ = strings.Cut(mask, "\n")
	bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return bits>>(s-1)&1 == 1
}

func TestDefaultAction(t *testing.T) {
	if !caught(t, unix.SIGQUIT) {
		t.Skip("this Go has no handler for SIGQUIT")
	}
	back := kernel.DefaultAction(unix.SIGQUIT)
	during := caught(t, unix.SIGQUIT)
	back()
	if during || !caught(t, unix.SIGQUIT) {
		t.Errorf("a handler during the default action: %t, and after it: %t", during, caught(t, unix.SIGQUIT))
	}
	// Go catches it again.
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGQUIT)
	defer signal.Stop(c)
	if err := unix.Kill(os.Getpid(), unix.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Error("the signal does not arrive")
	}
}
