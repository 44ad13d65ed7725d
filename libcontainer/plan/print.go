package plan

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
)

// PrintOptions says how a plan is printed for people. The zero value prints sentences only, 100
// columns wide, without colour.
type PrintOptions struct {
	Calls bool // the system calls below each step
	Width int  // columns, at least 60
	Color bool // for a terminal
}

// Print writes p as `explain` shows it: how the image is started, then each step with its number,
// its sentence and, at the right margin, the place in config.json that asked for it. A heading
// stands wherever the group of steps changes: the printed order is the real order. The text is the
// same on every architecture.
func Print(w io.Writer, p *Plan, o PrintOptions) error {
	if o.Width == 0 {
		o.Width = 100
	}
	o.Width = max(o.Width, 60)
	pr := &printer{w: bufio.NewWriter(w), p: p, o: o, names: p.regNames()}
	// What the host does before there is an init has no rendezvous.
	before := 0
	for before < len(p.Steps) && p.Steps[before].Site == Host && len(p.Steps[before].Ops) == 0 {
		pr.step(before)
		before++
	}
	pr.start()
	for i := before; i < len(p.Steps); i++ {
		pr.step(i)
	}
	return pr.w.Flush()
}

type printer struct {
	w     *bufio.Writer
	p     *Plan
	o     PrintOptions
	names regNames
	lines int
	// started says that the next step is the first of the init.
	started bool
}

// Terminal attributes.
const (
	bold  = "1"
	faint = "2"
	cyan  = "36"
)

func (pr *printer) paint(attr, s string) string {
	if !pr.o.Color || s == "" {
		return s
	}
	return "\x1b[" + attr + "m" + s + "\x1b[0m"
}

func (pr *printer) line(s string) {
	fmt.Fprintln(pr.w, strings.TrimRight(s, " "))
	pr.lines++
}

func (pr *printer) heading(s string) {
	if pr.lines > 0 {
		pr.line("")
	}
	pr.line(pr.paint(bold, s))
}

// start tells how the image comes to life, before its first op.
func (pr *printer) start() {
	p := pr.p
	pr.started = true
	pr.heading("start of the init image")
	if p.Clone == 0 {
		pr.sentence("      ", "in the runtime's own namespaces", "")
	} else {
		pr.sentence("      ", "in new namespaces: "+strings.Join(namespace.Names(p.Clone), ", "), "linux.namespaces")
	}
	pr.sentence("      ", "with these descriptors, and no others:", "")
	column := 0
	for i := range p.Files {
		column = max(column, utf8.RuneCountInString(p.Files[i].Name))
	}
	row := func(numbers, name, what, from string) {
		pr.sentence(fmt.Sprintf("%10s  %-*s  ", numbers, column, name), what, from)
	}
	row("0-2", "stdio", "standard input, output and error", "")
	if n := p.Preserve; n == 1 {
		row("3", "preserved", "for the container's process", "")
	} else if n > 1 {
		row(fmt.Sprintf("3-%d", 2+n), "preserved", "for the container's process", "")
	}
	for i := range p.Files {
		f := &p.Files[i]
		row(fmt.Sprint(3+p.Preserve+i), f.Name, f.text(i), f.From)
	}
}

// text says how the host comes to the file.
func (f *File) text(i int) string {
	switch {
	case f.Open == OpenTree:
		what := "private copy of the mount at "
		if f.Recursive {
			what = "private copy of all mounts at "
		}
		what += f.Path
		if f.IDMap != nil {
			what += ", its owners mapped"
		}
		return what
	case f.Open == OpenNS:
		return strings.Join(append(namespace.Names(f.NSType), "namespace "+f.Path), " ")
	case i == 0:
		return "socket on which the init meets the runtime"
	case f.Path != "":
		return f.Path
	}
	return "made by the runtime"
}

func (pr *printer) step(i int) {
	s := &pr.p.Steps[i]
	if i == 0 || pr.p.Steps[i-1].Group != s.Group || pr.started {
		pr.started = false
		pr.heading(string(s.Group))
	}
	what := s.What
	if s.Site == Host {
		what = "host: " + what
	}
	pr.sentence(fmt.Sprintf("%4d  ", i+1), what, s.From)
	if !pr.o.Calls {
		return
	}
	for j := 0; j < len(s.Ops); {
		n, differs, each := pr.p.series(pr.names, s.Ops[j:])
		if n > 1 {
			pr.call(pr.p.seriesText(pr.names, &s.Ops[j], differs, each))
		} else {
			pr.call(pr.p.opText(pr.names, &s.Ops[j]))
		}
		j += n
	}
}

func (pr *printer) call(text string) {
	for k, l := range wrap(text, pr.o.Width-14, pr.o.Width-10) {
		l = strings.ReplaceAll(l, glue, " ")
		pr.line(strings.Repeat(" ", 10+4*min(k, 1)) + pr.paint(cyan, l))
	}
}

// sentence prints text behind head, with from at the right margin: in the last line of text if
// there is room, else below it.
func (pr *printer) sentence(head, text, from string) {
	indent := utf8.RuneCountInString(head)
	lines := wrap(text, pr.o.Width-indent, pr.o.Width-indent)
	for i, l := range lines {
		if i == len(lines)-1 && from != "" {
			room := pr.o.Width - indent - utf8.RuneCountInString(l) - utf8.RuneCountInString(from)
			if room >= 2 {
				l += strings.Repeat(" ", room) + pr.paint(faint, from)
			} else {
				l += "\n" + strings.Repeat(" ", max(indent, pr.o.Width-utf8.RuneCountInString(from))) + pr.paint(faint, from)
			}
		}
		pr.line(head + l)
		head = strings.Repeat(" ", indent)
	}
}

// wrap breaks text at spaces into lines of at most first (the first one) and width columns; longer
// words stay whole.
func wrap(text string, width, first int) []string {
	var lines []string
	limit := first
	for utf8.RuneCountInString(text) > limit {
		cut, columns := -1, 0
		for i, r := range text {
			if r == ' ' && (columns <= limit || cut < 0) {
				cut = i
			}
			if columns > limit && cut > 0 {
				break
			}
			columns++
		}
		if cut <= 0 {
			break
		}
		lines = append(lines, strings.TrimRight(text[:cut], " "))
		text = strings.TrimLeft(text[cut:], " ")
		limit = width
	}
	return append(lines, text)
}
