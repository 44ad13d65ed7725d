package shim

import (
	"slices"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// Orphans of a container with the host's pid namespace are the daemon's children, and are reaped
// when they end. Nobody's exit status is lost to that.
func TestOrphansAreReaped(t *testing.T) {
	p := newPod(t)
	b := p.bundle().NoNamespace(specs.PIDNamespace).Sh("(sleep 0.3 & sleep 0.4 &); sleep 1000")
	init := p.run(b, streams{})
	var orphans []int
	harness.Eventually(t, "orphans below the daemon", func() bool {
		orphans = slices.DeleteFunc(harness.Children(p.pid), func(pid int) bool { return pid == init })
		return len(orphans) == 2
	})
	began := time.Now()
	var all sync.WaitGroup
	all.Go(func() {
		for time.Since(began) < 4*time.Second {
			if status, err := p.exec(b.ID, "x", streams{}, "sh", "-c", "exit 5"); status != 5 || err != nil {
				t.Errorf("beside: %d, %v", status, err)
			}
		}
	})
	harness.Eventually(t, "the orphans' end", func() bool {
		return !slices.ContainsFunc(harness.Children(p.pid), func(pid int) bool { return slices.Contains(orphans, pid) })
	})
	t.Logf("reaped after %v", time.Since(began))
	all.Wait()
}

// A log program's end is its own waiter's to see.
func TestLogProgram(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Sh("echo out; sleep 2.5; echo late; exit 6")
	// It ends before the container does.
	script := "#!/bin/sh\nexec 5>&-\nhead -n 1 <&3 >" + p.dir + "/logged\n"
	writeScript(t, p.dir+"/logger", script)
	p.run(b, streams{out: "binary://" + p.dir + "/logger"})
	if status := p.wait(b.ID, ""); status != 6 {
		t.Errorf("status %d", status)
	}
	if text := readFile(t, p.dir+"/logged"); text != "out\n" {
		t.Errorf("logged %q", text)
	}
}
