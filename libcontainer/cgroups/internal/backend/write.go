package backend

import "strings"

// Write is one write to one cgroup file.
type Write struct {
	Controller string // "memory"; "" for the core files of cgroup v2 (cgroup.*)
	V2         bool   // in the cgroup2 tree, else in the v1 tree that carries Controller
	File       string
	Value      string
	From       string // place in config.json

	// What happens when the kernel has no such file: Else is written instead; without Else,
	// Optional skips the write, and otherwise it is an error, explained by Hint.
	Else     *Write
	Optional bool
	Hint     string

	// Key begins the line that the write sets, in a file that has one line for each device; Unset
	// removes that line. Without Key the write sets the whole file. Only Update's rollback needs
	// them.
	Key, Unset string

	// Late: only after the init has been born in the cgroup, since the kernel would refuse its
	// birth.
	Late bool
	// Usage and Peak name files that tell how much is used, for the error about a limit that is too
	// low. With Check such a limit is refused before it is tried, which on v2 would kill instead.
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
