package plan

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Stamp makes the init write the time at the beginning of each step to the shared page, from
// PageTrace on, 16 bytes (struct timespec) a step, and makes the page as long as that takes. The
// plan's first op must be MapPage's. Behind a seccomp filter there are no stamps: it may refuse the
// call.
func (p *Plan) Stamp() {
	p.PageLen = (PageTrace + 16*len(p.Steps) + PageSize - 1) &^ (PageSize - 1)
	filtered := false
	for i := range p.Steps {
		s := &p.Steps[i]
		if len(s.Ops) == 0 || filtered {
			continue
		}
		filtered = slices.ContainsFunc(s.Ops, func(o Op) bool { return o.Call == SysSeccomp })
		stamp := Sys(SysClockGettime, Int(unix.CLOCK_MONOTONIC, "CLOCK_MONOTONIC"), Page(PageTrace+16*i))
		if i > 0 {
			s.Ops = append([]Op{stamp}, s.Ops...)
			continue
		}
		// The rest of the page lies elsewhere in the init's memory: the registers follow the first
		// part.
		rest := s.Ops[0]
		rest.Args = append([]Arg{Page(PageTrace), Num(int64(p.PageLen - PageTrace))}, rest.Args[2:5]...)
		rest.Args = append(rest.Args, Num(PageTrace))
		s.Ops = append(s.Ops[:1:1], append([]Op{rest, stamp}, s.Ops[1:]...)...)
	}
}
