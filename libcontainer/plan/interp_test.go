package plan

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pretend runs p in a fake kernel; descriptors of files are their numbers in the init.
func pretend(t *testing.T, p *Plan, answers ...Answer) (*Outcome, *Fake) {
	t.Helper()
	k := &Fake{Answers: answers}
	var fds []int
	for i := range p.Files {
		fds = append(fds, 3+p.Preserve+i)
	}
	out, err := Interp(p, fds, k)
	if err != nil {
		t.Fatal(err)
	}
	return out, k
}

func TestInterpRunsTheSample(t *testing.T) {
	out, k := pretend(t, sample())
	if out.End != EndExecuted || out.Op != sample().OpCount()-1 || out.Errno != 0 {
		t.Errorf("outcome %d at op %d, %v", out.End, out.Op, out.Errno)
	}
	if pid := native.Uint32(out.Page[PagePid:]); pid != 4242 {
		t.Errorf("the page has pid %d", pid)
	}
	golden(t, "trace.txt", []byte(strings.Join(k.Trace, "\n")+"\n"))
}

// between is the part of a trace from one text to another.
func between(trace []string, from, to string) string {
	text := strings.Join(trace, "\n")
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

func TestInterpTakesTheBranches(t *testing.T) {
	tests := []struct {
		name    string
		answers []Answer
		want    []string // in the trace
		not     []string
	}{
		{"mask of a file", nil, []string{"open_tree(null", "move_mount("}, []string{"fsopen"}},
		{"mask of nothing", []Answer{{Call: SysOpenat2, Has: "proc/kcore", Errno: unix.ENOENT}},
			nil, []string{"open_tree(null", "fsopen"}},
		{"mask of a directory", []Answer{{Call: SysOpenTree, Result: 77}, {Call: SysMoveMount, Has: "fd6", Only: 1, Errno: unix.ENOTDIR}},
			[]string{"open_tree(null", "= ENOTDIR", "fsopen(\"tmpfs\"", "fsmount("}, nil},
	}
	for _, tt := range tests {
		out, k := pretend(t, sample(), tt.answers...)
		if out.End != EndExecuted {
			t.Errorf("%s: ended with %v at op %d", tt.name, out.Errno, out.Op)
		}
		part := between(k.Trace, `openat2(rootfs, "proc/kcore"`, "sendmsg")
		for _, w := range tt.want {
			if !strings.Contains(part, w) {
				t.Errorf("%s: no %s in\n%s", tt.name, w, part)
			}
		}
		for _, n := range tt.not {
			if strings.Contains(part, n) {
				t.Errorf("%s: %s in\n%s", tt.name, n, part)
			}
		}
	}
}

func TestInterpReportsAFailure(t *testing.T) {
	out, k := pretend(t, sample(), Answer{Call: SysFsconfig, Has: "size", Errno: unix.EINVAL})
	step, op := sample().At(out.Op)
	if out.End != EndFailed || out.Errno != unix.EINVAL || out.Status != 255 || step.From != "mounts[0]" || op.Call != SysFsconfig {
		t.Errorf("ended at %v with %v, status %d", step, out.Errno, out.Status)
	}
	if last := k.Trace[len(k.Trace)-1]; last != "sendto(sync, progress[0], 8, MSG_NOSIGNAL) = 8" {
		t.Errorf("the last call is %s", last)
	}
	if native.Uint32(out.Page[PageOp:]) != uint32(out.Op) || native.Uint32(out.Page[PageErrno:]) != uint32(unix.EINVAL) {
		t.Errorf("the page begins with %x", out.Page[:8])
	}
}

func TestInterpWants(t *testing.T) {
	out, _ := pretend(t, sample(), Answer{Call: SysRecvfrom, Result: 0})
	if out.Errno != unix.EPROTO {
		t.Errorf("a host that is gone gives %v", out.Errno)
	}
}

func TestInterpRetries(t *testing.T) {
	b := NewBuilder()
	r := b.Reg()
	b.Step("test", "try", open(r), use(r), Exit(3))
	busy := Answer{Call: SysOpenat2, Errno: unix.EAGAIN}
	busy.Only = 128
	out, k := pretend(t, &b.Plan, busy)
	if out.End != EndExited || out.Status != 3 || len(k.Trace) != 131 {
		t.Errorf("after %d calls: %v, status %d", len(k.Trace), out.Errno, out.Status)
	}
	busy.Only = 129
	if out, _ = pretend(t, &b.Plan, busy); out.Errno != unix.EAGAIN {
		t.Errorf("one more than it may: %v", out.Errno)
	}
}

// What the kernel and the host write is there for the ops behind.
func TestInterpHasMemory(t *testing.T) {
	b := NewBuilder()
	buf, r := b.Buf("buf", make([]byte, 16)), b.Reg()
	b.Step("test", "try",
		Sys(SysRead, Num(0), buf, Num(16)), Sys(Load64, buf.Off(8)).Into(r), Sys(Store64, Page(64), Val(r)),
		AssertWord(buf, 0xff, 'a', unix.EINVAL), AssertWord(buf, 0xff, 'b', unix.ENOENT).Allowing(unix.ENOENT).Into(r),
		Exit(1).When(r.OK()), Exit(0))
	out, _ := pretend(t, &b.Plan, Answer{Call: SysRead, Data: "abcdefghABCDEFGH", Result: 16})
	if out.End != EndExited || out.Status != 0 || string(out.Page[64:72]) != "ABCDEFGH" {
		t.Errorf("%v, status %d, page %q", out.Errno, out.Status, out.Page[64:72])
	}
}

func TestInterpPassesStringsAndVectors(t *testing.T) {
	b := NewBuilder()
	b.Step("test", "try", Sys(SysExecve, Str("/bin/sh"), b.Vec("argv", []Arg{Str("sh"), Str("-c")}), b.Vec("envp", nil)))
	k := &lookAt{}
	if _, err := Interp(&b.Plan, []int{3}, k); err != nil {
		t.Fatal(err)
	}
	if k.args[0].String() != "/bin/sh" {
		t.Errorf("path %q", k.args[0])
	}
	// Two addresses and NULL; the memory is the same for all arguments, so that an address is a
	// distance.
	argv := k.args[1]
	for i, want := range []string{"sh", "-c"} {
		at := native.Uint64(argv.Mem[8*i:]) - argv.Word
		if got := (Value{Mem: argv.Mem[at:]}).String(); got != want {
			t.Errorf("argv[%d] is %q", i, got)
		}
	}
	if native.Uint64(argv.Mem[16:]) != 0 || native.Uint64(k.args[2].Mem) != 0 {
		t.Error("the vectors do not end")
	}
}

// lookAt keeps the arguments of the last call.
type lookAt struct{ args []Value }

func (k *lookAt) Call(_ *Op, args []Value) (uint64, unix.Errno) {
	k.args = args
	return 0, 0
}

func TestInterpRefusesWhatNoMachineCanRun(t *testing.T) {
	for name, ops := range map[string][]Op{
		"no end":          {Umask(0)},
		"a wild address":  {Sys(Load32, Num(4096)), Exit(0)},
		"behind the end":  {Sys(Store64, Num(-8), Num(1)), Exit(0)},
		"an unset buffer": {Sys(Assert, Val(5), Num(0), Num(0), Num(1)), Exit(0)},
	} {
		b := NewBuilder()
		b.Step("test", "try", ops...)
		if _, err := Interp(&b.Plan, []int{3}, &Fake{}); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
	if _, err := Interp(&NewBuilder().Plan, nil, &Fake{}); err == nil {
		t.Error("no descriptors: it ran")
	}
}

// Check and Interp agree: what Check accepts never uses a register that holds nothing, whatever the
// kernel answers.
func TestCheckedPlansNeverUseWhatIsNotThere(t *testing.T) {
	for _, p := range []*Plan{sample(), large()} {
		if err := Check(p); err != nil {
			t.Fatal(err)
		}
		for fail := range p.OpCount() {
			k := &saboteur{t: t, fail: fail}
			var fds []int
			for i := range p.Files {
				fds = append(fds, 3+i)
			}
			if _, err := Interp(p, fds, k); err != nil {
				t.Error(err)
			}
		}
	}
}

// saboteur lets one call fail with the first errno that it may fail with, and every third one
// behind it, too.
type saboteur struct {
	t    *testing.T
	fail int
	n    int
	fake Fake
}

func (k *saboteur) Call(o *Op, args []Value) (uint64, unix.Errno) {
	for i, a := range args {
		if o.Args[i].Kind == KindReg && int64(a.Word) < 0 {
			k.t.Errorf("%s gets %d from %s", o.Call, int64(a.Word), a.Text)
		}
	}
	k.n++
	if n := k.n - 1 - k.fail; n >= 0 && n%3 == 0 && o.Allow.Len() > 0 {
		return 0, o.Allow.At(0)
	}
	return k.fake.Call(o, args)
}
