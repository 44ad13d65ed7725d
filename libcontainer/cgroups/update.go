package cgroups

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Update puts changed limits in force in a cgroup that is in use. When one of them fails, those that were made before it get
// their old values back. Device rules are left alone.
func (c *Cgroup) Update(s *Settings) error {
	var undo []Write
	a := applier{c: c, undo: &undo, enableErr: c.enable(s)}
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

// enable gives the container's cgroup the v2 controllers that the settings need: beside v1 hierarchies, create enables only those that its
// limits need.
func (c *Cgroup) enable(s *Settings) error {
	n := c.v2()
	if n == nil || s.mount == "" {
		return nil
	}
	rel, ok := strings.CutPrefix(n.path, strings.TrimSuffix(s.mount, "/"))
	if !ok {
		return nil
	}
	return enable(s.mount, path.Dir(rel), s.v2Controllers())
}

// oldValue is what to write to bring the present state of w's file back, "" when there is no such thing.
func (n *node) oldValue(w Write) string {
	text, err := n.read(w.File)
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
