package seccomp

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// A cond compares one argument: arg & mask <op> value.
type cond struct {
	index       uint8
	op          operator
	mask, value uint64
}

type operator uint8

const (
	opNone operator = iota
	opEQ            // with a mask
	opNE
	opLT
	opLE
	opGE
	opGT
)

// operatorOf is opNone for what is no operator.
func operatorOf(op specs.LinuxSeccompOperator) operator {
	switch op {
	case specs.OpEqualTo, specs.OpMaskedEqual:
		return opEQ
	case specs.OpNotEqual:
		return opNE
	case specs.OpLessThan:
		return opLT
	case specs.OpLessEqual:
		return opLE
	case specs.OpGreaterEqual:
		return opGE
	case specs.OpGreaterThan:
		return opGT
	}
	return opNone
}

// A clause is one way for a rule to match: all conditions hold.
type clause struct {
	conds   []cond
	verdict uint32
}

// A decision is what happens to the system calls that named the same rules: a verdict, or a chain
// of clauses, each the parent's with one more, that ends in the default action.
type decision struct {
	verdict uint32
	clause  int32 // -1: the verdict holds whatever the arguments
	parent  uint16
}

// The first decisions, both the default action: for calls that no rule names, and for those that
// only rules with the default action name.
const (
	unnamed = iota
	asDefault
	firstOwn
)

// A policy is a checked profile with its names looked up. It is the same for every architecture.
type policy struct {
	profile   *specs.LinuxSeccomp
	arches    []*arch // native first
	def       uint32
	clauses   []clause
	conds     []cond // shared by the clauses
	decisions []decision
	calls     [nameCount]uint16 // name index to decision
	unknown   []string
	flags     uint32
	notify    bool
	errs      []error
}

// load checks the profile and takes it apart.
func (p *policy) load(native specs.Arch) error {
	s := p.profile
	Check(s, func(place, format string, args ...any) {
		p.errs = append(p.errs, fmt.Errorf("%s: "+format, append([]any{place}, args...)...))
	})
	n := findArch(native)
	if n == nil {
		p.errs = append(p.errs, fmt.Errorf("linux.seccomp: this machine's architecture (%q) has no seccomp tables", native))
	}
	if len(p.errs) > 0 {
		return errors.Join(p.errs...)
	}
	p.def = verdict(s.DefaultAction, s.DefaultErrnoRet)
	p.loadArches(n)
	p.loadFlags()
	p.loadRules()
	return errors.Join(p.errs...)
}

func (p *policy) loadRules() {
	s := p.profile
	n := 0
	for i := range s.Syscalls {
		n += len(s.Syscalls[i].Args)
	}
	p.conds, p.clauses = make([]cond, 0, n), make([]clause, 0, n)
	p.decisions = make([]decision, firstOwn, firstOwn+n+8)
	for i := range p.decisions {
		p.decisions[i] = decision{verdict: p.def, clause: -1}
	}
	var f finder
	for i := range s.Syscalls {
		p.loadRule(i, &f)
	}
	if p.notify {
		// TSYNC would need a second flag beside a listener; the one thread that loads the filter
		// has no others to synchronise.
		p.flags = p.flags&^FlagTSYNC | FlagNewListener
	} else {
		p.flags &^= FlagWaitKillableRecv // invalid without a listener
	}
}

// loadArches adds the native architecture and the listed ones that the same kernel can run. The
// others need no code: no system call will ever come from them.
func (p *policy) loadArches(native *arch) {
	p.arches = make([]*arch, 1, 4)
	p.arches[0] = native
	for _, name := range p.profile.Architectures {
		if a := findArch(name); a.cpu == native.cpu && !slices.Contains(p.arches, a) {
			p.arches = append(p.arches, a)
		}
	}
}

func (p *policy) loadFlags() {
	if p.profile.Flags == nil { // an empty list means none
		p.flags = FlagSpecAllow
	}
	for _, f := range p.profile.Flags {
		p.flags |= flagBit(f)
	}
}

