package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// Marks are programs that are no runtimes, beside which a row is put: the floor, which makes the
// kernel's calls of the plan and nothing else, and an empty Go program.

// buildMarks builds them and gives them their columns. What can't be built is left out, and the
// notes say why.
func (e *env) buildMarks(t *table) (notes []string) {
	for _, m := range []struct {
		name  string
		path  *string
		build func() (string, error)
	}{{floorName, &e.floorPath, e.buildFloor}, {emptyGo, &e.emptyPath, e.buildEmpty}} {
		path, err := m.build()
		if err != nil {
			notes = append(notes, fmt.Sprintf("without %s: %v", m.name, err))
			continue
		}
		*m.path = path
		t.names = append(t.names, m.name)
	}
	return notes
}

func (e *env) buildEmpty() (string, error) {
	top, err := sourceTop()
	if err != nil {
		return "", err
	}
	built, out := filepath.Join(e.dir, "empty"), filepath.Join(e.dir, "bin", "empty")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", built, "./tests/bench/empty")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build it: %w: %s", err, text)
	}
	return out, harness.CopyFile(built, out, 0o755) // see install
}

// marks are those of a scenario; on is where it runs.
func (e *env) marks(s *scenario, on func(measured) ([]cost, error)) (turns []turn, notes []string, err error) {
	add := func(name, path string, args ...string) {
		turns = append(turns, turn{name, func() ([]cost, error) {
			return on(func() ([]cost, error) {
				c, err := e.command(name, path, args...)
				return []cost{c}, err
			})
		}})
	}
	if s.bare && e.emptyPath != "" {
		add(emptyGo, e.emptyPath)
	}
	if s.floor == "" || e.floorPath == "" {
		return turns, nil, nil
	}
	dir, err := e.bundle(s.floor, 0, "true")
	if err != nil {
		return nil, nil, err
	}
	table := filepath.Join(e.dir, "floor")
	_, err = on(func() ([]cost, error) { return nil, e.makeFloor(dir, e.log, table) })
	if err != nil {
		return turns, []string{fmt.Sprintf("%s: without the floor: %v", s.name, err)}, nil
	}
	add(floorName, e.floorPath, table)
	return turns, nil, nil
}

// makeFloor writes the table for the container of a bundle, whose output goes to a file.
func (e *env) makeFloor(bundle string, out *os.File, table string) error {
	f, err := newFloor(bundle, e.newID(&runtime{name: floorName}), [3]*os.File{e.null, out, out})
	if err != nil {
		return err
	}
	e.floors = append(e.floors, f)
	return f.write(table)
}
