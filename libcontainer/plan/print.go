package plan

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
)

// PrintOptions says how a plan is printed for people. The zero value prints sentences only, 100
// columns wide, without colour.
type PrintOptions struct {
	layout.Options
	Calls bool // the system calls below each step
}

// Print writes p as `explain` shows it: how the image is started, then each step with its number,
// its sentence and, at the right margin, the place in config.json that asked for it. A heading
// stands wherever the group of steps changes: the printed order is the real order. The text is the
// same on every architecture.
func Print(w io.Writer, p *Plan, o PrintOptions) error {
	pr := &printer{w: layout.New(w, o.Options), p: p, calls: o.Calls, names: p.regNames()}
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
	w     *layout.Writer
	p     *Plan
	calls bool
	names regNames
	// started says that the next step is the first of the init.
	started bool
}

// start tells how the image comes to life, before its first op.
func (pr *printer) start() {
	p := pr.p
	pr.started = true
	pr.w.Heading("start of the init image")
	if p.Clone == 0 {
		pr.w.Sentence("      ", "in the runtime's own namespaces", "", layout.Plain)
	} else {
		pr.w.Sentence("      ", "in new namespaces: "+strings.Join(namespace.Names(p.Clone), ", "), "linux.namespaces", layout.Plain)
	}
	pr.w.Sentence("      ", "with these descriptors, and no others:", "", layout.Plain)
	column := 0
	for i := range p.Files {
		column = max(column, utf8.RuneCountInString(p.Files[i].Name))
	}
	row := func(numbers, name, what, from string) {
		pr.w.Sentence(fmt.Sprintf("%10s  %-*s  ", numbers, column, name), what, from, layout.Plain)
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
		pr.w.Heading(string(s.Group))
	}
	what := s.What
	if s.Site == Host {
		what = "host: " + what
	}
	pr.w.Sentence(fmt.Sprintf("%4d  ", i+1), what, s.From, layout.Plain)
	if !pr.calls {
		return
	}
	for _, l := range pr.p.lines(pr.names, s.Ops) {
		pr.w.Hanging(strings.Repeat(" ", 10), l, layout.Cyan)
	}
}
