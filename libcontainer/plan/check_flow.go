package plan

// The flow of values through registers. A plan has no jumps, but conditions: whether a register has
// been written depends on the outcome of earlier ops. Every write is a definition with the guard
// under which it takes place; a condition gives facts about definitions. Both are small, so that
// the check is exact for every shape that a compiler of plans produces and errs on the side of
// refusing for the rest.

// vals is a set of what a register may hold.
type vals uint8

const (
	vUnset  vals = 1 << iota // nothing yet
	vFailed                  // a negated errno
	vOK                      // a result
	// a word from memory that looks like a negated errno, and may be read all the same
	vMinus
	vLow  // a word from memory that looks like nothing yet
	vWord = vOK | vMinus | vLow
	vAll  = vUnset | vFailed | vWord
)

func (i Is) vals() vals {
	switch i {
	case OK:
		return vOK
	case Failed:
		return vFailed | vMinus
	case NotOK:
		return vAll &^ vOK
	}
	return vAll
}

// fact says that the register holds one of vals as far as definition def is concerned.
type fact struct {
	def  int32
	vals vals
}

func (f fact) not() fact { return fact{f.def, vAll &^ f.vals} }

// facts are what is known where an op runs. Facts beyond its size are dropped. Then more is
// refused, but for one thing: a mount is no longer compared with one whose failure it follows from
// through a dozen conditions.
type facts struct {
	n int
	f [maxFacts]fact
}

const maxFacts = 12

func (s *facts) add(f fact) {
	for i := range s.f[:s.n] {
		if s.f[i].def == f.def {
			s.f[i].vals &= f.vals
			return
		}
	}
	if s.n < len(s.f) {
		s.f[s.n] = f
		s.n++
	}
}

// imply reports whether g is one of the facts, as nearly all are that anybody asks for.
func (s *facts) imply(g fact) bool {
	if g.vals == vAll {
		return true
	}
	for i := range s.f[:s.n] {
		if s.f[i].def == g.def {
			return s.f[i].vals&^g.vals == 0
		}
	}
	return false
}

func (s *facts) narrow(def int32, v vals) vals {
	for _, f := range s.f[:s.n] {
		if f.def == def {
			v &= f.vals
		}
	}
	return v
}

// def is one write to a register.
type def struct {
	prev   int32 // the definition that it replaces
	guard  fact  // when it takes place; vals is vAll for always
	result vals  // what the op leaves when it runs
	kept   vals  // what prev leaves when it does not
	// closed says under which condition the descriptor has been closed; vals is 0 for never.
	closed fact
	// origin is the definition that a set has copied the descriptor from, or 0.
	origin int32
	fd     bool // it is a descriptor that the init has opened
	move   bool // it is the outcome of a move_mount
	isDir  bool // its success says that there is a directory, its failure that there is none
	// answered says that an op is there for the case that the move failed.
	answered bool
	// min and max bound the restricting MOUNT_ATTR_* bits with which the mount behind the
	// descriptor was made.
	min, max uint8
	// The first and last of its changes, and the last of the mounts that depend on it; 0 is none.
	firstChange, lastChange, mounts int32
}

func (d *def) state() vals { return d.result | d.kept }

// fuel bounds the work for one question; when it is used up, the answer is what holds without any
// facts.
const fuel = 64

// eval is what definition v may hold where fs are known.
func (c *checker) eval(v int32, fs *facts, fuel *int) vals {
	d := &c.defs[v]
	s := d.state()
	if fs.n == 0 {
		return s
	}
	*fuel--
	if fs.imply(d.guard) {
		s = d.result
	} else if *fuel > 0 {
		g := c.eval(d.guard.def, fs, fuel)
		switch {
		case g&^d.guard.vals == 0:
			s = d.result
		case g&d.guard.vals != 0:
		case d.guard.def == d.prev:
			// Asking again would double the work at each link of a long chain.
			s = g
		default:
			s = c.eval(d.prev, fs, fuel)
		}
	}
	return fs.narrow(v, s)
}

// holds reports whether g is certain where fs are known.
func (c *checker) holds(g fact, fs *facts) bool {
	if fs.imply(g) {
		return true
	}
	n := fuel
	return c.eval(g.def, fs, &n)&^g.vals == 0
}

