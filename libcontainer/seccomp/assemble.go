package seccomp

import "github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"

// A dest is where a jump goes: an instruction that has been emitted (its index, 0 or more) or a
// target (^index, below 0), which is emitted when first needed.
type dest int32

// A target is a verdict, or the argument checks of a decision, compiled for one width of arguments.
type target struct {
	verdict  uint32
	decision uint16 // 0 for a verdict
	wide     bool
	at       dest // the latest emitted instruction that leads there, -1 when there is none
}

// An assembler builds a filter from its end to its start. The kernel knows forward jumps only, so
// whatever an instruction jumps to has been emitted before it, and its distance is known.
type assembler struct {
	policy  *policy
	code    []bpf.Instruction // last instruction first
	targets []target
	marks   []mark

	// Scratch space, kept between uses.
	runs    []run
	blocks  []block
	singles []single
}

func newAssembler(p *policy) *assembler {
	return &assembler{
		policy: p, code: make([]bpf.Instruction, 0, 320), targets: make([]target, 0, 16),
		runs: make([]run, 0, 160), blocks: make([]block, 0, 96), singles: make([]single, 0, 64),
	}
}

// A mark says what an instruction begins: the checks of a decision, or else the part of an
// architecture.
type mark struct {
	at       dest
	decision uint16
	wide     bool
	audit    uint32
}

// Conditional jumps reach 255 instructions; the margin is for the long jumps that emitting a jump's
// other side may add.
const reach = 255 - 3

func (a *assembler) verdict(v uint32) dest {
	return a.target(target{verdict: v, at: -1})
}

func (a *assembler) target(t target) dest {
	for i := range a.targets {
		if have := &a.targets[i]; have.verdict == t.verdict && have.decision == t.decision && have.wide == t.wide {
			return ^dest(i)
		}
	}
	a.targets = append(a.targets, t)
	return ^dest(len(a.targets) - 1)
}

func (a *assembler) emit(in bpf.Instruction) dest {
	a.code = append(a.code, in)
	return dest(len(a.code) - 1)
}

func (a *assembler) distance(at dest) int { return len(a.code) - 1 - int(at) }

// near returns an emitted instruction that leads to d and is close enough for a conditional jump,
// emitting what is missing: the target itself, a copy of a return, or a long jump.
func (a *assembler) near(d dest) dest {
	if d >= 0 {
		if a.distance(d) > reach {
			d = a.emit(bpf.Instruction{Op: bpf.Jump, K: uint32(a.distance(d))})
		}
		return d
	}
	t := &a.targets[^d]
	switch {
	case t.at >= 0 && a.distance(t.at) <= reach:
	case t.decision == 0:
		t.at = a.emit(bpf.Instruction{Op: bpf.Return, K: t.verdict})
	case t.at >= 0:
		t.at = a.emit(bpf.Instruction{Op: bpf.Jump, K: uint32(a.distance(t.at))})
	default:
		at := a.near(a.checks(t.decision, t.wide))
		a.targets[^d].at = at // checks may have moved the targets
		return at
	}
	return t.at
}

// branch emits a conditional jump and returns it; when both sides are the same there is nothing to
// decide.
func (a *assembler) branch(op bpf.Op, k uint32, yes, no dest) dest {
	if yes == no {
		return yes
	}
	t, f := a.near(yes), a.near(no)
	if a.distance(t) > 255 { // no's checks were emitted in between
		t = a.near(yes)
	}
	return a.emit(bpf.Instruction{Op: op, True: uint8(a.distance(t)), False: uint8(a.distance(f)), K: k})
}

// before emits an instruction that is followed by next.
func (a *assembler) before(in bpf.Instruction, next dest) dest {
	if at := a.near(next); a.distance(at) != 0 {
		a.emit(bpf.Instruction{Op: bpf.Jump, K: uint32(a.distance(at))})
	}
	return a.emit(in)
}

func (a *assembler) load(offset uint32, next dest) dest {
	return a.before(bpf.Instruction{Op: bpf.LoadAbs, K: offset}, next)
}

// finish returns the program in the order of execution.
func (a *assembler) finish() []bpf.Instruction {
	for i, j := 0, len(a.code)-1; i < j; i, j = i+1, j-1 {
		a.code[i], a.code[j] = a.code[j], a.code[i]
	}
	last := dest(len(a.code) - 1)
	for i := range a.marks {
		a.marks[i].at = last - a.marks[i].at
	}
	return a.code
}

// A run says that values from start up to the next run's start lead to the same place.
type run struct {
	start  uint32
	to     dest
	weight uint32
}

// A block is a run with exceptions inside it, single values that lead elsewhere: they cost one
// comparison where a run of their own would cost two.
type block struct {
	run
	from, end int32 // in singles
}

type single struct {
	value uint32
	to    dest
}

// chain is the number of exceptions that are tested one after the other before it pays to halve
// them.
const chain = 2

// search emits the decision on the word in the accumulator. The first run starts at the smallest
// possible value.
func (a *assembler) search(runs []run) dest {
	blocks, singles := len(a.blocks), len(a.singles)
	for i := 0; i < len(runs); i++ {
		b := block{runs[i], int32(len(a.singles)), int32(len(a.singles))}
		for i+2 < len(runs) && runs[i+2].start-runs[i+1].start == 1 && runs[i+2].to == b.to {
			a.singles = append(a.singles, single{runs[i+1].start, runs[i+1].to})
			b.weight += runs[i+1].weight + runs[i+2].weight
			b.end++
			i += 2
		}
		a.blocks = append(a.blocks, b)
	}
	d := a.tree(a.blocks[blocks:])
	a.blocks, a.singles = a.blocks[:blocks], a.singles[:singles]
	return d
}

// tree halves the blocks by weight until one is left. All system calls weigh the same: the common
// ones never run the filter, since the kernel notes when it loads a filter which numbers are
// allowed whatever their arguments (seccomp_cache_prepare, Linux 5.11). It tries every number for
// that, so the mean over all is the time that loading takes. It gives up at operations other than
// those that package bpf has names for, so clever ones, like looking a bit up in a word, would slow
// every call down.
func (a *assembler) tree(blocks []block) dest {
	if len(blocks) == 1 {
		return a.block(blocks[0])
	}
	var total, sum uint32
	for i := range blocks {
		total += blocks[i].weight
	}
	mid := 1
	sum = blocks[0].weight
	for ; mid < len(blocks)-1; mid++ {
		// One more block on the left as long as that brings both sides closer.
		if w := blocks[mid].weight; 2*sum+w > total {
			break
		}
		sum += blocks[mid].weight
	}
	right := a.tree(blocks[mid:])
	left := a.tree(blocks[:mid])
	return a.branch(bpf.JumpGe, blocks[mid].start, right, left)
}

func (a *assembler) block(b block) dest {
	if n := b.end - b.from; n > chain {
		left, right := b, b
		left.end, right.from = b.from+n/2, b.from+n/2
		high := a.block(right)
		low := a.block(left)
		return a.branch(bpf.JumpGe, a.singles[right.from].value, high, low)
	}
	d := b.to
	for i := b.end - 1; i >= b.from; i-- {
		d = a.branch(bpf.JumpEq, a.singles[i].value, a.singles[i].to, d)
	}
	return d
}
