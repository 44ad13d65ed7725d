package plan

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Random plans of a few registers, with conditions upon conditions: what Check says about them is
// compared with every path that there really is, found by running the plan with each combination of
// answers.

// flowPlan is a random plan and the number of its ops that may fail.
func flowPlan(r *rand.Rand) (p *Plan, outcomes int) {
	b := NewBuilder()
	var regs []Reg
	for range 3 {
		regs = append(regs, b.Reg())
	}
	reg := func() Reg { return regs[r.IntN(len(regs))] }
	b.Step("default", "begin", CloseOnExecFrom(3))
	b.Step("test", "try")
	for _, r := range regs[:r.IntN(4)] {
		b.Do(may(r))
		outcomes++
	}
	for range 3 + r.IntN(8) {
		cond, on := Cond{}, reg()
		switch r.IntN(6) {
		case 0:
		case 1, 2:
			cond = on.OK()
		case 3:
			cond = on.Failed()
		default:
			cond = Cond{reg(), Is(1 + r.IntN(3))}
		}
		switch n := r.IntN(16); {
		case n < 6:
			o := open(on).When(cond)
			if r.IntN(3) > 0 && outcomes < 8 {
				o = o.Allowing(unix.ENOENT)
				outcomes++
			}
			b.Do(o)
		case n < 10:
			b.Do(use(on).When(cond))
		case n < 12:
			b.Do(Close(Val(on)).When(cond))
		case n < 14:
			b.Do(use(on).When(cond), SetReg(reg(), Val(on)).When(cond))
		case n < 15:
			b.Do(SetReg(on, Num(Unset)).When(cond))
		case cond.Is != Always:
			b.Do(FailWith(unix.EPERM).When(cond))
		}
	}
	b.Step("default", "end", Exit(0))
	return &b.Plan, outcomes
}

// flowKernel answers by the bits of a number, and notices who uses what is not there.
type flowKernel struct {
	bits   uint
	next   uint64
	closed map[uint64]bool
	wrong  string
}

func (k *flowKernel) Call(o *Op, args []Value) (uint64, unix.Errno) {
	for i, a := range args {
		if o.Args[i].Kind == KindReg && Reg(o.Args[i].Int) != Report && (int64(a.Word) < 0 || k.closed[a.Word]) && k.wrong == "" {
			k.wrong = fmt.Sprintf("%s(%s) with %d", o.Call, a.Text, int64(a.Word))
		}
	}
	if o.Allow.Len() > 0 {
		failed := k.bits&1 != 0
		k.bits >>= 1
		if failed {
			return 0, o.Allow.At(0)
		}
	}
	switch o.Call {
	case SysClose:
		k.closed[args[0].Word] = true
	case SysOpenat2:
		k.next++
		return k.next, 0
	}
	return 0, 0
}

// walk runs p with every combination of answers and returns what goes wrong on one of the paths.
func walk(t *testing.T, p *Plan, outcomes int) string {
	t.Helper()
	for bits := range uint(1) << outcomes {
		k := &flowKernel{bits: bits, next: 100, closed: map[uint64]bool{}}
		if _, err := Interp(p, []int{3}, k); err != nil {
			t.Fatal(err)
		}
		if k.wrong != "" {
			return k.wrong
		}
	}
	return ""
}

var idle = regexp.MustCompile(`op (\d+) \(\w+\) has a condition that never holds`)

// dropIdle takes the ops out of p that never run, which is a complaint of its own.
func dropIdle(p *Plan, err error) bool {
	found := idle.FindAllStringSubmatch(err.Error(), -1)
	for i := len(found) - 1; i >= 0; i-- {
		n, _ := strconv.Atoi(found[i][1])
		p.Steps[1].Ops = slices.Delete(p.Steps[1].Ops, n-1, n)
	}
	return len(found) > 0
}

func TestCheckAgainstEveryPath(t *testing.T) {
	const plans = 6000
	accepted, refused, needlessly := 0, 0, 0
	r := rand.New(rand.NewPCG(1, 4))
	for i := range plans {
		p, outcomes := flowPlan(r)
		err := Check(p)
		for err != nil && dropIdle(p, err) {
			err = Check(p)
		}
		if err == nil {
			accepted++
			if wrong := walk(t, p, outcomes); wrong != "" {
				t.Fatalf("plan %d is accepted, but there is a path to %s:\n%s", i, wrong, printed(t, p, PrintOptions{Calls: true}))
			}
			continue
		}
		if !strings.Contains(err.Error(), "reads ") {
			continue // it has no end, or two
		}
		refused++
		if walk(t, p, outcomes) == "" {
			needlessly++
			if testing.Verbose() && needlessly < 4 {
				t.Logf("plan %d is refused without need: %v\n%s", i, err, printed(t, p, PrintOptions{Calls: true}))
			}
		}
	}
	t.Logf("%d plans: %d accepted, %d refused for what they read, %d of them without need", plans, accepted, refused, needlessly)
	if accepted < plans/50 || refused < plans/50 || needlessly > refused/500 {
		t.Error("the random plans are one-sided, or the checker is")
	}
}
