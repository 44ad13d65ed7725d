package plan

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"
)

// Kernel answers the system calls of a plan that [Interp] runs. The result counts when errno is 0.
type Kernel interface {
	Call(o *Op, args []Value) (result uint64, errno unix.Errno)
}

// Value is an argument as the kernel gets it.
type Value struct {
	Word uint64 // the integer, the register's value, the descriptor or the address
	// what lies at the address, to the end of the init's memory; nil for other arguments
	Mem  []byte
	Text string // as Print shows it
}

// String is the NUL-terminated string at the value's address.
func (v Value) String() string {
	s, _, _ := bytes.Cut(v.Mem, []byte{0})
	return string(s)
}

// End is how a plan came to its end.
type End uint8

const (
	EndFailed   End = iota // an op failed: Op, Errno
	EndExited              // exit_group: Status
	EndExecuted            // execve succeeded
)

// Outcome is what is left of a plan that has been run.
type Outcome struct {
	End    End
	Op     int // index of the op that was begun last
	Errno  unix.Errno
	Status int
	Page   []byte // the page shared with the host
	Regs   [256]int64
}

// Interp runs p the way the init image does, with k in the kernel's place. fds are the descriptor
// numbers of p.Files. After a Spawn it follows the child. An error means that no machine could run
// the plan: it leaves the table of ops, or its memory.
func Interp(p *Plan, fds []int, k Kernel) (*Outcome, error) {
	if len(fds) == 0 || len(fds) != len(p.Files) {
		return nil, fmt.Errorf("%d descriptors for %d files", len(fds), len(p.Files))
	}
	m := &machine{p: p, fds: fds, k: k, names: p.regNames(), at: make(map[*Arg]uint64)}
	for i := range m.regs {
		m.regs[i] = Unset
	}
	m.regs[Report] = int64(fds[0])
	m.layout()
	end, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("op %d: %w", m.index, err)
	}
	return &Outcome{End: end, Op: m.index, Errno: m.errno, Status: m.status, Page: m.mem[:m.page:m.page], Regs: m.regs}, nil
}

// machine is an init image in Go.
type machine struct {
	p     *Plan
	fds   []int
	k     Kernel
	names regNames

	regs [256]int64
	mem  []byte
	page int             // size of the page at its start
	at   map[*Arg]uint64 // addresses of strings and structures
	bufs []uint64        // addresses of buffers

	index  int
	errno  unix.Errno
	status int
}

// memBase is where the machine's memory begins. Addresses differ from the image's, plans can't
// tell.
const memBase = 0x10000000

// layout places the page, the buffers and all constants.
func (m *machine) layout() {
	m.page = max(m.p.PageLen, PageSize)
	m.mem = make([]byte, m.page)
	for i := range m.p.Bufs {
		b := &m.p.Bufs[i]
		data := b.Data
		if b.Vec != nil {
			data = make([]byte, b.size())
		}
		m.bufs = append(m.bufs, m.place(data))
		for j := range b.Vec {
			m.constant(&b.Vec[j])
		}
		for j := range b.Ptrs {
			m.constant(&b.Ptrs[j].To)
		}
	}
	for i := range m.p.Steps {
		for j := range m.p.Steps[i].Ops {
			args := m.p.Steps[i].Ops[j].Args
			for k := range args {
				m.constant(&args[k])
			}
		}
	}
	for i := range m.p.Bufs {
		b := &m.p.Bufs[i]
		for j := range b.Vec {
			m.pointer(m.bufs[i]+uint64(8*j), &b.Vec[j])
		}
		for j := range b.Ptrs {
			m.pointer(m.bufs[i]+uint64(b.Ptrs[j].Off), &b.Ptrs[j].To)
		}
	}
}

func (m *machine) constant(a *Arg) {
	switch a.Kind {
	case KindStr:
		m.at[a] = m.place(append([]byte(a.Str), 0))
	case KindBytes:
		m.at[a] = m.place([]byte(a.Data()))
	}
}

func (m *machine) place(data []byte) uint64 {
	m.mem = append(m.mem, make([]byte, -len(m.mem)&7)...)
	at := memBase + uint64(len(m.mem))
	m.mem = append(m.mem, data...)
	return at
}

func (m *machine) pointer(at uint64, to *Arg) { native.PutUint64(m.mem[at-memBase:], m.word(to)) }

// word is the 64-bit word for an argument.
func (m *machine) word(a *Arg) uint64 {
	switch a.Kind {
	case KindReg:
		return uint64(m.regs[uint8(a.Int)])
	case KindStr, KindBytes:
		return m.at[a]
	case KindBuf:
		return m.bufs[a.Buf] + a.Int
	case KindPage:
		return memBase + a.Int
	case KindFile:
		return uint64(m.fds[a.Int])
	}
	return a.Int
}

