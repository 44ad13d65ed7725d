package orphans

import (
	"errors"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// child starts a process that ends at once, and waits until it is a zombie.
func child(t *testing.T) (pid int) {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid = cmd.Process.Pid
	for !slices.Contains(zombies(), pid) {
		time.Sleep(time.Millisecond)
	}
	return pid
}

// status is what is left to wait for.
func status(pid int) error {
	_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return err
}

func TestPass(t *testing.T) {
	ours, orphan := child(t), child(t)
	seen := make(map[int]time.Time)
	owned := func(pid int, _ time.Time) bool { return pid == ours }
	if !pass(seen, []int{ours, orphan}, owned) {
		t.Error("nobody is looked at again")
	}
	if !slices.Contains(zombies(), orphan) {
		t.Error("an orphan is reaped at the first sight")
	}
	if !pass(seen, []int{ours, orphan}, owned) {
		t.Error("what is somebody's is not looked at again")
	}
	if err := status(orphan); !errors.Is(err, unix.ECHILD) {
		t.Errorf("the orphan is not reaped: %v", err)
	}
	if err := status(ours); err != nil {
		t.Errorf("the child of somebody is reaped: %v", err)
	}
	if pass(seen, nil, owned) || len(seen) != 0 {
		t.Errorf("without zombies: %v", seen)
	}
}
