package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
)

// Words is a step as people read it.
type Words struct {
	Step *Step
	// Calls are as [Print] shows them, a line each, with [layout.Glue] in them.
	Calls []string
	// Keys are the calls without what changes when a step is put in front: they number registers by
	// their appearance in the step, and leave out which mount a file belongs to.
	Keys []string
}

// Words are the steps of p as people read them.
func (p *Plan) Words() []Words {
	names, words := p.regNames(), make([]Words, len(p.Steps))
	plain := p.withoutPlaces()
	for i := range p.Steps {
		s := &p.Steps[i]
		own, ownNames := names.renumber(s.Ops)
		words[i] = Words{Step: s, Keys: plain.lines(ownNames, own)}
		words[i].Calls = p.lines(names, s.Ops)
	}
	return words
}

// lines are the calls of a step. A series is one line.
func (p *Plan) lines(names regNames, ops []Op) []string {
	var lines []string
	for i := 0; i < len(ops); {
		n, differs, each := p.series(names, ops[i:])
		if n > 1 {
			lines = append(lines, p.seriesText(names, &ops[i], differs, each))
		} else {
			lines = append(lines, p.opText(names, &ops[i]))
		}
		i += n
	}
	return lines
}

// renumber gives the registers of a step the numbers 1, 2, 3 … in the order in which they appear.
func (names regNames) renumber(ops []Op) ([]Op, regNames) {
	own, ownNames := slices.Clone(ops), slices.Clone(names)
	to := map[Reg]Reg{Report: Report, NoReg: NoReg}
	number := func(r Reg) Reg {
		if _, ok := to[r]; !ok {
			n := Reg(len(to) - 1)
			to[r] = n
			ownNames[n] = strings.TrimRight(names[r], "0123456789") + strconv.Itoa(int(n))
		}
		return to[r]
	}
	for i := range own {
		o := &own[i]
		if o.If.Is != Always {
			o.If.Reg = number(o.If.Reg)
		}
		o.Args = slices.Clone(o.Args)
		for k := range o.Args {
			if a := &o.Args[k]; a.Kind == KindReg {
				a.Int = uint64(number(Reg(a.Int)))
			}
		}
		o.Out = number(o.Out)
	}
	return own, ownNames
}

// withoutPlaces is p for printing, with mounts[] for mounts[3] in the names of files and memory.
func (p *Plan) withoutPlaces() *Plan {
	q := *p
	q.Files, q.Bufs = slices.Clone(p.Files), slices.Clone(p.Bufs)
	for i := range q.Files {
		q.Files[i].Name = WithoutIndex(q.Files[i].Name)
	}
	for i := range q.Bufs {
		q.Bufs[i].Name = WithoutIndex(q.Bufs[i].Name)
	}
	return &q
}

// WithoutIndex takes the numbers out of a place in config.json: mounts[3].source is
// mounts[].source.
func WithoutIndex(place string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(place, "[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('[')
		place = strings.TrimLeft(rest, "0123456789")
	}
}

// FileWords is a descriptor that the init begins with, as people read it.
type FileWords struct {
	Number           int
	Name, What, From string
}

// Start are the descriptors with which the init image is started, beside stdio.
func (p *Plan) Start() []FileWords {
	files := make([]FileWords, len(p.Files))
	for i := range p.Files {
		f := &p.Files[i]
		files[i] = FileWords{3 + p.Preserve + i, f.Name, f.text(i), f.From}
	}
	return files
}

// Namespaces are the kinds of namespaces that the container gets of its own, and those of others
// that it joins. All the rest it shares with the runtime.
func (p *Plan) Namespaces() (made, joined []string) {
	flags := map[Call]uint64{SysUnshare: p.Clone}
	for i := range p.Steps {
		for j := range p.Steps[i].Ops {
			o := &p.Steps[i].Ops[j]
			flags[o.Call] |= p.namespaceFlags(o)
		}
	}
	ours := flags[SysUnshare] | flags[Spawn]
	return namespace.Names(ours), namespace.Names(flags[SysSetns] &^ ours)
}

// namespaceFlags are the CLONE_NEW* bits of an op that makes or joins namespaces.
func (p *Plan) namespaceFlags(o *Op) uint64 {
	switch {
	case o.Call == SysUnshare && o.Args[0].Kind == KindInt:
		return o.Args[0].Int
	case o.Call == SysSetns && o.Args[1].Kind == KindInt:
		return o.Args[1].Int
	case o.Call == Spawn && o.Args[0].Kind == KindBuf:
		return native.Uint64(p.Bufs[o.Args[0].Buf].Data)
	}
	return 0
}
