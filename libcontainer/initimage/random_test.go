package initimage

import (
	"fmt"
	"math/rand/v2"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// Random plans of everything that an op can say, made of calls that do no harm and whose outcome is
// known.

const (
	dataRegs = 12   // registers 1 to 12 hold data, the ones behind them addresses
	scratch  = 1024 // part of the page that random ops use
	dump     = 2048 // part of the page where the registers end up
)

type generator struct {
	*rand.Rand
	*plan.Builder
	mem, words plan.Arg
	portable   bool
}

// randomPlan is the plan for a seed. A portable one uses only what qemu's user mode knows, too.
func randomPlan(seed uint64, portable bool) *plan.Plan {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), Builder: plan.NewBuilder(), portable: portable}
	g.Plan.Regs = 1 + dataRegs + 1
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte(g.Uint32())
	}
	g.mem = g.Buf("mem", data)
	g.words = plan.Bytes(data[:64], "words")
	g.Step("default", "share the page", g.MapPage(plan.PageSize))
	g.Step("default", "begin alike everywhere", plan.Umask(0o22),
		plan.Prctl(unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", plan.Num(0)), plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", plan.Num(1)))
	spawn := !portable && g.IntN(4) == 0
	for i := range 3 + g.IntN(5) {
		g.Step("default", fmt.Sprint("part ", i))
		for range g.IntN(12) {
			g.op()
		}
		if spawn && i == 1 {
			g.Do(g.SpawnChild(0, nil).Into(g.reg()))
		}
	}
	g.Step("default", "show all registers")
	for r := 1; r <= dataRegs; r++ {
		g.Do(plan.Sys(plan.Store64, plan.Page(dump+8*r), plan.Val(plan.Reg(r))))
	}
	g.Step("default", "end", plan.Exit(int64(g.IntN(256))))
	return &g.Plan
}

func (g *generator) reg() plan.Reg { return plan.Reg(1 + g.IntN(dataRegs)) }

// value is an integer or what some register holds.
func (g *generator) value() plan.Arg {
	switch g.IntN(4) {
	case 0:
		return plan.Val(g.reg())
	case 1:
		return plan.Num(int64(g.Uint64()))
	}
	return plan.Num(int64(g.IntN(64)) - 8)
}

// address is memory of at least 8 bytes; constants are for reading only.
func (g *generator) address(write bool) plan.Arg {
	switch n := g.IntN(8); {
	case n < 3:
		return plan.Page(scratch + g.IntN(512))
	case n == 3 && !write:
		return g.words.Off(0)
	case n == 4 && !write:
		return plan.Page(plan.PageOp)
	}
	return g.mem.Off(g.IntN(248))
}

// op adds an op, with conditions, permissions and wishes at random.
func (g *generator) op() {
	o := g.call()
	if g.IntN(2) == 0 {
		o = o.When(plan.Cond{Reg: g.reg(), Is: plan.Is(g.IntN(4))})
	}
	if g.IntN(3) > 0 {
		o = o.Into(g.reg())
	}
	errnos := []unix.Errno{unix.EBADF, unix.ENOSYS, unix.EINVAL, unix.ERANGE, unix.EAGAIN, unix.EXDEV, unix.EAFNOSUPPORT, unix.EPERM, unix.EINTR}
	g.Shuffle(len(errnos), func(i, j int) { errnos[i], errnos[j] = errnos[j], errnos[i] })
	errnos = errnos[:g.IntN(6)]
	if g.IntN(20) > 0 {
		// Most plans should get further than their first error.
		errnos = append(expected(&o), errnos...)
	}
	o = o.Allowing(errnos[:min(5, len(errnos))]...)
	if !o.Call.IsPseudo() {
		o.Retry = uint8(g.IntN(3) * g.IntN(100))
		if g.IntN(20) == 0 {
			o = o.Exactly([]int{0, 0o22, 1}[g.IntN(3)])
		}
	}
	g.Do(o)
}

