package seccomp

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// VerdictString names a filter's verdict as people do: "allow", "errno ENOSYS", "kill process".
func VerdictString(v uint32) string {
	data := v & 0xffff
	switch v &^ 0xffff {
	case retAllow:
		return "allow"
	case retErrno:
		if s := unix.ErrnoName(unix.Errno(data)); s != "" {
			return "errno " + s
		}
		return fmt.Sprintf("errno %d", data)
	case retKillProcess:
		return "kill process"
	case retKillThread:
		return "kill thread"
	case retLog:
		return "log"
	case retNotify:
		return "notify"
	case retTrace:
		return fmt.Sprintf("trace %d", data)
	case retTrap:
		return "trap"
	}
	return fmt.Sprintf("%#x", v)
}

// short returns an architecture's name without the prefix: "x86_64".
func (a *arch) short() string {
	return strings.ToLower(strings.TrimPrefix(string(a.name), "SCMP_ARCH_"))
}

// WriteDecisions prints what happens to each system call.
func (p *Program) WriteDecisions(to io.Writer) error {
	w := bufio.NewWriter(to)
	pol := p.policy
	var archNames []string
	for _, a := range pol.arches {
		archNames = append(archNames, a.short())
	}
	fmt.Fprintf(w, "%d instructions for %s\n", len(p.Code), strings.Join(archNames, ", "))
	fmt.Fprintf(w, "flags: %s\n", flagNames(p.Flags))
	fmt.Fprintf(w, "default: %s\n", VerdictString(pol.def))
	p.writeNewer(w)
	fmt.Fprintf(w, "other architectures: %s\n", VerdictString(retBadArch))

	for _, v := range pol.verdicts() {
		var names []string
		for i, d := range pol.calls {
			if dec := pol.decisions[d]; d >= firstOwn && dec.clause < 0 && dec.verdict == v {
				names = append(names, name(i))
			}
		}
		fmt.Fprintf(w, "\n%s:\n", VerdictString(v))
		writeWords(w, names)
	}
	p.writeByArguments(w)
	if len(p.Unknown) > 0 {
		fmt.Fprintf(w, "\nunknown, skipped:\n")
		writeWords(w, p.Unknown)
	}
	return w.Flush()
}

// verdicts returns those of the rules without arguments that some call has, the strictest first.
func (p *policy) verdicts() (vs []uint32) {
	for _, d := range p.calls {
		if dec := p.decisions[d]; d >= firstOwn && dec.clause < 0 && !slices.Contains(vs, dec.verdict) {
			vs = append(vs, dec.verdict)
		}
	}
	slices.SortFunc(vs, func(x, y uint32) int {
		if stricter(x, y) == x {
			return -1
		}
		return 1
	})
	return vs
}

func (p *Program) writeNewer(w io.Writer) {
	if permissive(p.policy.def) || p.policy.def == retENOSYS {
		return
	}
	var bounds []string
	for _, a := range p.policy.arches {
		if nr, call := p.policy.newest(a); call != "" {
			bounds = append(bounds, fmt.Sprintf("%s (%d) on %s", call, nr, a.short()))
		}
	}
	if bounds != nil {
		fmt.Fprintf(w, "calls newer than %s: %s\n", strings.Join(bounds, ", "), VerdictString(retENOSYS))
	}
}

// newest returns the newest call of an architecture that the profile names.
func (p *policy) newest(a *arch) (nr uint32, call string) {
	for i, n := range a.table {
		if n != none && p.calls[i] != unnamed && !a.own(n) && (call == "" || a.base+uint32(n) > nr) {
			nr, call = a.base+uint32(n), name(i)
		}
	}
	return nr, call
}

func (p *Program) writeByArguments(w io.Writer) {
	first := true
	for i, d := range p.policy.calls {
		if p.policy.decisions[d].clause < 0 {
			continue
		}
		if first {
			fmt.Fprintf(w, "\nby arguments, the first that matches, else the default:\n")
			first = false
		}
		fmt.Fprintf(w, "  %s:\n", name(i))
		for _, line := range p.conditions(d) {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}

// String returns the conditions of a clause.
func (c clause) String() string {
	var all []string
	for _, cond := range c.conds {
		all = append(all, cond.String())
	}
	return strings.Join(all, " and ")
}

func (c cond) String() string {
	arg := fmt.Sprintf("arg%d", c.index)
	if c.op == opEQ && c.mask != ^uint64(0) {
		return fmt.Sprintf("%s & %#x == %s", arg, c.mask, number(c.value))
	}
	return arg + [...]string{opEQ: " == ", opNE: " != ", opLT: " < ", opLE: " <= ", opGE: " >= ", opGT: " > "}[c.op] + number(c.value)
}

// number prints small values as in a man page's tables and the others, more likely bits, in
// hexadecimal.
func number(v uint64) string {
	if v < 1000 {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%#x", v)
}

func flagNames(flags uint32) string {
	var names []string
	for _, f := range [...]struct {
		bit  uint32
		name string
	}{{FlagTSYNC, "TSYNC"}, {FlagLog, "LOG"}, {FlagSpecAllow, "SPEC_ALLOW"}, {FlagNewListener, "NEW_LISTENER"},
		{FlagWaitKillableRecv, "WAIT_KILLABLE_RECV"}} {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// writeWords prints words in lines of about 100 characters.
func writeWords(w io.Writer, words []string) {
	const width = 100
	column := 0
	for _, s := range words {
		if column > 0 && column+1+len(s) > width {
			fmt.Fprintln(w)
			column = 0
		}
		if column == 0 {
			column, _ = fmt.Fprintf(w, "  %s", s)
		} else {
			n, _ := fmt.Fprintf(w, " %s", s)
			column += n
		}
	}
	fmt.Fprintln(w)
}
