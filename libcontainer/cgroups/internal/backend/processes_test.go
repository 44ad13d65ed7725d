package backend

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// A threaded cgroup lists threads, which stand for their processes.
func TestProcessOf(t *testing.T) {
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(threads) < 2 {
		t.Fatalf("threads of a Go program: %q, %v", threads, err)
	}
	for _, dir := range threads {
		tid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		if got := processOf(tid); got != os.Getpid() && got != 0 {
			t.Errorf("thread %d is of process %d, want %d", tid, got, os.Getpid())
		}
	}
	if got := processOf(1 << 30); got != 0 {
		t.Errorf("a thread that does not exist is of process %d", got)
	}
}
