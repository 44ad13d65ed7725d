package diff

import (
	"slices"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// step is a step with what it is compared by.
type step struct {
	plan.Words
	number     int
	group      plan.Group
	what, from string
	keys       []string
}

func words(s *Side) []step {
	all := s.Plan.Words()
	steps := make([]step, len(all))
	for i, w := range all {
		steps[i] = step{Words: w, number: i + 1, group: w.Step.Group, what: s.common(w.Step.What), from: plan.WithoutIndex(w.Step.From), keys: w.Keys}
		for k := range steps[i].keys {
			steps[i].keys[k] = s.common(steps[i].keys[k])
		}
	}
	return steps
}

// common is text without what is the side's own.
func (s *Side) common(text string) string {
	for _, own := range s.Own {
		if own != "" {
			text = replaceWord(text, own, "\x00")
		}
	}
	return text
}

// replaceWord replaces word where no letter or digit stands beside it.
func replaceWord(text, word, by string) string {
	inWord := func(b byte) bool {
		return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_'
	}
	var out strings.Builder
	for {
		i := strings.Index(text, word)
		if i < 0 {
			out.WriteString(text)
			return out.String()
		}
		end := i + len(word)
		if i > 0 && inWord(text[i-1]) && inWord(word[0]) || end < len(text) && inWord(text[end]) {
			out.WriteString(text[:end])
		} else {
			out.WriteString(text[:i] + by)
		}
		text = text[end:]
	}
}

// sameStep are steps that do the same, perhaps with other calls.
func sameStep(a, b *step) bool {
	return a.what == b.what && a.group == b.group && a.Step.Site == b.Step.Site
}

// alike are steps of which one has become the other: what the same place in config.json has asked
// for, or, of places with a number, what is done by mostly the same calls.
func alike(a, b *step) bool {
	if a.from != b.from || a.from == "default" || a.group != b.group || a.Step.Site != b.Step.Site {
		return false
	}
	if a.from == a.Step.From && b.from == b.Step.From && len(a.keys) == len(b.keys) {
		return true
	}
	common := len(align(len(a.keys), len(b.keys), func(i, j int) bool { return a.keys[i] == b.keys[j] }))
	return common > 0 && 2*common >= max(len(a.keys), len(b.keys))
}

func (d *Diff) steps(a, b []step) {
	pairs := align(len(a), len(b), func(i, j int) bool { return sameStep(&a[i], &b[j]) })
	pairs = append(pairs, [2]int{len(a), len(b)})
	i, j := 0, 0
	for _, p := range pairs {
		d.gap(a[i:p[0]], b[j:p[1]])
		if p[0] < len(a) {
			d.both(&a[p[0]], &b[p[1]])
		}
		i, j = p[0]+1, p[1]+1
	}
}

// gap takes the steps between two that are the same.
func (d *Diff) gap(a, b []step) {
	walk(align(len(a), len(b), func(i, j int) bool { return alike(&a[i], &b[j]) }), len(a), len(b),
		func(i int) { d.Steps.Removed++; d.one(Removed, &a[i]) },
		func(j int) { d.Steps.Added++; d.one(Added, &b[j]) },
		func(i, j int) { d.both(&a[i], &b[j]) })
}

// one is a step that one side lacks.
func (d *Diff) one(kind Kind, s *step) {
	c := Change{Kind: kind, Site: site(s), What: s.Step.What, From: s.Step.From}
	if kind == Removed {
		c.A = s.number
	} else {
		c.B = s.number
	}
	for _, text := range s.Calls {
		c.Calls = append(c.Calls, line(kind, text))
	}
	d.add(string(s.group), c)
}

// both is a step that both have.
func (d *Diff) both(a, b *step) {
	if a.what == b.what && slices.Equal(a.keys, b.keys) {
		d.Steps.Same++
		return
	}
	d.Steps.Changed++
	c := Change{Kind: Changed, A: a.number, B: b.number, Site: site(b), What: b.Step.What, From: b.Step.From}
	if a.what != b.what {
		c.Was = a.Step.What
	}
	walk(align(len(a.keys), len(b.keys), func(i, j int) bool { return a.keys[i] == b.keys[j] }), len(a.keys), len(b.keys),
		func(i int) { c.Calls = append(c.Calls, line(Removed, a.Calls[i])) },
		func(j int) { c.Calls = append(c.Calls, line(Added, b.Calls[j])) },
		func(int, int) {})
	d.add(string(b.group), c)
}

func site(s *step) string {
	if s.Step.Site == plan.Host {
		return "host"
	}
	return "init"
}

// align finds the longest common subsequence of two lists: the pairs of indices, in order.
func align(n, m int, same func(i, j int) bool) (pairs [][2]int) {
	// What lies at the beginning and the end of both takes no table.
	i := 0
	for ; i < n && i < m && same(i, i); i++ {
		pairs = append(pairs, [2]int{i, i})
	}
	end := 0
	for n-end > i && m-end > i && same(n-end-1, m-end-1) {
		end++
	}
	rows, columns := n-end-i, m-end-i
	// best[r][c] is how much the lists from r and c on have in common.
	best := make([][]int, rows+1)
	for r := range best {
		best[r] = make([]int, columns+1)
	}
	for r := rows - 1; r >= 0; r-- {
		for c := columns - 1; c >= 0; c-- {
			if same(i+r, i+c) {
				best[r][c] = best[r+1][c+1] + 1
			} else {
				best[r][c] = max(best[r+1][c], best[r][c+1])
			}
		}
	}
	for r, c := 0, 0; r < rows && c < columns; {
		switch {
		case same(i+r, i+c):
			pairs = append(pairs, [2]int{i + r, i + c})
			r++
			c++
		case best[r+1][c] >= best[r][c+1]:
			r++
		default:
			c++
		}
	}
	for k := end; k > 0; k-- {
		pairs = append(pairs, [2]int{n - k, m - k})
	}
	return pairs
}

// walk goes through two aligned lists: what only the first has, before what only the second has,
// before what both have.
func walk(pairs [][2]int, n, m int, first, second func(int), both func(i, j int)) {
	i, j := 0, 0
	for _, p := range append(pairs, [2]int{n, m}) {
		for ; i < p[0]; i++ {
			first(i)
		}
		for ; j < p[1]; j++ {
			second(j)
		}
		if p[0] < n {
			both(i, j)
		}
		i, j = i+1, j+1
	}
}
