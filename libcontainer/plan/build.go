package plan

import (
	"golang.org/x/sys/unix"
)

// Builder puts a plan together, step by step.
type Builder struct {
	Plan  Plan
	Group Group // the group of the steps that follow

	answers Arg // the buffer for the host's answers
	page    Arg // the file that is shared with the host
}

// NewBuilder returns a builder whose plan has the report socket as its first file.
func NewBuilder() *Builder {
	b := &Builder{Group: Namespaces}
	b.Plan.Regs = 1
	b.Plan.Steps = make([]Step, 0, 96) // what an ordinary container takes
	b.Plan.Files = []File{{Name: "sync", From: "default"}}
	return b
}

// Reg takes a new register.
func (b *Builder) Reg() Reg {
	r := b.Plan.Regs
	b.Plan.Regs++
	if r >= MaxRegs {
		// Check reports it: too many mounts for one plan is bad input, not a bug.
		return Reg(MaxRegs - 1)
	}
	return Reg(r)
}

// File adds a descriptor that the host opens and returns its number.
func (b *Builder) File(f File) Arg {
	b.Plan.Files = append(b.Plan.Files, f)
	return Arg{Kind: KindFile, Int: uint64(len(b.Plan.Files) - 1)}
}

// Buf adds memory and returns its address.
func (b *Builder) Buf(name string, data []byte, ptrs ...Ptr) Arg {
	b.Plan.Bufs = append(b.Plan.Bufs, Buf{Name: name, Data: data, Ptrs: ptrs})
	return Arg{Kind: KindBuf, Buf: int32(len(b.Plan.Bufs) - 1)}
}

// Vec adds a NULL-terminated array of strings and returns its address.
func (b *Builder) Vec(name string, items []Arg) Arg {
	if items == nil {
		items = []Arg{}
	}
	b.Plan.Bufs = append(b.Plan.Bufs, Buf{Name: name, Vec: items})
	return Arg{Kind: KindBuf, Buf: int32(len(b.Plan.Bufs) - 1)}
}

// Step begins a step of the init; the ops that Do adds go into it.
func (b *Builder) Step(from, what string, ops ...Op) {
	b.Plan.Steps = append(b.Plan.Steps, Step{What: what, From: from, Group: b.Group, Ops: ops})
}

// Do adds ops to the step begun last.
func (b *Builder) Do(ops ...Op) {
	s := &b.Plan.Steps[len(b.Plan.Steps)-1]
	s.Ops = append(s.Ops, ops...)
}

// Host adds a step that the host carries out while the init waits. A run of host steps shares one
// rendezvous: the init sends a byte and waits for one; end of file in its place means that the host
// has died, and ends the init.
func (b *Builder) Host(do HostStep, from, what string) {
	s := Step{What: what, From: from, Group: b.Group, Site: Host, Do: do}
	n := len(b.Plan.Steps)
	s.Begins = n > 0 && b.Plan.Steps[n-1].answersAhead()
	if n == 0 || b.Plan.Steps[n-1].Site != Host || s.Begins {
		s.Ops = []Op{Sendto(Val(Report), ready(), 1).Exactly(1), b.answer()}
	}
	b.Plan.Steps = append(b.Plan.Steps, s)
}

// HostWith is Host at a rendezvous of its own, to which the init brings descriptors.
func (b *Builder) HostWith(do HostStep, from, what string, fds ...Arg) {
	hdr, ctl := b.RightsMessage(string(do), "\x01", len(fds))
	s := Step{What: what, From: from, Group: b.Group, Site: Host, Do: do, Begins: true}
	for i, fd := range fds {
		s.Ops = append(s.Ops, StoreFD(ctl.Off(RightsFD+4*i), fd))
	}
	s.Ops = append(s.Ops, Sendmsg(Val(Report), hdr).Exactly(1), b.answer())
	b.Plan.Steps = append(b.Plan.Steps, s)
}

// HostMaybe is HostWith for one descriptor that the init may not have got.
func (b *Builder) HostMaybe(do HostStep, from, what string, fd Reg) {
	ops := append(b.Ask(string(do), fd), b.answer())
	b.Plan.Steps = append(b.Plan.Steps, Step{What: what, From: from, Group: b.Group, Site: Host, Do: do, Begins: true, Ops: ops})
}

