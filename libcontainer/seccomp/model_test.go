package seccomp

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A model decides system calls by reading the profile anew for each: slow, and with nothing of the
// compiler in it but the tables and the translation of actions.
type model struct {
	arches []*arch
	def    uint32
	enosys bool
	rules  map[*arch]map[uint32]*modelCall
	newest map[*arch]uint32 // one above it; 0 when the profile names nothing there
}

// A modelCall is everything that a profile says of one number.
type modelCall struct {
	name      string
	always    []uint32 // verdicts of rules without arguments, in the profile's order
	sometimes []modelClause
}

type modelClause struct {
	args    []specs.LinuxSeccompArg
	verdict uint32
}

func (c modelClause) matches(a *arch, args [6]uint64) bool {
	cut := uint64(math.MaxUint64)
	if !a.wide {
		cut = math.MaxUint32
	}
	for _, c := range c.args {
		v, one, two := args[c.Index]&cut, c.Value&cut, c.ValueTwo&cut
		var ok bool
		switch c.Op {
		case specs.OpEqualTo:
			ok = v == one
		case specs.OpNotEqual:
			ok = v != one
		case specs.OpLessThan:
			ok = v < one
		case specs.OpLessEqual:
			ok = v <= one
		case specs.OpGreaterEqual:
			ok = v >= one
		case specs.OpGreaterThan:
			ok = v > one
		case specs.OpMaskedEqual:
			ok = v&one == two&one
		}
		if !ok {
			return false
		}
	}
	return true
}

// clausesOf splits a rule with two conditions on one argument, as runtimes do for libseccomp.
func clausesOf(r specs.LinuxSyscall, v uint32) (cs []modelClause) {
	seen := map[uint]bool{}
	double := false
	for _, a := range r.Args {
		double = double || seen[a.Index]
		seen[a.Index] = true
	}
	if !double {
		return []modelClause{{r.Args, v}}
	}
	for i := range r.Args {
		cs = append(cs, modelClause{r.Args[i : i+1], v})
	}
	return cs
}

func newModel(p *specs.LinuxSeccomp, native specs.Arch) *model {
	def := verdict(p.DefaultAction, p.DefaultErrnoRet)
	m := &model{def: def, rules: map[*arch]map[uint32]*modelCall{}, newest: map[*arch]uint32{}}
	switch p.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
	default:
		m.enosys = true
	}
	for _, name := range append([]specs.Arch{native}, p.Architectures...) {
		if a := findArch(name); !slices.Contains(m.arches, a) && a.cpu == findArch(native).cpu {
			m.arches = append(m.arches, a)
			m.rules[a] = map[uint32]*modelCall{}
			for _, r := range p.Syscalls {
				for _, name := range r.Names {
					m.addRule(a, name, r)
				}
			}
		}
	}
	return m
}

func (m *model) addRule(a *arch, name string, r specs.LinuxSyscall) {
	v := verdict(r.Action, r.ErrnoRet)
	add := func(nr uint32, args bool, cs []modelClause) {
		c := m.rules[a][nr]
		if c == nil {
			c = &modelCall{name: name}
			m.rules[a][nr] = c
		}
		if !args {
			c.always = append(c.always, v)
		} else {
			c.sometimes = append(c.sometimes, cs...)
		}
		m.named(a, nr)
	}
	if i, ok := new(finder).find(name); ok {
		if nr, ok := a.number(i); ok {
			if v == m.def {
				m.named(a, nr)
			} else {
				add(nr, len(r.Args) > 0, clausesOf(r, v))
			}
		}
	}
	for mux, calls := range map[string]string{"socketcall": socketCalls, "ipc": ipcCalls} {
		i, _ := new(finder).find(mux)
		nr, ok := a.number(i)
		number := slices.Index(strings.Fields(calls), name)
		if !ok || number <= 0 || v == m.def {
			continue
		}
		var cs []modelClause
		for _, c := range clausesOf(r, v) {
			args := []specs.LinuxSeccompArg{{Index: 0, Op: specs.OpEqualTo, Value: uint64(number)}}
			for _, a := range c.args {
				if a.Index != 0 {
					args = append(args, a)
				}
			}
			cs = append(cs, modelClause{args, v})
		}
		add(nr, true, cs)
	}
}

// named notes how new the calls are that a profile knows. The blocks above all others, of 32-bit
// Arm and of x32, are old.
func (m *model) named(a *arch, nr uint32) {
	if a.base == x32Bit && nr < x32Bit+512 || a.base != x32Bit && nr < privateBase {
		m.newest[a] = max(m.newest[a], nr+1)
	}
}

// A ruling is what a model says of a system call.
type ruling struct {
	verdict uint32
	call    *modelCall // nil when no rule names the call
	matched []uint32   // verdicts of all the rules with arguments that match
	newer   bool       // ENOSYS because the profile doesn't know it
}

// decide rules on a call of an architecture in the filter. Where rules with different actions
// overlap the verdict is not the model's to say: it is one of matched.
func (m *model) decide(a *arch, nr uint32, args [6]uint64) (r ruling) {
	r.verdict = m.def
	r.call = m.rules[a][nr]
	own := a.base == x32Bit && nr&^x32Bit >= 512 && nr&^x32Bit <= 547 || a.table == &nrARM && nr >= privateBase && nr < privateBase+16
	if m.enosys && m.newest[a] > 0 {
		if nr >= m.newest[a] && !own && r.call == nil || nr == 0 && a.cpu == "s390" {
			r.verdict, r.newer = retENOSYS, true
			return r
		}
	}
	if r.call == nil {
		return r
	}
	if len(r.call.always) > 0 {
		// The smallest as a signed number is the strictest; errors count as the most lenient where
		// they are the default.
		r.verdict = slices.MinFunc(r.call.always, func(v, w uint32) int {
			if m.def>>16 == retErrno>>16 {
				if v, w := v>>16 == retErrno>>16, w>>16 == retErrno>>16; v != w {
					if v {
						return 1
					}
					return -1
				}
			}
			return cmp.Compare(int32(v), int32(w))
		})
		return r
	}
	for _, c := range r.call.sometimes {
		if c.matches(a, args) {
			r.matched = append(r.matched, c.verdict)
			r.verdict = c.verdict
		}
	}
	return r
}

// conflict reports whether rules with different actions match.
func (r ruling) conflict() bool {
	for _, v := range r.matched {
		if v != r.matched[0] {
			return true
		}
	}
	for _, v := range r.always() {
		if v != r.always()[0] {
			return true
		}
	}
	return false
}

func (r ruling) always() []uint32 {
	if r.call == nil {
		return nil
	}
	return r.call.always
}
