package plan

import (
	"strings"

	"golang.org/x/sys/unix"
)

// What is mounted in place of something that failed must be at least as strict as that
// (CVE-2023-25809). For every move_mount with a condition the checker keeps the facts under which
// it happens and the restrictions of its tree; two of which one needs success and the other failure
// of the same op are a mount and its fallback.

const restricting = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// mounted is a move_mount of one definition of its tree.
type mounted struct {
	facts facts
	// for each fact, the mount before this one that depends on the same definition
	next     [maxFacts]int32
	min, max uint8
	step, at int
}

// pending is a move_mount that may fail, until something is done about it.
type pending struct {
	def      int32
	step, at int
}

// mount follows mounts and their attributes.
func (c *checker) mount() {
	o := c.op
	switch o.Call {
	case SysMountSetattr:
		set, clr := uint8(o.word(3, 0)&restricting), uint8(o.word(3, 1)&restricting)
		if set != 0 && o.Allow.Len() > 0 {
			c.errorf("restricts a mount, but is allowed to fail")
		}
		c.restrict(c.source(0), set, clr)
	case SysFsconfig:
		if o.int(1) == unix.FSCONFIG_SET_FLAG && len(o.Args) > 2 && o.Args[2].Str == "ro" {
			c.restrict(c.source(0), unix.MOUNT_ATTR_RDONLY, 0)
		}
	case SysMoveMount:
		c.moves(c.source(0))
		if o.Allow.Len() > 0 && o.Out == NoReg {
			c.errorf("may fail without a word, and nothing is mounted in its place")
		}
	}
	if o.Call == SysMoveMount || o.Call == Fail || o.Call == SysExitGroup {
		c.answer()
	}
}

// change is one mount_setattr, or the like, of the mount behind a definition.
type change struct {
	next     int32 // of the same definition
	guard    fact
	set, clr uint8
}

// restrict notes a change of attributes for every definition that the descriptor may come from.
func (c *checker) restrict(v int32, set, clr uint8) {
	for v != 0 {
		d := &c.defs[v]
		if !c.fails(d.guard, &c.facts) {
			c.changes = append(c.changes, change{guard: c.guard, set: set, clr: clr})
			if n := int32(len(c.changes)); d.firstChange == 0 {
				d.firstChange, d.lastChange = n, n
			} else {
				c.changes[d.lastChange-1].next, d.lastChange = n, n
			}
		}
		if c.holds(d.guard, &c.facts) {
			return
		}
		v = d.prev
	}
}

// attributes are the restrictions of the mount behind definition v where fs are known: those that
// it certainly has, and those that it may have.
func (c *checker) attributes(v int32, fs *facts) (least, most uint8) {
	least, most = c.defs[v].min, c.defs[v].max
	for i := c.defs[v].firstChange; i != 0; i = c.changes[i-1].next {
		ch := &c.changes[i-1]
		switch {
		case c.holds(ch.guard, fs):
			least, most = least&^ch.clr|ch.set, most&^ch.clr|ch.set
		case !c.fails(ch.guard, fs):
			least, most = least&^ch.clr, most|ch.set
		}
	}
	return least, most
}

// moves notes a move_mount of the tree in definition v and compares it with those that it stands in
// for.
func (c *checker) moves(v int32) {
	known := c.facts
	for v != 0 {
		d := &c.defs[v]
		// A definition that says that there is none is no tree.
		if d.result&vOK != 0 && !c.fails(d.guard, &known) {
			m := mounted{facts: known, step: c.step, at: c.at}
			c.assume(&m.facts, d.guard)
			c.assume(&m.facts, fact{v, vOK})
			if m.facts.n > 0 {
				m.min, m.max = c.attributes(v, &m.facts)
				c.compare(&m)
				c.mounts = append(c.mounts, m)
			}
		}
		if c.last(d, &known) {
			return
		}
		c.assume(&known, d.guard.not())
		v = d.prev
	}
}

// compare holds m against what it stands in for: a move_mount that failed, and mounts that need the
// success of an op whose failure m needs. Those may also come later: then m is what they have to be
// held against.
func (c *checker) compare(m *mounted) {
	for i, f := range m.facts.f[:m.facts.n] {
		d := &c.defs[f.def]
		if f.vals&vOK == 0 && d.move {
			c.weaker(d.max, m)
		}
		for n := d.mounts; n != 0; {
			other := &c.mounts[n-1]
			k := 0
			for other.facts.f[k].def != f.def {
				k++
			}
			switch g := other.facts.f[k]; {
			case f.vals&vOK == 0 && g.vals == vOK && !d.noDirectory(f.vals):
				c.weaker(other.max, m)
			case f.vals == vOK && g.vals&vOK == 0 && !d.noDirectory(g.vals):
				c.weaker(m.max, other)
			}
			n = other.next[k]
		}
		m.next[i], d.mounts = d.mounts, int32(len(c.mounts)+1)
	}
}

// noDirectory reports whether a register with one of vals says that there is no directory: what is
// mounted then does not stand in for what would be mounted on one. A register that nothing was
// written to says nothing.
func (d *def) noDirectory(v vals) bool { return d.isDir && v&d.state()&vUnset == 0 }

func (c *checker) weaker(than uint8, m *mounted) {
	if missing := than &^ m.min; missing != 0 {
		step, at := c.step, c.at
		c.step, c.at = m.step, m.at
		c.errorf("mounts without %s in place of something that has it", strings.ReplaceAll(attrText(uint64(missing)), "|", ","))
		c.step, c.at = step, at
	}
}

// noteMount gives the definition just made the attributes of the mount behind it, which the op made
// from definition from.
func (c *checker) noteMount(from int32) {
	o := c.op
	v := int32(len(c.defs) - 1)
	d := &c.defs[v]
	switch o.Call {
	case SysOpenat2:
		d.isDir = o.Allow.Has(unix.ENOTDIR) && o.word(2, 0)&unix.O_DIRECTORY != 0
		for i := range o.Allow.Len() {
			d.isDir = d.isDir && (o.Allow.At(i) == unix.ENOTDIR || o.Allow.At(i) == unix.ENOENT)
		}
	case SysFsmount:
		attr := uint8(o.int(2) & restricting)
		d.min, d.max = c.attributes(from, &c.facts)
		d.min, d.max = d.min|attr, d.max|attr
	case SysOpenTree:
		if len(o.Args) > 1 && o.Args[1].Kind == KindStr && o.Args[1].Str == "" {
			d.min, d.max = c.attributes(from, &c.facts)
		}
	case Set:
		d.min, d.max = c.attributes(from, &c.facts)
	case SysMoveMount:
		d.move = true
		_, d.max = c.attributes(from, &c.facts)
		if o.Allow.Len() > 0 {
			c.pending = append(c.pending, pending{v, c.step, c.at})
		}
	}
}

// answer notes that the current op is there for the case that an earlier move_mount failed.
func (c *checker) answer() {
	for _, f := range c.facts.f[:c.facts.n] {
		if f.vals&vOK != 0 {
			continue
		}
		c.defs[f.def].answered = true
	}
}

func (c *checker) unanswered() {
	for _, p := range c.pending {
		if !c.defs[p.def].answered {
			c.step, c.at = p.step, p.at
			c.errorf("may fail, and nothing is mounted in its place")
		}
	}
	c.step, c.at = -1, -1
}
