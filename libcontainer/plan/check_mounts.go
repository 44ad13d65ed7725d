package plan

import (
	"strings"

	"golang.org/x/sys/unix"
)

// What is mounted in place of something that failed must be at least as strict as that (CVE-2023-25809). For every move_mount with a
// condition the checker keeps the facts under which it happens and the restrictions of its tree; two of which one needs
// success and the other failure of the same op are a mount and its fallback.

const restricting = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// mounted is a move_mount of one definition of its tree.
type mounted struct {
	facts    facts
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
		if set != 0 && len(o.Allow) > 0 {
			c.errorf("restricts a mount, but is allowed to fail")
		}
		c.restrict(c.source(0), set, clr)
	case SysFsconfig:
		if o.int(1) == unix.FSCONFIG_SET_FLAG && len(o.Args) > 2 && o.Args[2].Str == "ro" {
			c.restrict(c.source(0), unix.MOUNT_ATTR_RDONLY, 0)
		}
	case SysMoveMount:
		c.moves(c.source(0))
		if len(o.Allow) > 0 && o.Out == NoReg {
			c.errorf("may fail without a word, and nothing is mounted in its place")
		}
	}
	if o.Call == SysMoveMount || o.Call == Fail || o.Call == SysExitGroup {
		c.answer()
	}
}

// change is one mount_setattr, or the like, of the mount behind a definition.
type change struct {
	def      int32
	guard    fact
	set, clr uint8
}

// restrict notes a change of attributes for every definition that the descriptor may come from.
func (c *checker) restrict(v int32, set, clr uint8) {
	for v != 0 {
		d := &c.defs[v]
		if !c.fails(d.guard, &c.facts) {
			c.changes = append(c.changes, change{v, c.guard, set, clr})
		}
		if c.holds(d.guard, &c.facts) {
			return
		}
		v = d.prev
	}
}

// attributes are the restrictions of the mount behind definition v where fs are known: those that it certainly has, and those that
// it may have.
func (c *checker) attributes(v int32, fs *facts) (least, most uint8) {
	least, most = c.defs[v].min, c.defs[v].max
	for i := range c.changes {
		ch := &c.changes[i]
		switch {
		case ch.def != v:
		case c.holds(ch.guard, fs):
			least, most = least&^ch.clr|ch.set, most&^ch.clr|ch.set
		case !c.fails(ch.guard, fs):
			least, most = least&^ch.clr, most|ch.set
		}
	}
	return least, most
}

// moves notes a move_mount of the tree in definition v and compares it with those that it stands in for.
func (c *checker) moves(v int32) {
	known := c.facts
	for v != 0 {
		d := &c.defs[v]
		if !c.fails(d.guard, &known) {
			m := mounted{facts: known, step: c.step, at: c.at}
			c.assume(&m.facts, d.guard)
			c.assume(&m.facts, fact{v, vOK})
			if m.facts.n > 0 {
				m.min, m.max = c.attributes(v, &m.facts)
				for i := range c.mounts {
					c.compare(&c.mounts[i], &m)
					c.compare(&m, &c.mounts[i])
				}
				c.standsIn(&m)
				c.mounts = append(c.mounts, m)
			}
		}
		if c.holds(d.guard, &known) {
			return
		}
		c.assume(&known, d.guard.not())
		v = d.prev
	}
}

// compare checks a and b if b happens where an op failed on whose success a depends.
func (c *checker) compare(a, b *mounted) {
	for _, failed := range b.facts.f[:b.facts.n] {
		if failed.vals&vOK != 0 {
			continue
		}
		for _, ok := range a.facts.f[:a.facts.n] {
			if ok.def == failed.def && ok.vals == vOK {
				c.weaker(a.max, b)
				return
			}
		}
	}
}

// standsIn checks a mount that happens because another move_mount failed.
func (c *checker) standsIn(m *mounted) {
	for _, f := range m.facts.f[:m.facts.n] {
		if d := &c.defs[f.def]; f.vals&vOK == 0 && d.op != nil && d.op.Call == SysMoveMount {
			c.weaker(d.max, m)
		}
	}
}

func (c *checker) weaker(than uint8, m *mounted) {
	if missing := than &^ m.min; missing != 0 {
		step, at := c.step, c.at
		c.step, c.at = m.step, m.at
		c.errorf("mounts without %s in place of something that has it", strings.ReplaceAll(AttrText(uint64(missing)), "|", ","))
		c.step, c.at = step, at
	}
}

// noteMount gives the definition just made the attributes of the mount behind it, which the op made from definition from.
func (c *checker) noteMount(from int32) {
	o := c.op
	v := int32(len(c.defs) - 1)
	d := &c.defs[v]
	switch o.Call {
	case SysFsmount:
		attr := uint8(o.int(2) & restricting)
		d.min, d.max = c.attributes(from, &c.facts)
		d.min, d.max = d.min|attr, d.max|attr
	case Set:
		d.min, d.max = c.attributes(from, &c.facts)
	case SysMoveMount:
		_, d.max = c.attributes(from, &c.facts)
		if len(o.Allow) > 0 {
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
		for i := range c.pending {
			if c.pending[i].def == f.def {
				c.pending[i].def = -1
			}
		}
	}
}

func (c *checker) unanswered() {
	for _, p := range c.pending {
		if p.def >= 0 {
			c.step, c.at = p.step, p.at
			c.errorf("may fail, and nothing is mounted in its place")
		}
	}
	c.step, c.at = -1, -1
}
