package pidfd

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAwait(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	process := os.NewFile(uintptr(fd), "pidfd")
	defer process.Close()
	for _, limit := range []time.Duration{-time.Second, 0, time.Millisecond} {
		if ended, err := Await(process, limit); ended || err != nil {
			t.Errorf("a running process, %s: %v %v", limit, ended, err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// It is not reaped yet.
	if ended, err := Await(process, time.Minute); !ended || err != nil {
		t.Errorf("a killed process: %v %v", ended, err)
	}
}
