package seccomp

import (
	"bufio"
	"fmt"
	"io"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// A lister prints a filter as BPF with labels.
type lister struct {
	program *Program
	w       *bufio.Writer
	label   []string // of jumps' destinations, returns aside; "" for the rest
	word    []uint32 // which word of seccomp_data the accumulator holds, by offset
	audit   []uint32 // the architecture that a part is for, 0 in shared ones
}

// WriteListing prints the filter, one instruction a line.
func (p *Program) WriteListing(to io.Writer) error {
	n := len(p.Code)
	l := &lister{p, bufio.NewWriter(to), make([]string, n), make([]uint32, n+1), make([]uint32, n+1)}
	l.follow()
	for pc, in := range p.Code {
		if l.label[pc] != "" {
			fmt.Fprintf(l.w, "%s:\n", l.label[pc])
		}
		fmt.Fprintf(l.w, "%5d  %s\n", pc, l.text(pc, in))
	}
	return l.w.Flush()
}

// follow walks the jumps, to learn what has a label and what the accumulator holds where.
func (l *lister) follow() {
	jump := func(from, to int) {
		l.word[to], l.audit[to] = l.word[from], l.audit[from]
		if to != from+1 && l.label[to] == "" && l.program.Code[to].Op != bpf.Return {
			l.label[to] = fmt.Sprintf("L%d", to)
		}
	}
	for _, m := range l.program.marks {
		l.label[m.at] = l.markName(m)
	}
	for pc, in := range l.program.Code {
		switch in.Op {
		case bpf.Return:
		case bpf.Jump:
			jump(pc, pc+1+int(in.K))
		case bpf.JumpEq, bpf.JumpGt, bpf.JumpGe, bpf.JumpSet:
			jump(pc, pc+1+int(in.False))
			jump(pc, pc+1+int(in.True))
			if l.word[pc] == bpf.OffsetArch {
				l.audit[pc+1+int(in.True)] = in.K
			}
		default:
			jump(pc, pc+1)
			if in.Op == bpf.LoadAbs {
				l.word[pc+1] = in.K
			}
		}
	}
}

// markName labels the part of an architecture, or the checks of the calls that share a decision.
func (l *lister) markName(m mark) string {
	pol := l.program.policy
	if m.decision == unnamed {
		for _, a := range pol.arches {
			if a.audit == m.audit {
				return a.short()
			}
		}
	}
	label := "multiplexer"
	for i, d := range pol.calls {
		if d == m.decision {
			label = name(i)
			break
		}
	}
	if !m.wide {
		label += ".32"
	}
	return label
}

func (l *lister) text(pc int, in bpf.Instruction) string {
	switch in.Op {
	case bpf.LoadAbs:
		return "ld " + l.wordName(in.K)
	case bpf.Return:
		return "ret " + VerdictString(in.K)
	case bpf.Jump:
		return "ja " + l.place(pc+1+int(in.K), pc)
	case bpf.JumpEq, bpf.JumpGt, bpf.JumpGe, bpf.JumpSet:
		return fmt.Sprintf("%s %s, %s, %s", in.Op, l.operand(pc, in.K), l.place(pc+1+int(in.True), pc), l.place(pc+1+int(in.False), pc))
	}
	return in.String()
}

// wordName names a word of seccomp_data by its offset.
func (l *lister) wordName(offset uint32) string {
	switch offset {
	case bpf.OffsetNr:
		return "nr"
	case bpf.OffsetArch:
		return "arch"
	}
	half := "low"
	if high := offset&4 != 0; high != l.program.policy.arches[0].big {
		half = "high"
	}
	return fmt.Sprintf("arg%d.%s", (offset-bpf.OffsetArgs)/8, half)
}

// operand prints what is compared with; a number or an architecture by its name too.
func (l *lister) operand(pc int, k uint32) string {
	for _, a := range l.program.policy.arches {
		switch {
		case l.word[pc] == bpf.OffsetArch && a.audit == k:
			return fmt.Sprintf("%#x (%s)", k, a.short())
		case l.word[pc] == bpf.OffsetNr && a.audit == l.audit[pc]:
			if call := a.call(k); call != "" {
				return fmt.Sprintf("%s (%s)", number(uint64(k)), call)
			}
		}
	}
	return number(uint64(k))
}

// call returns the name of a number, "" when the architecture has none.
func (a *arch) call(nr uint32) string {
	for i := range nameCount {
		if have, ok := a.number(i); ok && have == nr {
			return name(i)
		}
	}
	return ""
}

// place prints where a jump goes, a return by its verdict.
func (l *lister) place(to, from int) string {
	if in := l.program.Code[to]; in.Op == bpf.Return {
		return VerdictString(in.K)
	}
	if to == from+1 && l.label[to] == "" {
		return "next"
	}
	return l.label[to]
}