// memory is n bytes at an address.
func (m *machine) memory(at uint64, n int) ([]byte, error) {
	off := at - memBase
	if off > uint64(len(m.mem)) || uint64(len(m.mem))-off < uint64(n) {
		return nil, fmt.Errorf("address %#x is outside of the init's memory", at)
	}
	return m.mem[off:], nil
}

func (m *machine) run() (End, error) {
	for i := range m.p.Steps {
		for j := range m.p.Steps[i].Ops {
			o := &m.p.Steps[i].Ops[j]
			native.PutUint32(m.mem[PageOp:], uint32(m.index))
			if m.skips(o.If) {
				m.index++
				continue
			}
			done, end, err := m.op(o)
			if done || err != nil {
				return end, err
			}
			m.index++
		}
	}
	return EndFailed, fmt.Errorf("the plan has no end")
}

func (m *machine) skips(c Cond) bool {
	v := m.regs[c.Reg]
	switch c.Is {
	case OK:
		return v < 0
	case Failed:
		return v >= 0 || v < -4095
	case NotOK:
		return v >= 0
	}
	return false
}

// op carries out one op. done means that the init is gone.
func (m *machine) op(o *Op) (done bool, end End, err error) {
	var words [6]uint64
	for i := range o.Args {
		words[i] = m.word(&o.Args[i])
	}
	result, errno := uint64(0), unix.Errno(0)
	if o.Call.IsPseudo() {
		if result, errno, err = m.pseudo(o.Call, words); err != nil {
			return false, 0, err
		}
	} else {
		result, errno = m.call(o, words[:len(o.Args)])
		for n := o.Retry; n > 0 && (errno == unix.EAGAIN || errno == unix.EINTR || errno == unix.EXDEV); n-- {
			result, errno = m.call(o, words[:len(o.Args)])
		}
		switch {
		case errno == 0 && o.Call == SysExecve:
			return true, EndExecuted, nil
		case o.Call == SysExitGroup:
			m.status = int(words[0] & 0xff)
			return true, EndExited, nil
		case errno == 0 && o.Call == Spawn:
			// The parent ends, the child goes on with 0; the kernel has written its pid.
			native.PutUint32(m.mem[o.PidAt():], uint32(result))
			result = 0
		}
		if errno == 0 && o.HasWant && result != uint64(o.Want) {
			return true, m.fail(unix.EPROTO), nil
		}
	}
	if errno != 0 {
		if !o.Allow.Has(errno) {
			return true, m.fail(errno), nil
		}
		result = uint64(-int64(errno))
	}
	if o.Out != NoReg {
		m.regs[o.Out] = int64(result)
		m.names.write(o)
	}
	return false, 0, nil
}

func (m *machine) call(o *Op, words []uint64) (uint64, unix.Errno) {
	args := make([]Value, len(words))
	for i, w := range words {
		a := &o.Args[i]
		args[i] = Value{Word: w, Text: m.p.argText(m.names, a)}
		if a.Kind == KindStr || a.Kind == KindBytes || a.Kind == KindBuf || a.Kind == KindPage {
			args[i].Mem, _ = m.memory(w, 0)
		}
	}
	return m.k.Call(o, args)
}

func (m *machine) pseudo(c Call, w [6]uint64) (uint64, unix.Errno, error) {
	switch c {
	case Set:
		return w[0], 0, nil
	case Fail:
		return 0, unix.Errno(w[0]), nil
	}
	size := 8
	if c == Load32 || c == Store32 {
		size = 4
	}
	b, err := m.memory(w[0], size)
	if err != nil {
		return 0, 0, err
	}
	switch c {
	case Load32:
		return uint64(int32(native.Uint32(b))), 0, nil
	case Load64:
		return native.Uint64(b), 0, nil
	case Store32:
		native.PutUint32(b, uint32(w[1]))
	case Store64:
		native.PutUint64(b, w[1])
	case Assert:
		if native.Uint64(b)&w[1] != w[2] {
			return 0, unix.Errno(w[3]), nil
		}
	}
	return 0, 0, nil
}

// fail writes the errno where the host sees it and reports {op, errno}.
func (m *machine) fail(errno unix.Errno) End {
	m.errno, m.status = errno, 255
	native.PutUint32(m.mem[PageErrno:], uint32(errno))
	if m.regs[Report] >= 0 {
		report := Sendto(Val(Report), Page(0), 8)
		m.call(&report, []uint64{uint64(m.regs[Report]), memBase, 8, unix.MSG_NOSIGNAL, 0, 0})
	}
	return EndFailed
}
