package main

import (
	"strings"
	"testing"
	"time"
)

// TestTable looks at what a reader of the two tables relies on: the median, the ratio to each
// program, the word behind a target, and nothing where nothing was measured.
func TestTable(t *testing.T) {
	costs := func(ms ...int) (rounds [][]cost) {
		for _, n := range ms {
			d := time.Duration(n) * time.Millisecond
			rounds = append(rounds, []cost{{wall: d, cpu: d / 2}})
		}
		return rounds
	}
	table := table{names: []string{"ociruntime", runc, crunStatic, floorName, emptyGo}}
	table.addTimes(&row{"run", targets{static: 0.95, floor: 1.8}}, map[string][][]cost{
		"ociruntime": costs(10, 9, 30), crunStatic: costs(8, 8, 9), floorName: costs(6, 6, 6),
	}, 0)
	table.addSizes(&row{name: "memory"}, []float64{100, 400})
	text := strings.Join(strings.Fields(table.text()), " ")
	for _, want := range []string{
		"| median (quartiles) [CPU] | ociruntime | runc | crun-static | floor |",
		"| run, ms | 10.0 (9.5–20.0) [5.0] | | 8.0 (8.0–8.5) [4.0] | 6.0 (6.0–6.0) [3.0] |",
		"| memory, KiB | 100 | 400 | | |",
		"| ociruntime [CPU] | ÷ runc | ÷ crun-static | ÷ floor |",
		"| run | | 1.25 [1.25] ≤ 0.95 missed | 1.67 [1.67] ≤ 1.80 met |",
		"| memory | 0.25 | | |",
	} {
		if !strings.Contains(text, strings.ReplaceAll(want, "floor |", "floor |")) {
			t.Errorf("no line %q in %s", want, table.text())
		}
	}
	if strings.Contains(text, emptyGo) {
		t.Errorf("a column that no line has: %s", table.text())
	}
}
