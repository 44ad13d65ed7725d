package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// table holds the results; the first runtime is the one that the others are compared with.
type table struct {
	names []string
	lines []line
	notes []string
}

// line is one measured thing: what each column's program took, if it was measured.
type line struct {
	row
	unit string // "ms" or "KiB", or none
	wall map[string][3]float64
	cpu  map[string]float64 // medians; nil for sizes
}

// addTimes adds a line of the costs that stand at a place in those of each round.
func (t *table) addTimes(r *row, samples map[string][][]cost, at int) {
	l := line{row: *r, unit: "ms", wall: make(map[string][3]float64), cpu: make(map[string]float64)}
	for name, rounds := range samples {
		var wall, cpu []float64
		for _, costs := range rounds {
			wall = append(wall, float64(costs[at].wall.Microseconds())/1000)
			cpu = append(cpu, float64(costs[at].cpu.Microseconds())/1000)
		}
		l.wall[name] = quartiles(wall)
		l.cpu[name] = quartiles(cpu)[1]
	}
	t.lines = append(t.lines, l)
}

// addSizes adds a line of the runtimes' sizes.
func (t *table) addSizes(r *row, kib []float64) {
	l := line{row: *r, unit: "KiB", wall: make(map[string][3]float64)}
	for i, v := range kib {
		l.wall[t.names[i]] = [3]float64{v, v, v}
	}
	t.lines = append(t.lines, l)
}

// addCounts adds a line of numbers of something.
func (t *table) addCounts(r *row, n []float64) {
	t.addSizes(r, n)
	t.lines[len(t.lines)-1].unit = ""
}

// text is two tables in Markdown: medians with quartiles, CPU time in brackets; and the ratio of
// the first runtime to each other program with the target behind it.
func (t *table) text() string {
	var b strings.Builder
	names := t.measured()
	t.write(&b, append([]string{"median (quartiles) [CPU]"}, names...), func(l *line) []string { return l.costs(names) })
	heads := []string{t.names[0] + " [CPU]"}
	for _, name := range names[1:] {
		heads = append(heads, "÷ "+name)
	}
	t.write(&b, heads, func(l *line) []string { return l.ratios(names) })
	if len(t.notes) > 0 {
		b.WriteString("\n```\n" + strings.Join(t.notes, "\n") + "\n```\n")
	}
	return b.String()
}

// measured are the columns that any line has, and the first.
func (t *table) measured() (names []string) {
	for i, name := range t.names {
		if i == 0 || slices.ContainsFunc(t.lines, func(l line) bool { _, ok := l.wall[name]; return ok }) {
			names = append(names, name)
		}
	}
	return names
}

// write writes one table.
func (t *table) write(b *strings.Builder, heads []string, cells func(*line) []string) {
	w := tabwriter.NewWriter(b, 0, 0, 1, ' ', 0)
	put := func(cells []string) { fmt.Fprintf(w, "| %s\t|\n", strings.Join(cells, "\t| ")) }
	fmt.Fprintln(w)
	put(heads)
	put(slices.Repeat([]string{"---"}, len(heads)))
	for i := range t.lines {
		put(cells(&t.lines[i]))
	}
	_ = w.Flush() // into memory
}

// costs are the cells of the first table.
func (l *line) costs(names []string) []string {
	cells := []string{strings.TrimSuffix(l.name+", "+l.unit, ", ")}
	for _, name := range names {
		q, ok := l.wall[name]
		switch {
		case !ok:
			cells = append(cells, "")
		case l.cpu == nil:
			cells = append(cells, fmt.Sprintf("%.0f", q[1]))
		default:
			cells = append(cells, fmt.Sprintf("%.1f (%.1f–%.1f) [%.1f]", q[1], q[0], q[2], l.cpu[name]))
		}
	}
	return cells
}

// ratios are the cells of the second.
func (l *line) ratios(names []string) []string {
	cells := []string{l.name}
	ours := names[0]
	for _, name := range names[1:] {
		theirs, ok := l.wall[name]
		if !ok {
			cells = append(cells, "")
			continue
		}
		text := ratio(l.wall[ours][1], theirs[1])
		if l.cpu != nil {
			text += " [" + ratio(l.cpu[ours], l.cpu[name]) + "]"
		}
		if target := l.targets.of(name); target > 0 {
			word := "met"
			if l.wall[ours][1] > target*theirs[1] {
				word = "missed"
			}
			text += fmt.Sprintf(" ≤ %.2f %s", target, word)
		}
		cells = append(cells, text)
	}
	return cells
}

func ratio(a, b float64) string {
	if b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// The picture's measures.
const (
	labelWidth = 300
	barWidth   = 420
	barHeight  = 9
	groupGap   = 8
)

// svg draws, for each line, one bar a program: its share of the dearest.
func (t *table) svg() string {
	colours := []string{"#2a6f97", "#c1666b", "#e0a3a6", "#d4a24e", "#6b8f71", "#555555", "#aaaaaa"}
	height := 30
	for i := range t.lines {
		height += len(t.lines[i].wall)*barHeight + groupGap
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n",
		labelWidth+barWidth+90, height)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	for i, name := range t.names {
		x := 20 + i*110
		fmt.Fprintf(&b, `<rect x="%d" y="6" width="10" height="10" fill="%s"/><text x="%d" y="15">%s</text>`+"\n", x, colours[i%len(colours)], x+14, name)
	}
	top := 26
	for i := range t.lines {
		l := &t.lines[i]
		most := 1e-9
		for _, q := range l.wall {
			most = max(most, q[1])
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s, %s</text>`+"\n", labelWidth-8, top+(len(l.wall)*barHeight+groupGap)/2, l.name, l.unit)
		for j, name := range t.names {
			q, ok := l.wall[name]
			if !ok {
				continue
			}
			width := q[1] / most * barWidth
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labelWidth, top, width, barHeight-1, colours[j%len(colours)])
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" font-size="9">%.1f`, labelWidth+width+4, top+barHeight-1, q[1])
			if j > 0 {
				fmt.Fprintf(&b, " (× %.1f)", q[1]/max(l.wall[t.names[0]][1], 1e-9))
			}
			b.WriteString("</text>\n")
			top += barHeight
		}
		top += groupGap
	}
	b.WriteString("</svg>\n")
	return b.String()
}
