// Package layout lays out text for people at a terminal: sentences that are wrapped, with a remark
// at the right margin, below headings.
package layout

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Options say how text is laid out. The zero value is 100 columns without colour.
type Options struct {
	Width int  // columns, at least 60
	Color bool // for a terminal
}

// Writer writes text that is laid out.
type Writer struct {
	w     *bufio.Writer
	width int
	color bool
	lines int
}

// New returns a writer to w.
func New(w io.Writer, o Options) *Writer {
	if o.Width == 0 {
		o.Width = 100
	}
	return &Writer{w: bufio.NewWriter(w), width: max(o.Width, 60), color: o.Color}
}

// Flush writes what is left, and returns the first error.
func (l *Writer) Flush() error { return l.w.Flush() }

// Attribute is one of a terminal.
type Attribute string

// The attributes in use.
const (
	Plain Attribute = ""
	Bold  Attribute = "1"
	Faint Attribute = "2"
	Red   Attribute = "31"
	Green Attribute = "32"
	Cyan  Attribute = "36"
)

// Glue is a space at which a line is not broken.
const Glue = "\u00a0"

func (l *Writer) paint(a Attribute, s string) string {
	if !l.color || s == "" || a == Plain {
		return s
	}
	return "\x1b[" + string(a) + "m" + s + "\x1b[0m"
}

// Line writes a line as it is.
func (l *Writer) Line(s string) {
	fmt.Fprintln(l.w, strings.TrimRight(s, " "))
	l.lines++
}

// Heading begins a part, behind an empty line.
func (l *Writer) Heading(s string) {
	if l.lines > 0 {
		l.Line("")
	}
	l.Line(l.paint(Bold, s))
}

// Hanging writes text indented by head; what does not fit into a line is indented by four more.
func (l *Writer) Hanging(head, text string, a Attribute) {
	indent := utf8.RuneCountInString(head)
	for i, s := range wrap(text, l.width-indent-4, l.width-indent) {
		l.Line(head + l.paint(a, strings.ReplaceAll(s, Glue, " ")))
		if i == 0 {
			head = strings.Repeat(" ", indent+4)
		}
	}
}

// Sentence writes text behind head, with a remark at the right margin: in the last line of text if
// there is room, else below it.
func (l *Writer) Sentence(head, text, remark string, a Attribute) {
	indent, columns := utf8.RuneCountInString(head), utf8.RuneCountInString(remark)
	lines := wrap(text, l.width-indent, l.width-indent)
	for i, s := range lines {
		room := l.width - indent - utf8.RuneCountInString(s) - columns
		s = l.paint(a, head+s)
		if i == len(lines)-1 && remark != "" {
			if room >= 2 {
				s += strings.Repeat(" ", room) + l.paint(Faint, remark)
			} else {
				s += "\n" + strings.Repeat(" ", max(indent, l.width-columns)) + l.paint(Faint, remark)
			}
		}
		l.Line(s)
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