func (p *policy) loadRule(i int, f *finder) {
	r := &p.profile.Syscalls[i]
	v := verdict(r.Action, r.ErrnoRet)
	p.notify = p.notify || v == retNotify
	conds := p.loadArgs(i)
	from, to := p.addClauses(v, conds)
	fresh := len(p.decisions)
	for _, s := range r.Names {
		index, ok := f.find(s)
		if !ok {
			p.unknown = append(p.unknown, s)
			continue
		}
		d := p.calls[index]
		switch {
		case v == p.def:
			d = max(d, asDefault)
		case len(conds) == 0:
			d = p.always(d, v)
		default:
			for c := from; c < to; c++ {
				d = p.add(d, c, fresh)
			}
		}
		p.calls[index] = d
	}
}

func (p *policy) loadArgs(i int) []cond {
	args := p.profile.Syscalls[i].Args
	if len(args) == 0 {
		return nil
	}
	from := len(p.conds)
	for _, a := range args {
		c := cond{index: uint8(a.Index), op: operatorOf(a.Op), mask: math.MaxUint64, value: a.Value}
		if a.Op == specs.OpMaskedEqual {
			// Bits of the value that the mask hides don't count, rather than never matching.
			c.mask, c.value = a.Value, a.ValueTwo&a.Value
		}
		p.conds = append(p.conds, c)
	}
	return p.conds[from:]
}

// addClauses appends a rule's clauses and returns their range. Conditions on different arguments
// must all hold. When two are on the same argument, each condition of the rule is a clause of its
// own, any of which matches: that is what such rules have always meant to runtimes on libseccomp,
// which compares an argument once a rule.
func (p *policy) addClauses(v uint32, conds []cond) (from, to int32) {
	from = int32(len(p.clauses))
	var seen [6]bool
	for _, c := range conds {
		if seen[c.index] {
			for i := range conds {
				p.clauses = append(p.clauses, clause{conds[i : i+1], v})
			}
			return from, int32(len(p.clauses))
		}
		seen[c.index] = true
	}
	if len(conds) > 0 {
		p.clauses = append(p.clauses, clause{conds, v})
	}
	return from, int32(len(p.clauses))
}

// always returns the decision for a call that had decision d and is now named by a rule without
// arguments, which hides those with arguments.
func (p *policy) always(d uint16, v uint32) uint16 {
	if old := p.decisions[d]; d >= firstOwn && old.clause < 0 {
		v = p.prevails(v, old.verdict)
	}
	for i := firstOwn; i < len(p.decisions); i++ {
		if p.decisions[i].clause < 0 && p.decisions[i].verdict == v {
			return uint16(i)
		}
	}
	return p.newDecision(decision{verdict: v, clause: -1})
}

// prevails returns which of two rules without arguments holds, whatever their order: the stricter.
// But where errors are the default, another errno only says how a call is refused that nothing
// allows: podman's own profile allows setns to all and then gives it EPERM for want of a
// capability, where its default is ENOSYS.
func (p *policy) prevails(v, w uint32) uint32 {
	if isErrno(p.def) && isErrno(v) != isErrno(w) {
		if isErrno(v) {
			return w
		}
		return v
	}
	return stricter(v, w)
}

// add returns the decision that has clause c besides what d has. Decisions that already have it lie
// at fresh or above.
func (p *policy) add(d uint16, c int32, fresh int) uint16 {
	if d >= firstOwn && p.decisions[d].clause < 0 {
		return d
	}
	if d == asDefault {
		d = unnamed
	}
	for i := fresh; i < len(p.decisions); i++ {
		if p.decisions[i].clause == c && p.decisions[i].parent == d {
			return uint16(i)
		}
	}
	return p.newDecision(decision{clause: c, parent: d})
}

func (p *policy) newDecision(d decision) uint16 {
	if len(p.decisions) > math.MaxUint16 {
		if len(p.errs) == 0 {
			p.errs = append(p.errs, errTooMany())
		}
		return unnamed
	}
	p.decisions = append(p.decisions, d)
	return uint16(len(p.decisions) - 1)
}

func errTooMany() error {
	return fmt.Errorf("linux.seccomp.syscalls: too many rules for the kernel's limit of %d instructions", bpf.MaxInstructions)
}

// chain returns the clauses of a decision, in no particular order.
func (p *policy) chain(d uint16) []clause {
	n := 0
	for at := d; p.decisions[at].clause >= 0; at = p.decisions[at].parent {
		n++
	}
	clauses := make([]clause, 0, n)
	for at := d; p.decisions[at].clause >= 0; at = p.decisions[at].parent {
		clauses = append(clauses, p.clauses[p.decisions[at].clause])
	}
	return clauses
}
