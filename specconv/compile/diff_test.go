package compile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/plan/diff"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// A golden difference is a file in testdata/diffs: two configurations, and what explain --diff
// prints of them. -run Diffs -update writes them anew.
func TestDiffs(t *testing.T) {
	files, err := filepath.Glob("testdata/diffs/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/diffs: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a := readArchive(t, file)
			d := diff.Of(side(t, a, "a.json"), side(t, a, "b.json"))
			var b strings.Builder
			if err := diff.Print(&b, d, diff.PrintOptions{Calls: true}); err != nil {
				t.Fatal(err)
			}
			got := filterLength.ReplaceAllString(b.String(), "(N instructions)")
			if *update {
				a.set("diff", got)
				if err := os.WriteFile(file, []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != a.section["diff"] {
				t.Errorf("%s differs (-update rewrites it): %s", file, firstDifference(got, a.section["diff"]))
			}
			// The other way round it is the mirror.
			back := diff.Of(side(t, a, "b.json"), side(t, a, "a.json")).Steps
			if back != (diff.Count{Added: d.Steps.Removed, Removed: d.Steps.Added, Changed: d.Steps.Changed, Same: d.Steps.Same}) {
				t.Errorf("%s there, %s back", d.Steps, back)
			}
		})
	}
}

// side compiles a configuration as one side of a difference.
func side(t *testing.T, a *archive, name string) diff.Side {
	t.Helper()
	data := []byte(a.section[name])
	p, _, err := compileConfig(data, a.readInput(t))
	if err != nil {
		t.Fatal(err)
	}
	spec, _, err := load.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := SeccompFilter(spec)
	if err != nil {
		t.Fatal(err)
	}
	return diff.Side{Name: name, Plan: p, Filter: filter}
}

// Every step of two plans is told of once, whatever they are, and a plan is the same as itself.
func TestDiffsOfPlans(t *testing.T) {
	var sides []diff.Side
	for _, file := range goldenFiles(t) {
		sides = append(sides, side(t, readArchive(t, file), "config.json"))
	}
	for i, a := range sides {
		for _, k := range []int{i, (i + 1) % len(sides)} {
			b := sides[k]
			n := diff.Of(a, b).Steps
			if n.Same+n.Changed+n.Removed != len(a.Plan.Steps) || n.Same+n.Changed+n.Added != len(b.Plan.Steps) {
				t.Errorf("%d, %d: %s, of %d and %d", i, k, n, len(a.Plan.Steps), len(b.Plan.Steps))
			}
			if i == k && n.Same != len(a.Plan.Steps) {
				t.Errorf("plan %d is another than itself: %s", i, n)
			}
		}
	}
}
