package plan

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Check proves what can be proved about every path through p, and names all that it can't, each
// with its step and op. It is pure and cheap: every create runs it. What it refuses:
//
//   - a register read before it is written, after a failure that is allowed, or after its
//     descriptor was closed
//   - a path that could lead out of the root filesystem: absolute or relative to the working
//     directory before pivot_root, or resolved through links without RESOLVE_IN_ROOT or
//     RESOLVE_BENEATH
//   - a descriptor that would survive execve without being part of the plan
//   - a capability needed after it was dropped
//   - a mount that may fail without something at least as strict in its place
//   - a descriptor of the host's, or a need for capabilities, in a process that the container's
//     processes see
//   - a joined namespace before the process is undumpable, a new working directory that nobody
//     looks at
//   - a malformed rendezvous, ops behind the end, memory outside of a buffer, operands that the
//     image has no room for
func Check(p *Plan) error {
	c := &checker{p: p, step: -1, capable: capable{effective: ^uint64(0), permitted: ^uint64(0)}}
	c.defs = make([]def, 1, p.writes()+len(p.Files)+1)
	c.defs[0] = def{guard: fact{0, vAll}, result: vUnset}
	if c.header() {
		for i := range p.Steps {
			c.checkStep(i)
		}
		c.end()
	}
	return errors.Join(c.errs...)
}

// writes is the number of ops with a result.
func (p *Plan) writes() int {
	n := 0
	for i := range p.Steps {
		for j := range p.Steps[i].Ops {
			if p.Steps[i].Ops[j].Out != NoReg {
				n++
			}
		}
	}
	return n
}

// checker walks through the ops in order.
type checker struct {
	p    *Plan
	errs []error

	// Where it is: step -1 is the plan itself, op -1 the step itself.
	step, at int
	op       *Op
	guard    fact  // the condition of op
	facts    facts // what follows from it

	// Registers (check_flow.go): defs[0] is the definition that every register starts with, then
	// come those of the files.
	defs []def
	cur  [256]int32

	capable           // check_caps.go
	mounts  []mounted // check_mounts.go
	changes []change
	pending []pending

	pivoted    bool // absolute paths are the container's, the host's are out of reach
	joined     bool // absolute paths are those of a mount namespace that the init has joined
	undumpable bool
	spawned    bool
	visible    bool // the container's processes see the process
	// the definitions before this one hold no descriptor any more but the report socket
	emptied   int
	reported  bool // the report socket is no longer the host's
	asked     bool // the host has been asked, and its answer is still to be taken
	ahead     bool // the last rendezvous was one for which the host had been asked before
	ended     bool
	cwd       cwdState
	inherited int // descriptors from this number on are close-on-exec
}

func (c *checker) errorf(format string, args ...any) {
	var where strings.Builder
	if c.step >= 0 {
		s := &c.p.Steps[c.step]
		fmt.Fprintf(&where, "step %d (%s)", c.step+1, s.What)
		if c.at >= 0 {
			fmt.Fprintf(&where, ", op %d (%s)", c.at+1, s.Ops[c.at].Call)
		}
		where.WriteString(" ")
	}
	c.errs = append(c.errs, fmt.Errorf("plan: %s"+format, append([]any{where.String()}, args...)...))
}

func (c *checker) inRange(r Reg) bool { return int(r) < c.p.Regs }

// name is what the register is called at this place of the printed plan.
func (c *checker) name(r Reg) string {
	names := c.p.regNames()
	for i := 0; i <= c.step; i++ {
		for j := range c.p.Steps[i].Ops {
			if i == c.step && j >= c.at {
				break
			}
			names.write(&c.p.Steps[i].Ops[j])
		}
	}
	return names[r]
}

// header checks the plan as a whole. It returns false when the rest can't be looked at.
func (c *checker) header() bool {
	p := c.p
	if p.Regs < 1 || p.Regs > MaxRegs {
		c.errorf("needs %d registers; the init has %d: too many mounts, devices or masked paths for one container", p.Regs, MaxRegs)
		return false
	}
	if p.Clone&unix.CLONE_NEWUSER != 0 {
		c.errorf("starts the image in a new user namespace, where execve takes its capabilities away")
	}
	if p.Preserve < 0 {
		c.errorf("preserves %d descriptors", p.Preserve)
	}
	c.inherited = 3 + p.Preserve + len(p.Files)
	c.guard = fact{0, vAll}
	c.at = -1
	if len(p.Files) == 0 {
		c.errorf("has no report socket")
		return false
	}
	for i := range p.Files {
		c.file(i)
	}
	c.cur[Report] = c.fileDef(0)
	for i := range p.Bufs {
		c.buf(&p.Bufs[i])
	}
	return true
}

func (c *checker) file(i int) {
	f := &c.p.Files[i]
	if f.Name == "" || strings.IndexByte(f.Path, 0) >= 0 {
		c.errorf("file %q has no name or a NUL in its path", f.Name)
	}
	for j := range i {
		if c.p.Files[j].Name == f.Name {
			c.errorf("two files are called %q", f.Name)
		}
	}
	c.defs = append(c.defs, def{guard: fact{0, vAll}, result: vOK})
}

