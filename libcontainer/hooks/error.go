package hooks

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// Error says which hook failed and how, and what it said.
type Error struct {
	Kind   Kind
	Index  int // in its list
	Path   string
	Args   []string
	Err    error // an [ExitError], a [TimeoutError], or why it could not be started
	Took   time.Duration
	Stdout string // the end of what it wrote
	Stderr string
}

// Error puts the place in front of the shape that people know from runc: "error running poststop
// hook #0: exit status 3, stdout: …, stderr: …".
func (e *Error) Error() string {
	stdout, stderr := share(oneLine(e.Stdout), oneLine(e.Stderr), keep)
	command := oneLine(strings.Join(append([]string{e.Path}, e.Args[min(1, len(e.Args)):]...), " "))
	said := ""
	if stdout != "" {
		said += ", stdout: " + stdout
	}
	if stderr != "" {
		said += ", stderr: " + stderr
	}
	return fmt.Sprintf("hooks.%s[%d]: error running %s hook #%d: %v%s (%s after %s)",
		e.Kind, e.Index, e.Kind, e.Index, e.Err, said, command, e.Took.Round(time.Millisecond))
}

func (e *Error) Unwrap() error { return e.Err }

// ExitError is how a hook ended, other than well.
type ExitError struct{ Status unix.WaitStatus }

func (e ExitError) Error() string {
	if e.Status.Signaled() {
		return "killed by " + unix.SignalName(e.Status.Signal())
	}
	return fmt.Sprintf("exit status %d", e.Status.ExitStatus())
}

// TimeoutError says that a hook was killed because its time was over.
type TimeoutError struct{ Limit time.Duration }

func (e TimeoutError) Error() string {
	return fmt.Sprintf("hook ran past specified timeout of %.1fs", e.Limit.Seconds())
}

// oneLine makes output part of a message.
func oneLine(s string) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, "?"))
	s = strings.ReplaceAll(s, "\n", "; ")
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
}

// share cuts two texts at their beginnings so that together they are not longer than limit: either
// has a right to half of it, and to what the other leaves.
func share(a, b string, limit int) (string, string) {
	forA := max(limit/2, limit-len(b))
	forB := max(limit/2, limit-len(a))
	return tail(a, forA), tail(b, forB)
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + strings.ToValidUTF8(s[len(s)-n:], "")
}
