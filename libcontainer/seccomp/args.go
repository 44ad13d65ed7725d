package seccomp

import (
	"cmp"
	"math"
	"slices"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// checks emits what tests the arguments for a decision.
func (a *assembler) checks(d uint16, wide bool) dest {
	if len(a.code) > bpf.MaxInstructions {
		return a.verdict(a.policy.def) // too long already, Compile will say so
	}
	clauses := a.policy.ordered(d, wide)
	var entry dest
	if steps, ok := a.steps(clauses, wide); ok {
		entry = a.value(clauses[0].conds[0].index, steps, wide)
	} else {
		entry = a.verdict(a.policy.def)
		for _, c := range slices.Backward(clauses) {
			entry = a.clause(c, wide, entry)
		}
	}
	entry = a.near(entry)
	a.marks = append(a.marks, mark{at: entry, decision: d, wide: wide})
	return entry
}

// ordered returns a decision's clauses, the first that matches decides.
func (p *policy) ordered(d uint16, wide bool) []clause {
	clauses := p.chain(d)
	n := 0
	for i := range clauses {
		n += len(clauses[i].conds)
	}
	conds := make([]cond, 0, n)
	for i := range clauses {
		from := len(conds)
		conds = append(conds, clauses[i].conds...)
		clauses[i].conds = conds[from:]
		canonical(clauses[i].conds, wide)
	}
	slices.SortFunc(clauses, compareClauses)
	return slices.CompactFunc(clauses, func(x, y clause) bool { return slices.Equal(x.conds, y.conds) })
}

// canonical puts a clause's conditions in order of their arguments and cuts them to the width of
// the architecture's arguments.
func canonical(conds []cond, wide bool) {
	for i := range conds {
		c := &conds[i]
		if !wide {
			c.mask &= math.MaxUint32
			c.value &= math.MaxUint32
		}
	}
	slices.SortFunc(conds, func(x, y cond) int { return cmp.Compare(x.index, y.index) })
}

// compareClauses puts the clauses of one system call in an order that does not depend on the
// profile's; the first that matches decides. The order is libseccomp's: clauses that begin with a
// later argument come first, then equality before upper bounds before lower bounds, tighter values
// before looser ones. Of clauses with the same conditions the stricter verdict comes first.
func compareClauses(x, y clause) int {
	for i := range min(len(x.conds), len(y.conds)) {
		if c := compareConds(x.conds[i], y.conds[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(x.conds), len(y.conds)), cmp.Compare(int32(x.verdict), int32(y.verdict)))
}

func compareConds(x, y cond) int {
	rank := func(c cond) int {
		switch c.op {
		case opEQ, opNE:
			return 0
		case opLT, opLE:
			return 1
		}
		return 2
	}
	byValue := cmp.Compare(y.value, x.value)
	if rank(x) == 1 {
		byValue = -byValue
	}
	return cmp.Or(cmp.Compare(y.index, x.index), cmp.Compare(rank(x), rank(y)), byValue,
		cmp.Compare(x.op, y.op), cmp.Compare(y.mask, x.mask))
}

// clause emits one clause; no is where a call goes that does not match it.
func (a *assembler) clause(c clause, wide bool, no dest) dest {
	yes := a.verdict(c.verdict)
	for _, cond := range slices.Backward(c.conds) {
		yes = a.cond(cond, wide, yes, no)
	}
	return yes
}

func (a *assembler) cond(c cond, wide bool, yes, no dest) dest {
	switch c.op {
	case opNE:
		return a.equal(c, wide, no, yes)
	case opEQ:
		return a.equal(c, wide, yes, no)
	case opGE:
		return a.atLeast(c.index, c.value, wide, yes, no)
	case opLT:
		return a.atLeast(c.index, c.value, wide, no, yes)
	}
	// a > v is a >= v+1, and a <= v its opposite.
	if c.op == opLE {
		yes, no = no, yes
	}
	if largest := c.value == math.MaxUint64 || !wide && c.value == math.MaxUint32; largest {
		return no
	}
	return a.atLeast(c.index, c.value+1, wide, yes, no)
}

// equal emits arg & mask == value.
func (a *assembler) equal(c cond, wide bool, yes, no dest) dest {
	low := a.equalWord(c.index, false, uint32(c.mask), uint32(c.value), yes, no)
	if !wide {
		return low
	}
	return a.equalWord(c.index, true, uint32(c.mask>>32), uint32(c.value>>32), low, no)
}

func (a *assembler) equalWord(index uint8, high bool, mask, value uint32, yes, no dest) dest {
	switch {
	case mask == 0 || yes == no:
		return yes
	case mask == math.MaxUint32:
		return a.loadArg(index, high, a.branch(bpf.JumpEq, value, yes, no))
	case value == 0:
		return a.loadArg(index, high, a.branch(bpf.JumpSet, mask, no, yes))
	case mask == value && mask&(mask-1) == 0: // one bit
		return a.loadArg(index, high, a.branch(bpf.JumpSet, mask, yes, no))
	}
	test := a.branch(bpf.JumpEq, value, yes, no)
	return a.loadArg(index, high, a.before(bpf.Instruction{Op: bpf.And, K: mask}, test))
}

func (a *assembler) atLeast(index uint8, v uint64, wide bool, yes, no dest) dest {
	return a.value(index, []step{{0, no}, {v, yes}}, wide)
}

func (a *assembler) loadArg(index uint8, high bool, next dest) dest {
	offset := bpf.OffsetArgs + 8*uint32(index)
	if high != a.policy.arches[0].big {
		offset += 4
	}
	return a.load(offset, next)
}

// A step is a run over 64-bit values.
type step struct {
	start uint64
	to    dest
}

// steps turns clauses that all compare one and the same argument, without a mask, into runs over
// its values.
func (a *assembler) steps(clauses []clause, wide bool) ([]step, bool) {
	full := uint64(math.MaxUint64)
	if !wide {
		full = math.MaxUint32
	}
	starts := make([]uint64, 1, 1+2*len(clauses))
	for _, cl := range clauses {
		c := cl.conds[0]
		if len(cl.conds) > 1 || c.index != clauses[0].conds[0].index || c.mask != full {
			return nil, false
		}
		starts = append(starts, c.value)
		if c.value < full {
			starts = append(starts, c.value+1)
		}
	}
	slices.Sort(starts)
	steps := make([]step, 0, len(starts))
	for _, v := range slices.Compact(starts) {
		to := a.policy.def
		if i := slices.IndexFunc(clauses, func(cl clause) bool { return cl.conds[0].holds(v) }); i >= 0 {
			to = clauses[i].verdict
		}
		steps = append(steps, step{v, a.verdict(to)})
	}
	return steps, true
}

// holds reports whether a condition is true of an argument's value.
func (c cond) holds(v uint64) bool {
	v &= c.mask
	switch c.op {
	case opEQ:
		return v == c.value
	case opNE:
		return v != c.value
	case opLT:
		return v < c.value
	case opLE:
		return v <= c.value
	case opGE:
		return v >= c.value
	}
	return v > c.value
}

// value emits the decision on one argument. The first step starts at 0.
func (a *assembler) value(index uint8, steps []step, wide bool) dest {
	steps = merged(steps)
	if len(steps) == 1 {
		return steps[0].to
	}
	if !wide {
		return a.low(index, steps, 0)
	}
	// Runs over the upper word; where steps begin inside one value of it, the lower word decides.
	var highs []run
	push := func(start uint64, to dest) {
		if n := len(highs); start>>32 <= math.MaxUint32 && (n == 0 || highs[n-1].to != to) {
			highs = append(highs, run{uint32(start >> 32), to, 1})
		}
	}
	for i := 0; i < len(steps); {
		word := steps[i].start >> 32
		j := i + 1
		for j < len(steps) && steps[j].start>>32 == word {
			j++
		}
		inside := steps[i:j]
		if uint32(steps[i].start) != 0 {
			inside = steps[i-1 : j]
		}
		push(word<<32, a.low(index, inside, word))
		if next := (word + 1) << 32; word < math.MaxUint32 && (j == len(steps) || steps[j].start > next) {
			push(next, steps[j-1].to)
		}
		i = j
	}
	if len(highs) == 1 {
		return highs[0].to
	}
	return a.loadArg(index, true, a.search(highs))
}

// low emits the decision on the lower word of an argument whose upper word is known.
func (a *assembler) low(index uint8, steps []step, upper uint64) dest {
	if len(steps) == 1 {
		return steps[0].to
	}
	runs := make([]run, len(steps))
	for i, s := range steps {
		runs[i] = run{uint32(max(s.start, upper<<32)), s.to, 1}
	}
	return a.loadArg(index, false, a.search(runs))
}

// merged drops steps that change nothing.
func merged(steps []step) []step {
	out := steps[:0]
	for i, s := range steps {
		if i+1 < len(steps) && steps[i+1].start == s.start || len(out) > 0 && out[len(out)-1].to == s.to {
			continue
		}
		out = append(out, s)
	}
	return out
}
