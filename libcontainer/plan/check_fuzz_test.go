package plan

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

// damage changes a plan in one random place.
func damage(r *rand.Rand, p *Plan) {
	s := &p.Steps[r.IntN(len(p.Steps))]
	if len(s.Ops) == 0 || r.IntN(12) == 0 {
		s.Site = Site(r.IntN(2))
		s.Do = []HostStep{"", "work"}[r.IntN(2)]
		return
	}
	o := &s.Ops[r.IntN(len(s.Ops))]
	switch r.IntN(9) {
	case 0:
		o.Call = Call(r.IntN(int(Calls) + 3))
	case 1:
		o.Out = Reg(r.IntN(256))
	case 2:
		o.If = Cond{Reg(r.IntN(256)), Is(r.IntN(6))}
	case 3:
		o.Args = o.Args[:r.IntN(len(o.Args)+1)]
	case 4:
		*o = o.Allowing(unix.Errno(r.IntN(5000)))
	case 5:
		o.Args = append(o.Args[:len(o.Args):len(o.Args)], Arg{Kind: ArgKind(r.IntN(9)), Int: r.Uint64N(300), Buf: int32(r.IntN(12)) - 2})
	case 6:
		s.Ops = append(s.Ops[:0:0], s.Ops[r.IntN(len(s.Ops)):]...)
	default:
		if len(o.Args) > 0 {
			a := &o.Args[r.IntN(len(o.Args))]
			a.Kind, a.Int, a.Buf = ArgKind(r.IntN(9)), r.Uint64(), int32(r.IntN(12))-2
		}
	}
}

// A damaged plan is refused or runs; the checker survives what it is given, and the interpreter
// what the checker lets through.
func TestCheckSurvivesDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	accepted := 0
	const plans = 5000
	for range plans {
		p := sample()
		for range 1 + r.IntN(3) {
			damage(r, p)
		}
		if Check(p) != nil {
			continue
		}
		accepted++
		fds := make([]int, len(p.Files))
		if _, err := Interp(p, fds, &Fake{}); err != nil {
			t.Errorf("accepted, but %v", err)
		}
	}
	if accepted < plans/100 || accepted > plans*3/4 {
		t.Errorf("%d of %d damaged plans were accepted", accepted, plans)
	}
}
