package seccomp

import "strings"

// Decision is what a filter does with a system call, in words.
type Decision struct{ Call, Verdict string }

// Decisions are what the filter does with the calls that its profile names, and with every other
// one. Without a filter everything is allowed.
func (p *Program) Decisions() (named []Decision, other string) {
	if p == nil {
		return nil, VerdictString(retAllow)
	}
	other = VerdictString(p.policy.def)
	for i, d := range p.policy.calls {
		if d == unnamed {
			continue
		}
		dec := p.policy.decisions[d]
		verdict := VerdictString(dec.verdict)
		if dec.clause >= 0 {
			verdict = strings.Join(append(p.conditions(d), other), ", else ")
		}
		named = append(named, Decision{name(i), verdict})
	}
	return named, other
}

// conditions are the verdicts that depend on arguments, the first that matches first.
func (p *Program) conditions(d uint16) (lines []string) {
	var conds []string
	clauses := p.policy.ordered(d, true)
	for i, c := range clauses {
		conds = append(conds, c.String())
		if i+1 == len(clauses) || clauses[i+1].verdict != c.verdict {
			lines = append(lines, VerdictString(c.verdict)+" if "+strings.Join(conds, ", or "))
			conds = conds[:0]
		}
	}
	return lines
}
