package initimage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ociruntime/ociruntime/libcontainer/kernel"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// ErrUnsupported is returned on an architecture whose op loop has not been written.
var ErrUnsupported = errors.New("this architecture has no init image yet (amd64 and arm64 have)")

// base is the address of the file's first byte, if it were mapped in one piece with its data
// segment.
const base = kernel.RegsAddr - kernel.DataOffset

// linker lays out the data segment.
type linker struct {
	p       *plan.Plan
	handler uint64 // address of the code behind the op loop
	fds     []int
	out     []byte         // the file
	strings map[string]int // where in out each string is
	bufs    []uint64       // address of each buffer
}

// segments builds the image of p, with room for what comes before the data segment. fds[i] is the
// descriptor number of p.Files[i].
func segments(p *plan.Plan, fds []int, handler uint64) ([]byte, error) {
	if len(fds) == 0 || len(fds) != len(p.Files) {
		return nil, fmt.Errorf("%d descriptors for %d files", len(fds), len(p.Files))
	}
	l := &linker{p: p, handler: handler, fds: fds, strings: make(map[string]int, 64)}
	table := kernel.OpsAddr - base + p.OpCount()*kernel.OpSize
	l.out = make([]byte, table, table+24<<10)
	regs := l.out[kernel.RegsAddr-base : kernel.OpsAddr-base]
	unset := int64(plan.Unset)
	for i := 0; i+8 <= len(regs); i += 8 {
		binary.NativeEndian.PutUint64(regs[i:], uint64(unset))
	}
	binary.NativeEndian.PutUint64(regs, uint64(fds[0]))
	if err := l.placeBufs(); err != nil {
		return nil, err
	}
	at := kernel.OpsAddr - base
	for i := range p.Steps {
		for j := range p.Steps[i].Ops {
			if err := l.op(at, &p.Steps[i].Ops[j]); err != nil {
				return nil, fmt.Errorf("step %d (%s): %w", i, p.Steps[i].What, err)
			}
			at += kernel.OpSize
		}
	}
	return l.out, nil
}

// placeBufs reserves the buffers first, so that pointers between them can go both ways, and then
// fills in their pointers.
func (l *linker) placeBufs() error {
	l.bufs = make([]uint64, len(l.p.Bufs))
	for i := range l.p.Bufs {
		b := &l.p.Bufs[i]
		if b.Vec != nil {
			l.bufs[i] = place(l, make([]byte, 8*(len(b.Vec)+1)))
		} else {
			l.bufs[i] = place(l, b.Data)
		}
	}
	for i := range l.p.Bufs {
		b := &l.p.Bufs[i]
		for j, item := range b.Vec {
			if err := l.pointer(l.bufs[i]+uint64(8*j), item); err != nil {
				return err
			}
		}
		for _, ptr := range b.Ptrs {
			if err := l.pointer(l.bufs[i]+uint64(ptr.Off), ptr.To); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *linker) pointer(at uint64, to plan.Arg) error {
	v, err := l.arg(to)
	if err != nil {
		return err
	}
	binary.NativeEndian.PutUint64(l.out[at-base:], v)
	return nil
}

// place appends data, aligned to 8 bytes, and returns its address.
func place[T []byte | string](l *linker, data T) uint64 {
	for len(l.out)%8 != 0 {
		l.out = append(l.out, 0)
	}
	at := len(l.out)
	l.out = append(l.out, data...)
	return base + uint64(at)
}

// str places a NUL-terminated string once.
func (l *linker) str(s string) uint64 {
	if at, ok := l.strings[s]; ok {
		return base + uint64(at)
	}
	at := len(l.out)
	l.strings[s] = at
	l.out = append(append(l.out, s...), 0)
	return base + uint64(at)
}

// arg is the 64-bit word for an argument; for a register, its index.
func (l *linker) arg(a plan.Arg) (uint64, error) {
	switch a.Kind {
	case plan.KindInt, plan.KindReg:
		return a.Int, nil
	case plan.KindStr:
		return l.str(a.Str), nil
	case plan.KindBytes:
		return place(l, a.Data()), nil
	case plan.KindBuf:
		if int(a.Buf) >= len(l.bufs) {
			return 0, fmt.Errorf("buffer %d does not exist", a.Buf)
		}
		return l.bufs[a.Buf] + a.Int, nil
	case plan.KindPage:
		if a.Int >= plan.PageSize {
			return kernel.MoreAddr + a.Int, nil
		}
		return kernel.PageAddr + a.Int, nil
	case plan.KindHandler:
		return l.handler, nil
	case plan.KindFile:
		if a.Int >= uint64(len(l.fds)) {
			return 0, fmt.Errorf("file %d does not exist", a.Int)
		}
		return uint64(l.fds[a.Int]), nil
	}
	return 0, fmt.Errorf("argument kind %d does not exist", a.Kind)
}

// op writes the table entry; its layout is documented at kernel.OpSize.
func (l *linker) op(at int, o *plan.Op) error {
	if len(o.Args) > 6 || !o.Allow.Fits() {
		return fmt.Errorf("%s has %d arguments, or too many allowed errnos; there is room for 6 and %d", o.Call, len(o.Args), plan.MaxErrnos)
	}
	kind, number, err := encodeCall(o)
	if err != nil {
		return err
	}
	var args [6]uint64
	var regs byte
	for i, a := range o.Args {
		// Placing an argument may move l.out: the entry is written afterwards.
		if args[i], err = l.arg(a); err != nil {
			return err
		}
		if a.Kind == plan.KindReg {
			regs |= 1 << i
		}
	}
	e := l.out[at : at+kernel.OpSize]
	native := binary.NativeEndian
	native.PutUint16(e[0:], kind)
	native.PutUint16(e[2:], number)
	e[4], e[5], e[6], e[7], e[8] = regs, byte(o.Out), byte(o.If.Reg), byte(o.If.Is), o.Retry
	if o.HasWant {
		e[9] = 1
		native.PutUint32(e[20:], o.Want)
	}
	for i := range o.Allow.Len() {
		native.PutUint16(e[10+2*i:], uint16(o.Allow.At(i)))
	}
	for i, v := range args {
		native.PutUint64(e[24+8*i:], v)
	}
	return nil
}

// encodeCall gives the kind of an op and the number of its system call.
func encodeCall(o *plan.Op) (kind, number uint16, err error) {
	c := o.Call
	switch {
	case c.IsPseudo():
		return uint16(c) + 1, 0, nil
	case o.Joins():
		return 8, cloneNumber, nil
	case c == plan.Spawn:
		kind = 8
	case c == plan.SysNone:
		return 0, 0xffff, nil
	}
	n, ok := syscallNumber(c)
	if !ok {
		return 0, 0, fmt.Errorf("%s has no number on this architecture", c)
	}
	return kind, n, nil
}