// fails reports whether g is impossible where fs are known.
func (c *checker) fails(g fact, fs *facts) bool {
	n := fuel
	return c.eval(g.def, fs, &n)&g.vals == 0
}

// assume gives the facts that follow when g is known: a definition that can only have been made
// under its guard proves the guard.
func (c *checker) assume(fs *facts, g fact) {
	if c.defs[g.def].state()&^g.vals == 0 {
		return
	}
	from := fs.n
	fs.add(g)
	for i := from; i < fs.n; i++ {
		f := fs.f[i]
		d := &c.defs[f.def]
		if d.guard.vals == vAll {
			continue
		}
		switch {
		case d.kept&f.vals == 0:
			fs.add(d.guard)
		case d.result&f.vals == 0:
			fs.add(d.guard.not())
			fs.add(fact{d.prev, f.vals})
		}
	}
}

// define notes that the current op writes register r.
func (c *checker) define(r Reg, result vals) {
	d := def{prev: c.cur[r], guard: c.guard, result: result, fd: c.op.makesFD()}
	if d.guard.vals != vAll {
		var not facts
		c.assume(&not, d.guard.not())
		n := fuel
		d.kept = c.eval(d.prev, &not, &n)
	}
	if c.op.Call == Set {
		d.origin = c.source(0)
		if from := &c.defs[d.origin]; from.origin != 0 && from.guard.vals == vAll {
			d.origin = from.origin
		}
	}
	c.cur[r] = int32(len(c.defs))
	c.defs = append(c.defs, d)
}

// read checks that register r holds a result wherever the current op runs.
func (c *checker) read(r Reg) {
	if !c.inRange(r) {
		c.errorf("reads %s, which the plan does not have", c.name(r))
		return
	}
	n := fuel
	switch s := c.eval(c.cur[r], &c.facts, &n); {
	case s&vUnset != 0:
		c.errorf("reads %s, which may not have been written", c.name(r))
	case s&vFailed != 0:
		c.errorf("reads %s, which may hold a failure", c.name(r))
	case c.closed(c.cur[r]):
		c.errorf("reads %s, which may have been closed", c.name(r))
	}
}

// readFile checks that file i is there wherever the current op runs.
func (c *checker) readFile(i uint64) {
	if i >= uint64(len(c.p.Files)) {
		c.errorf("uses file %d of %d", i, len(c.p.Files))
	} else if c.closed(c.fileDef(int(i))) {
		c.errorf("uses file %q, which may have been closed", c.p.Files[i].Name)
	}
}

func (c *checker) fileDef(i int) int32 { return int32(1 + i) }

// source is the definition behind the descriptor in argument i, or 0.
func (c *checker) source(i int) int32 {
	if i >= len(c.op.Args) {
		return 0
	}
	switch a := &c.op.Args[i]; {
	case a.Kind == KindFile && a.Int < uint64(len(c.p.Files)):
		return c.fileDef(int(a.Int))
	case a.Kind == KindReg && c.inRange(Reg(a.Int)):
		return c.cur[Reg(a.Int)]
	}
	return 0
}

// closed reports whether the descriptor in definition v may have been closed where the current op
// runs.
func (c *checker) closed(v int32) bool {
	for {
		d := &c.defs[v]
		if d.origin != 0 && c.closed(d.origin) {
			return true
		}
		if d.closed.vals != 0 && !c.fails(d.closed, &c.facts) {
			return true
		}
		if c.last(d, &c.facts) {
			return false
		}
		v = d.prev
	}
}

// last reports whether a descriptor can't come from a definition before d where fs are known.
// Whoever reads d has made sure of a descriptor, so that one which leaves none need not be asked:
// there may be hundreds of them in a row.
func (c *checker) last(d *def, fs *facts) bool {
	return d.guard.vals == vAll || d.result&vOK != 0 && c.holds(d.guard, fs)
}

// close notes that the current op closes the descriptor in definition v, and so in all that it may
// come from.
func (c *checker) close(v int32) {
	for v != 0 {
		d := &c.defs[v]
		if d.closed.vals == 0 {
			d.closed = c.guard
		} else if d.closed != c.guard {
			// Closed under two conditions: from here on nobody may use it.
			d.closed = fact{0, vAll}
		}
		if d.origin != 0 {
			c.close(d.origin)
		}
		if c.holds(d.guard, &c.facts) {
			return
		}
		v = d.prev
	}
}
