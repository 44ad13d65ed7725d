package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// table holds the results; the first runtime is the one that the others are compared with.
type table struct {
	names []string
	lines []line
	notes []string
}

// line is one measured thing.
type line struct {
	row
	unit string // "ms" or "KiB"
	wall [][3]float64
	cpu  []float64 // medians; nil for sizes
}

func (t *table) addTimes(r *row, samples [][]cost) {
	l := line{row: *r, unit: "ms"}
	for _, costs := range samples {
		var wall, cpu []float64
		for _, c := range costs {
			wall = append(wall, float64(c.wall.Microseconds())/1000)
			cpu = append(cpu, float64(c.cpu.Microseconds())/1000)
		}
		l.wall = append(l.wall, quartiles(wall))
		l.cpu = append(l.cpu, quartiles(cpu)[1])
	}
	t.lines = append(t.lines, l)
}

func (t *table) addSizes(r *row, kib []float64) {
	l := line{row: *r, unit: "KiB"}
	for _, v := range kib {
		l.wall = append(l.wall, [3]float64{v, v, v})
	}
	t.lines = append(t.lines, l)
}

// text is the table in Markdown: medians with quartiles, CPU time in brackets, and the ratio of the
// first runtime to each other one with the target behind it.
func (t *table) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	cells := []string{"median (quartiles) [CPU]"}
	cells = append(cells, t.names...)
	for _, name := range t.names[1:] {
		cells = append(cells, "÷ "+name+" [CPU]")
	}
	write := func(cells []string) { fmt.Fprintf(w, "| %s\t|\n", strings.Join(cells, "\t| ")) }
	fmt.Fprintln(w)
	write(cells)
	for i := range cells {
		cells[i] = "---"
	}
	write(cells)
	for i := range t.lines {
		write(t.lines[i].cells(t.names))
	}
	_ = w.Flush() // into memory
	if len(t.notes) > 0 {
		b.WriteString("\n" + strings.Join(t.notes, "\n") + "\n")
	}
	return b.String()
}

func (l *line) cells(names []string) []string {
	cells := []string{l.name + ", " + l.unit}
	for i, q := range l.wall {
		if l.cpu == nil {
			cells = append(cells, fmt.Sprintf("%.0f", q[1]))
			continue
		}
		cells = append(cells, fmt.Sprintf("%.1f (%.1f–%.1f) [%.1f]", q[1], q[0], q[2], l.cpu[i]))
	}
	for i := 1; i < len(l.wall); i++ {
		text := ratio(l.wall[0][1], l.wall[i][1])
		if l.cpu != nil {
			text += " [" + ratio(l.cpu[0], l.cpu[i]) + "]"
		}
		if target := l.target(names[i]); target > 0 {
			word := "met"
			if l.wall[0][1] > target*l.wall[i][1] {
				word = "missed"
			}
			text += fmt.Sprintf(" ≤ %.2f %s", target, word)
		}
		cells = append(cells, text)
	}
	return cells
}

func (l *line) target(name string) float64 {
	switch name {
	case "runc":
		return l.runc
	case "crun":
		return l.crun
	}
	return 0
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

// svg draws, for each line, one bar a runtime: its share of the dearest.
func (t *table) svg() string {
	colours := []string{"#2a6f97", "#c1666b", "#d4a24e", "#6b8f71", "#7d6b91", "#888888"}
	group := len(t.names)*barHeight + groupGap
	height := 30 + group*len(t.lines)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n",
		labelWidth+barWidth+90, height)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	for i, name := range t.names {
		x := labelWidth + i*110
		fmt.Fprintf(&b, `<rect x="%d" y="6" width="10" height="10" fill="%s"/><text x="%d" y="15">%s</text>`+"\n", x, colours[i%len(colours)], x+14, name)
	}
	for i := range t.lines {
		l := &t.lines[i]
		y := 26 + i*group
		most := 0.0
		for _, q := range l.wall {
			most = max(most, q[1])
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s, %s</text>`+"\n", labelWidth-8, y+group/2, l.name, l.unit)
		for j, q := range l.wall {
			width := q[1] / max(most, 1e-9) * barWidth
			top := y + j*barHeight
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labelWidth, top, width, barHeight-1, colours[j%len(colours)])
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" font-size="9">%.1f`, labelWidth+width+4, top+barHeight-1, q[1])
			if j > 0 {
				fmt.Fprintf(&b, " (× %.1f)", q[1]/max(l.wall[0][1], 1e-9))
			}
			b.WriteString("</text>\n")
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
