package cgroups

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Update puts changed limits in force in a cgroup that is in use. When one of them fails, those
// that were made before it get their old values back. Device rules are left alone.
func (c *Cgroup) Update(s *Settings) error {
	// Beside v1 hierarchies, Create enables only the v2 controllers that its limits need.
	if n := c.v2(); n != nil && s.mount != "" {
		n.Enable(s.mount, s.v2Controllers())
	}
	var undo []Write
	a := applier{c: c, undo: &undo}
	err := a.writeAll(s.Writes)
	if err == nil {
		return nil
	}
	slices.Reverse(undo)
	back := applier{c: c}
	if uerr := back.writeAll(undo); uerr != nil {
		return fmt.Errorf("%w (and a limit could not be set back: %w)", err, uerr)
	}
	return err
}

// oldValue is what to write to bring the present state of w's file back, "" when there is no such
// thing.
func oldValue(dir *backend.Dir, w Write) string {
	text, err := dir.Read(w.File)
	if err != nil {
		return "" // only for writing, as memory.reclaim
	}
	if w.Key != "" {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if key, _, _ := strings.Cut(line, " "); key == w.Key {
				return line
			}
		}
		return w.Unset
	}
	line, _, _ := strings.Cut(text, "\n")
	if w.File == "memory.oom_control" {
		return strings.TrimPrefix(line, "oom_kill_disable ")
	}
	if line == "" {
		return "\n" // an empty cpuset
	}
	return line
}
