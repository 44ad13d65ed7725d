package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// 1
func TestTwice(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	before := b.mountinfo()
	at := b.counts(2)
	for range 2 {
		b.again()
		at = b.counts(at)
		if first, _, _ := strings.Cut(b.out.text(), "\n"); first == "1" {
			t.Errorf("it began anew: %s", b.out.text())
		}
		sameLines(t, "mountinfo", before, b.mountinfo())
	}
	if s := b.State(); s.Status != specs.StateRunning || s.Bundle != b.Dir {
		t.Errorf("state %+v", s)
	}
}

// 2
func TestLeaveRunning(t *testing.T) {
	t.Parallel()
	b := newBox(t).run()
	at := b.counts(2)
	b.checkpoint("--leave-running", "--leave-running")
	at = b.counts(at + 3)
	if s := b.status(); s != specs.StateRunning {
		t.Errorf("status %q", s)
	}
	// A copy beside it.
	copied := newBox(t)
	copied.Dir, copied.images, copied.ID = b.Dir, b.images, b.ID+"-copy"
	copied.Runtime = b.Runtime
	config, err := os.ReadFile(filepath.Join(b.Dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	copied.SaveRaw(strings.Replace(string(config), b.Spec.Linux.CgroupsPath, copied.Spec.Linux.CgroupsPath, 1))
	copied.restore()
	copied.counts(1)
	b.counts(at)
	copied.Kill()
	copied.Delete()
}

// 3
func TestPaused(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := newBox(t).run()
	at := b.counts(2)
	b.Must("pause", b.ID)
	b.checkpoint("--leave-running")
	if s := b.status(); s != "paused" {
		t.Errorf("status %q after a dump of a paused container that goes on", s)
	}
	b.Must("resume", b.ID)
	at = b.counts(at)
	b.Must("pause", b.ID)
	b.checkpoint()
	b.gone()
	b.restore()
	b.counts(at)
}

// 4
func TestOnlyWhatRuns(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.Create()
	refused(t, b.tryCheckpoint(), "created")
	b.Must("start", b.ID)
	b.Kill()
	refused(t, b.tryCheckpoint(), "stopped")
	if _, err := os.Stat(b.images); err == nil {
		t.Errorf("%s was made", b.images)
	}
	b.Delete()
	refused(t, b.tryCheckpoint(), "does not exist")
}