func (c *checker) checkStep(i int) {
	s := &c.p.Steps[i]
	c.step, c.at = i, -1
	if s.What == "" || s.From == "" {
		c.errorf("does not say what it does, or who asked for it")
	}
	c.rendezvous(i, s)
	for j := range s.Ops {
		c.at, c.op = j, &s.Ops[j]
		if c.ended {
			c.errorf("comes behind the end of the plan")
			return
		}
		c.checkOp()
	}
}

func (c *checker) checkOp() {
	o := c.op
	if o.Call >= Calls {
		c.errorf("is no call")
		return
	}
	if !c.condition() {
		return
	}
	c.shape()
	for i := range o.Args {
		switch a := &o.Args[i]; a.Kind {
		case KindReg:
			c.read(Reg(a.Int))
		case KindFile:
			c.readFile(a.Int)
		default:
			c.arg(a)
		}
	}
	c.memory()
	c.paths()
	c.needs()
	c.mount()
	c.descriptor()
	c.special()
	c.out()
}

// condition turns the op's condition into a guard and facts.
func (c *checker) condition() bool {
	c.guard, c.facts.n = fact{0, vAll}, 0
	o := c.op
	if o.If.Is == Always {
		return true
	}
	if o.If.Is > NotOK || !c.inRange(o.If.Reg) {
		c.errorf("has a condition on %s, which the plan does not have", c.name(o.If.Reg))
		return false
	}
	g := fact{c.cur[o.If.Reg], o.If.Is.vals()}
	if c.defs[g.def].state()&^g.vals == 0 {
		return true // it always holds
	}
	c.guard = g
	c.assume(&c.facts, g)
	if c.defs[g.def].state()&g.vals == 0 {
		c.errorf("has a condition that never holds: %s", condText(c.name(o.If.Reg), o.If.Is))
		return false
	}
	return true
}

// always reports whether the current op runs on every path.
func (c *checker) always() bool { return c.guard.vals == vAll }

// shape checks what the image's table of ops has room for.
func (c *checker) shape() {
	o := c.op
	if len(o.Args) > 6 {
		c.errorf("has %d arguments; there is room for 6", len(o.Args))
	}
	if !o.Allow.Fits() {
		c.errorf("allows more than the %d errnos that there is room for", MaxErrnos)
	}
	info := &callTable[o.Call]
	if least := max(info.paths[0].path, info.paths[1].path, info.nofollow, info.cloexec, info.addr, info.length); len(o.Args) < int(least) {
		c.errorf("has %d arguments; it needs %d", len(o.Args), least)
	}
	for i := range o.Allow.Len() {
		if e := o.Allow.At(i); e < 1 || e > 4095 {
			c.errorf("allows errno %d, which does not exist", int(e))
		}
	}
	if o.Call.IsPseudo() && (o.HasWant || o.Retry > 0) {
		c.errorf("is no system call: it has no wanted result and is never retried")
	}
	if o.Call == Assert && (o.int(3) < 1 || o.int(3) > 4095) || o.Call == Fail && (o.int(0) < 1 || o.int(0) > 4095) {
		c.errorf("fails with an errno that does not exist")
	}
	if o.Allow.Len() > 0 && info.strict {
		c.errorf("is allowed to fail, but what follows relies on it")
	}
}

// out checks the result register and notes what it holds from now on.
func (c *checker) out() {
	o := c.op
	if o.Out == NoReg {
		return
	}
	switch {
	case !c.inRange(o.Out):
		c.errorf("writes %s, which the plan does not have", c.name(o.Out))
		return
	case o.Out == Report && (o.Call != SysAccept4 && o.Call != Set || o.Allow.Len() > 0 || !c.always()):
		c.errorf("writes the report register, which only an unconditional set or accept4 may do")
	case o.Out == Report:
		c.reported = true
	}
	result := vOK
	switch o.Call {
	case Load32, Load64:
		result = vWord
	case Set:
		if len(o.Args) > 0 && o.Args[0].Kind == KindInt {
			result = valsOf(o.Args[0].Int)
		} else if c.defs[c.source(0)].state()&(vMinus|vLow) != 0 {
			result = vWord
		}
	case Fail:
		result = vFailed
	default:
		if o.Allow.Len() > 0 {
			result |= vFailed
		}
	}
	from := c.source(0) // before the result takes its register
	c.define(o.Out, result)
	c.noteMount(from)
}

func valsOf(n uint64) vals {
	switch v := int64(n); {
	case v >= 0:
		return vOK
	case v >= -4095:
		return vFailed
	}
	return vUnset
}

// end checks how the plan ends, and what can only be known there.
func (c *checker) end() {
	c.step, c.at = -1, -1
	c.survivors()
	if !c.ended {
		c.errorf("does not end: its last op must be an execve or an exit that nothing can keep it from")
	}
	if c.cwd != cwdKnown {
		c.errorf("changes into a directory without asking where that is: getcwd and an assertion must follow (CVE-2024-21626)")
	}
	c.unanswered()
	if c.asked {
		c.errorf("asks the host, and does not take its answer")
	}
}