// Ask is the first half of HostMaybe: the host begins, and the init goes on. Answer has to come
// before any other rendezvous.
func (b *Builder) Ask(name string, fd Reg) []Op {
	hdr, ctl := b.RightsMessage(name, "\x01", 1)
	return []Op{
		StoreFD(ctl.Off(RightsFD), Val(fd)).When(fd.OK()),
		Sendmsg(Val(Report), hdr).Exactly(1).When(fd.OK()),
		Sendto(Val(Report), ready(), 1).Exactly(1).When(fd.NotOK()),
	}
}

// Answer is the other half: the step that the host has been asked for, and the init waits for.
func (b *Builder) Answer(do HostStep, from, what string) {
	s := Step{What: what, From: from, Group: b.Group, Site: Host, Do: do, Begins: true, Ops: []Op{b.answer()}}
	b.Plan.Steps = append(b.Plan.Steps, s)
}

func ready() Arg { return Bytes([]byte{1}, "ready") }

// answer waits for the host's byte.
func (b *Builder) answer() Op {
	if b.answers.Kind != KindBuf {
		b.answers = b.Buf("answer", make([]byte, 8))
	}
	return recv(Val(Report), b.answers, 1).Exactly(1).Retrying().Says("the runtime went away while the container was waiting for it")
}

// Into names the register for the result.
func (o Op) Into(r Reg) Op { o.Out = r; return o }

// Allowing names errnos that are fine.
func (o Op) Allowing(e ...unix.Errno) Op {
	for _, errno := range e {
		if n := o.Allow.Len(); n < MaxErrnos {
			o.Allow.list[n] = uint16(min(errno, 0xffff)) // Check refuses what is no errno
		}
		o.Allow.n = min(o.Allow.n, MaxErrnos) + 1
	}
	return o
}

// When makes the op depend on the outcome of an earlier one.
func (o Op) When(c Cond) Op { o.If = c; return o }

// Exactly makes every result other than n an error.
func (o Op) Exactly(n int) Op { o.Want, o.HasWant = uint32(n), true; return o }

// Retrying repeats the op on EAGAIN, EINTR and EXDEV, a bounded number of times.
func (o Op) Retrying() Op { o.Retry = 128; return o }

// OnHost marks an absolute path of the host that is meant as such.
func (o Op) OnHost() Op { o.HostPath = true; return o }

// Says replaces the sentence of the step in the error of this op.
func (o Op) Says(msg string) Op { o.Msg = msg; return o }

// Str is the address of a NUL-terminated string.
func Str(s string) Arg { return Arg{Kind: KindStr, Str: s} }

// Int is an integer; label, if not empty, is printed for it.
func Int(n int64, label string) Arg { return Arg{Kind: KindInt, Int: uint64(n), Str: label} }

// As is an integer that prints in the given way.
func As(n uint64, says Wording) Arg { return Arg{Kind: KindInt, Int: n, Says: says} }

// Num is an integer that prints as itself.
func Num(n int64) Arg { return Arg{Kind: KindInt, Int: uint64(n)} }

// Val is the value of a register.
func Val(r Reg) Arg { return Arg{Kind: KindReg, Int: uint64(r)} }

// Bytes is the address of constant data, printed as label.
func Bytes(data []byte, label string) Arg {
	return Arg{Kind: KindBytes, Int: uint64(len(data)), Str: string(data) + label}
}

// structure is the address of a constant structure that prints in the given way.
func structure(data []byte, says Wording) Arg {
	return Arg{Kind: KindBytes, Int: uint64(len(data)), Str: string(data), Says: says}
}

// Page is the address of a byte of the page shared with the host.
func Page(off int) Arg { return Arg{Kind: KindPage, Int: uint64(off)} }

// Off is the address off bytes behind a, which is in a buffer or in the page.
func (a Arg) Off(off int) Arg { a.Int += uint64(off); return a }

// CWD is AT_FDCWD.
func CWD() Arg { return Int(unix.AT_FDCWD, "cwd") }
