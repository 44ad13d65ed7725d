package cgroups

import (
	"slices"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
)

// Write is one write to one cgroup file.
type Write struct {
	Controller string // "memory"; "" for the core files of cgroup v2 (cgroup.*)
	V2         bool   // in the cgroup2 tree, else in the v1 tree that carries Controller
	File       string
	Value      string
	From       string // place in config.json

	// What happens when the kernel has no such file: Else is written instead; without Else, Optional skips the write, and
	// otherwise it is an error, explained by Hint.
	Else     *Write
	Optional bool
	Hint     string

	// Key begins the line that the write sets, in a file that has one line for each device; Unset removes that line. Without
	// Key the write sets the whole file. Only Update's rollback needs them.
	Key, Unset string

	// Late: only after the init has been born in the cgroup, since the kernel would refuse its birth.
	Late bool
	// Usage and Peak name files that tell how much is used, for the error about a limit that is too low. With Check such a
	// limit is refused before it is tried, which on v2 would kill instead.
	Usage, Peak string
	Check       bool
}

// String is the line that explain prints: "memory.max = 1048576  (linux.resources.memory.limit)".
func (w Write) String() string {
	var b strings.Builder
	b.WriteString(w.File)
	b.WriteString(" = ")
	b.WriteString(strings.ReplaceAll(w.Value, "\n", `\n`))
	b.WriteString("  (")
	b.WriteString(w.From)
	if w.Optional {
		b.WriteString("; skipped where missing")
	}
	if w.Late {
		b.WriteString("; once the init is in")
	}
	b.WriteByte(')')
	if w.Else != nil {
		b.WriteString(", else ")
		b.WriteString(w.Else.String())
	}
	return b.String()
}

// Settings is linux.resources compiled for one host.
type Settings struct {
	Writes   []Write        // in the order that works for a new cgroup
	Devices  []devices.Rule // for a device program on the cgroup2 tree; empty where the v1 controller does it, or for updates
	Warnings []string       // what the kernel can't do and the specification lets us ignore

	mount string // of the cgroup2 tree, "" without one
}

// v2Controllers are those of the cgroup2 tree that the writes need.
func (s *Settings) v2Controllers() []string {
	var list []string
	for _, w := range s.Writes {
		if w.V2 && w.Controller != "" && !slices.Contains(list, w.Controller) {
			list = append(list, w.Controller)
		}
	}
	return list
}

// Lines is what explain prints of the settings, one effect a line.
func (s *Settings) Lines() []string {
	lines := make([]string, 0, len(s.Writes)+len(s.Devices)+1)
	for _, w := range s.Writes {
		lines = append(lines, w.String())
	}
	if len(s.Devices) > 0 {
		lines = append(lines, "device filter (eBPF, the last matching rule wins, all else is denied):")
		for _, r := range s.Devices {
			lines = append(lines, "  "+r.String()+"  ("+r.From+")")
		}
	}
	return lines
}
