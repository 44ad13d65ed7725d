package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// A signal ends a dump as it ends other commands, and the container goes on: criu is left the time
// to take back what it has begun.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	b.counts(1)
	b.checkpoint("--leave-running")
	for _, begun := range []string{"", "Seized task", "Parasite syscall_ip", "Dumping pages"} {
		at := filepath.Join(b.images, "dump.log")
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
		log := func() string {
			data, _ := os.ReadFile(at)
			return string(data)
		}
		cmd := b.Cmd("checkpoint", "--image-path", b.images, "--leave-running", b.ID)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(harness.Patience(10 * time.Second)); !strings.Contains(log(), begun) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if code := harness.ExitCode(cmd.ProcessState); code != 143 && code != 0 {
			t.Errorf("exit %d", code)
		}
		b.goesOn()
		if all := log(); begun != "" && !strings.Contains(all, "Dumping FAILED") && !strings.Contains(all, "Dumping finished successfully") {
			t.Errorf("criu was ended in the middle: …%s", all[max(0, len(all)-500):])
		}
	}
}
