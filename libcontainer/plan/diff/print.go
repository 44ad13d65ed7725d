package diff

import (
	"fmt"
	"io"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
)

// PrintOptions says how a difference is printed for people.
type PrintOptions struct {
	layout.Options
	Calls bool // the system calls below each step
}

func (k Kind) sign() string {
	switch k {
	case Added:
		return "+"
	case Removed:
		return "-"
	}
	return "~"
}

func (k Kind) color() layout.Attribute {
	switch k {
	case Added:
		return layout.Green
	case Removed:
		return layout.Red
	}
	return layout.Plain
}

// Print writes d for people: + is what only B has, - what only A has, ~ what both have and differs.
func Print(w io.Writer, d *Diff, o PrintOptions) error {
	out := layout.New(w, o.Options)
	out.Sentence("- ", d.A, "", layout.Red)
	out.Sentence("+ ", d.B, "", layout.Green)
	for _, part := range d.Parts {
		out.Heading(part.Name)
		for i := range part.Changes {
			part.Changes[i].print(out, o.Calls)
		}
	}
	out.Line("")
	out.Line(d.Steps.String())
	return out.Flush()
}

func (c *Change) print(out *layout.Writer, calls bool) {
	host := ""
	if c.Site == "host" {
		host = "host: "
	}
	if c.Kind == Changed && c.Was != "" {
		out.Sentence(head(Removed, c.A), host+c.Was, "", layout.Red)
		out.Sentence(head(Added, c.B), host+c.What, c.From, layout.Green)
	} else {
		out.Sentence(head(c.Kind, max(c.A, c.B)), host+c.What, c.From, c.Kind.color())
	}
	if !calls {
		return
	}
	for _, l := range c.Calls {
		out.Hanging(strings.Repeat(" ", 10)+l.Kind.sign()+" ", l.laid, l.Kind.color())
	}
}

func head(kind Kind, number int) string {
	if number == 0 {
		return kind.sign() + "       "
	}
	return fmt.Sprintf("%s %4d  ", kind.sign(), number)
}

// String is the count in a sentence.
func (c Count) String() string {
	if c.Added+c.Removed+c.Changed == 0 {
		return fmt.Sprintf("the same %d steps", c.Same)
	}
	return fmt.Sprintf("steps: %d added, %d removed, %d changed, %d the same", c.Added, c.Removed, c.Changed, c.Same)
}
