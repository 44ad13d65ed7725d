// Package similar finds the name that somebody may have meant who has written another one.
package similar

import (
	"strings"

	"github.com/xrash/smetrics"
)

// Name is the one of the known names that a word comes nearest to, empty if none is near: a letter
// too many, one that is missing or two that are exchanged, and of a long word some more.
func Name(word string, known []string) string {
	const (
		step      = 2 // what a letter more, less or different costs
		mostRunes = 64
	)
	if len(word) > mostRunes { // the time grows with the square
		return ""
	}
	lower := strings.ToLower(word)
	best, least := "", 0
	for _, name := range known {
		if name == word {
			continue
		}
		other := strings.ToLower(name)
		cost := smetrics.WagnerFischer(lower, other, step, step, step)
		switch limit := step * (1 + min(len(word), len(name))/4); {
		case swapped(lower, other):
			cost = step
		case strings.HasPrefix(other, lower) && len(lower) >= 3:
			// The beginning of a name, as in "dest", is far from it by the letters.
			cost = min(cost, step)
		case cost > limit:
			continue
		}
		if best == "" || cost < least {
			best, least = name, cost
		}
	}
	return best
}

// swapped reports whether two words differ by two neighbours that have changed places.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) - 1 {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}

// Hint is a question for the end of an error: ": did you mean \"…\"?", or nothing.
func Hint(word string, known []string) string {
	if name := Name(word, known); name != "" {
		return `: did you mean "` + name + `"?`
	}
	return ""
}
