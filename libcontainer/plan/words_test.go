package plan

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNamespacesOfPlan(t *testing.T) {
	b := NewBuilder()
	b.Plan.Clone = unix.CLONE_NEWNS
	b.Step("x", "y", Unshare(As(unix.CLONE_NEWUSER, AsClone)), b.SpawnChild(unix.CLONE_NEWPID, nil))
	b.Do(Setns(Num(3), As(unix.CLONE_NEWNET|unix.CLONE_NEWUSER, AsClone)))
	made, joined := b.Plan.Namespaces()
	if !slices.Equal(made, []string{"user", "mount", "pid"}) || !slices.Equal(joined, []string{"network"}) {
		t.Errorf("made %q, joined %q", made, joined)
	}
}

// Keys are those of the step alone; the calls are as they are printed, and stay so.
func TestWords(t *testing.T) {
	p := sample()
	words := p.Words()
	if len(words) != len(p.Steps) {
		t.Fatalf("%d steps, not %d", len(words), len(p.Steps))
	}
	for i, w := range words {
		if w.Step != &p.Steps[i] || len(w.Calls) != len(w.Keys) {
			t.Errorf("step %d: %d calls, %d keys", i, len(w.Calls), len(w.Keys))
		}
	}
	for place, want := range map[string]string{"mounts[3].source": "mounts[].source", "a[10]": "a[]", "process.user": "process.user", "": ""} {
		if got := WithoutIndex(place); got != want {
			t.Errorf("%s without numbers is %s, not %s", place, got, want)
		}
	}
}
