package trace

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// Span is a stretch of time in a trace, in microseconds from the first one on.
type Span struct {
	Name, From string
	Init       bool    // in the container, not on the host
	Start      float64 // µs
	Took       float64 // µs from beginning to end
	// Self is Took without what was done meanwhile: by parts of its own and, if it waits, by the
	// other side.
	Self  float64
	Waits bool
}

// Read reads the spans of a trace, in the order in which they began.
func Read(path string) ([]Span, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--trace: %w", err)
	}
	spans, err := parse(text)
	if err != nil {
		err = fmt.Errorf("--trace: %s is not a trace: %w", path, err)
	}
	return spans, err
}

func parse(text []byte) (spans []Span, err error) {
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if doc.Events == nil {
		return nil, errors.New("it has no traceEvents")
	}
	for _, e := range doc.Events {
		if e.Phase != "X" || e.Took == nil {
			continue
		}
		s := Span{Name: e.Name, Start: e.Start, Took: max(0, *e.Took)}
		if e.Args != nil {
			s.From = e.Args.From
		}
		categories := strings.Split(e.Category, ",")
		s.Init, s.Waits = slices.Contains(categories, inInit), slices.Contains(categories, waiting)
		spans = append(spans, s)
	}
	slices.SortStableFunc(spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.Took, a.Took))
	})
	for i := range spans {
		spans[i].Self = self(spans, i)
	}
	return spans, nil
}

// self is how much of span i nothing else accounts for.
func self(spans []Span, i int) float64 {
	s := &spans[i]
	left, at := s.Took, s.Start
	// They are in order, so that their union is found in one go.
	for k := range spans {
		o := &spans[k]
		within := o.Start >= s.Start && o.Start+o.Took <= s.Start+s.Took && (o.Took < s.Took || k > i)
		switch {
		case k == i:
			continue
		case o.Init == s.Init && !within, o.Init != s.Init && !s.Waits:
			continue
		case s.Init && !o.Init && o.Waits:
			// Both wait while one is being woken: that is the init's.
			continue
		}
		begin, end := max(at, o.Start), min(s.Start+s.Took, o.Start+o.Took)
		if end > begin {
			left -= end - begin
			at = end
		}
	}
	return max(0, left)
}

// PrintTable prints a trace file as a table, the dearest step first. Every microsecond of one side
// stands in one row.
func PrintTable(w io.Writer, path string) error {
	spans, err := Read(path)
	if err != nil {
		return err
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Compare(b.Self, a.Self) })
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "µs\tbegan\twhere\t \n")
	for i := range spans {
		s := &spans[i]
		row, name := "host", s.Name
		if s.Init {
			row = "init"
		}
		if s.Init && s.Waits {
			name = "wait for the host: " + name
		}
		if s.From != "" && s.From != "default" {
			name += " [" + s.From + "]"
		}
		if rest := s.Took - s.Self; rest >= 0.05 {
			name += fmt.Sprintf(" (%.1f in all)", s.Took)
		}
		fmt.Fprintf(t, "%.1f\t%.1f\t%s\t %s\n", s.Self, s.Start, row, name)
	}
	return t.Flush()
}