func (g *generator) call() plan.Op {
	e := plan.Num(int64([]unix.Errno{unix.EPERM, unix.EINVAL, unix.EAGAIN, 4095}[g.IntN(4)]))
	switch g.IntN(12) {
	case 0:
		return plan.Sys(plan.Set, g.value())
	case 1:
		return plan.Sys(plan.Load32, g.address(false))
	case 2:
		return plan.Sys(plan.Load64, g.address(false))
	case 3:
		return plan.Sys(plan.Store32, g.address(true), g.value())
	case 4:
		return plan.Sys(plan.Store64, g.address(true), g.value())
	case 5:
		if g.IntN(3) > 0 {
			return plan.Sys(plan.Assert, g.address(false), plan.Num(0), plan.Num(0), e)
		}
		return plan.Sys(plan.Assert, g.address(false), g.value(), g.value(), e)
	case 6:
		return plan.Sys(plan.Fail, e)
	case 7:
		// An address in a register, as plans have it for what the kernel hands out.
		r := plan.Reg(1 + dataRegs)
		g.Do(plan.SetReg(r, g.mem.Off(g.IntN(248))))
		return plan.Sys(plan.Load64, plan.Val(r))
	}
	return g.system()
}

func (g *generator) system() plan.Op {
	switch g.IntN(9) {
	case 0:
		return plan.Sys(plan.SysUmask, g.value())
	case 1:
		return plan.Prctl(unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", g.value())
	case 2:
		return plan.Prctl([]int64{unix.PR_GET_KEEPCAPS, unix.PR_GET_DUMPABLE}[g.IntN(2)], "PR_GET")
	case 3:
		return plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", g.value())
	case 4:
		return plan.Sys(plan.SysGetcwd, g.mem, plan.Num(1))
	case 5:
		return plan.Sys(plan.SysRecvfrom, plan.Val(plan.Report), g.mem, plan.Num(1), plan.Num(unix.MSG_DONTWAIT), plan.Num(0), plan.Num(0))
	case 6:
		return plan.Sys(plan.SysDup3, plan.Num(0), plan.Num(0), plan.Num(0))
	case 7:
		if !g.portable {
			// The way from / to /proc crosses a mount.
			return plan.OpenFile(plan.CWD(), "/proc/self", unix.O_PATH, 0, unix.RESOLVE_NO_XDEV)
		}
		return plan.Sys(plan.SysClose, plan.Num(-1))
	}
	return plan.Sys(plan.SysNone, g.value(), g.value(), g.value(), g.value(), g.value(), g.value())
}

// expected is the errno with which an op of ours fails, if it does.
func expected(o *plan.Op) []unix.Errno {
	switch o.Call {
	case plan.Fail:
		return []unix.Errno{unix.Errno(o.Args[0].Int)}
	case plan.Assert:
		return []unix.Errno{unix.Errno(o.Args[3].Int)}
	case plan.SysGetcwd:
		return []unix.Errno{unix.ERANGE}
	case plan.SysRecvfrom:
		return []unix.Errno{unix.EAGAIN}
	case plan.SysDup3, plan.SysPrctl:
		return []unix.Errno{unix.EINVAL}
	case plan.SysOpenat2:
		return []unix.Errno{unix.EXDEV}
	case plan.SysClose:
		return []unix.Errno{unix.EBADF}
	case plan.SysNone:
		return []unix.Errno{unix.ENOSYS}
	}
	return nil
}

// model answers the calls of random plans as Linux does.
type model struct {
	umask, keepCaps, dumpable uint64
	report                    []byte
}

func (m *model) Call(o *plan.Op, args []plan.Value) (uint64, unix.Errno) {
	switch o.Call {
	case plan.SysUmask:
		old := m.umask
		m.umask = args[0].Word & 0o777
		return old, 0
	case plan.SysPrctl:
		return m.prctl(args[0].Word, args[1].Word)
	case plan.SysSendto:
		m.report = append([]byte(nil), args[1].Mem[:8]...)
		return 8, 0
	case plan.Spawn:
		return 1, 0
	}
	if e := expected(o); e != nil {
		return 0, e[0]
	}
	return 0, 0
}

func (m *model) prctl(option, v uint64) (uint64, unix.Errno) {
	switch option {
	case unix.PR_GET_KEEPCAPS:
		return m.keepCaps, 0
	case unix.PR_GET_DUMPABLE:
		return m.dumpable, 0
	}
	if v > 1 {
		return 0, unix.EINVAL
	}
	if option == unix.PR_SET_KEEPCAPS {
		m.keepCaps = v
	} else {
		m.dumpable = v
	}
	return 0, 0
}
