package plan

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// attempt is a plan with the steps that fill adds between a proper beginning and a proper end.
func attempt(fill func(b *Builder)) *Plan {
	b := NewBuilder()
	b.Step("default", "begin", b.MapPage(PageSize), Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", Num(0)), CloseOnExecFrom(3))
	b.Step("test", "try")
	fill(b)
	b.Step("process.args", "run", Sys(SysExecve, Str("/bin/true"), b.Vec("argv", nil), b.Vec("envp", nil)).OnHost())
	return &b.Plan
}

func pivot() Op { return Sys(SysPivotRoot, Str("."), Str(".")) }

// open makes a descriptor, may fail with ENOENT.
func open(r Reg) Op { return OpenInRoot(Val(Report), "x", 0).Into(r) }
func may(r Reg) Op  { return open(r).Allowing(unix.ENOENT) }

func use(r Reg) Op { return Fchdir(Val(r)) }

func TestCheckAcceptsTheSample(t *testing.T) {
	for name, p := range map[string]*Plan{"sample": sample(), "large": large(), "nothing": attempt(func(*Builder) {})} {
		if err := Check(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Registers: what is read has been written with success on every path that leads there.
func TestCheckRegisters(t *testing.T) {
	tests := []struct {
		name string
		want string // empty: accepted
		fill func(b *Builder, a, c Reg)
	}{
		{"never written", "which may not have been written", func(b *Builder, a, c Reg) { b.Do(use(a)) }},
		{"may hold a failure", "which may hold a failure", func(b *Builder, a, c Reg) { b.Do(may(a), use(a)) }},
		{"used where it is there", "", func(b *Builder, a, c Reg) { b.Do(may(a), use(a).When(a.OK())) }},
		{"used where it is not there", "which may hold a failure", func(b *Builder, a, c Reg) { b.Do(may(a), use(a).When(a.Failed())) }},
		{"repaired", "", func(b *Builder, a, c Reg) { b.Do(may(a), open(a).When(a.Failed()), use(a)) }},
		{"repair that may fail", "which may hold a failure", func(b *Builder, a, c Reg) { b.Do(may(a), may(a).When(a.Failed()), use(a)) }},
		{"repair in a long chain", "", func(b *Builder, a, c Reg) {
			b.Do(may(a))
			for range 100 {
				b.Do(may(a).When(a.Failed()))
			}
			b.Do(use(a).When(a.OK()), open(a).When(a.NotOK()), use(a))
		}},
		{"written under a condition, read without", "which may not have been written", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.OK()), use(c))
		}},
		{"written and read under one condition", "", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.OK()), use(c).When(a.OK()))
		}},
		{"written under one condition, read under the other", "which may not have been written", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.OK()), use(c).When(a.Failed()))
		}},
		{"condition whose register has changed", "which may not have been written", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.Failed()), may(a).When(a.Failed()), use(c).When(a.OK()))
		}},
		{"second failure proves the first", "", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.Failed()), may(a).When(a.Failed()), use(c).When(a.Failed()))
		}},
		{"written on both sides", "", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.OK()), open(c).When(a.NotOK()), use(c))
		}},
		{"success proves what it needed", "", func(b *Builder, a, c Reg) {
			b.Do(may(a), may(c).When(a.OK()), use(a).When(c.OK()))
		}},
		{"failure proves what it needed", "", func(b *Builder, a, c Reg) {
			b.Do(may(a), may(c).When(a.OK()), use(a).When(c.Failed()))
		}},
		{"not having run proves nothing", "which may hold a failure", func(b *Builder, a, c Reg) {
			b.Do(may(a), may(c).When(a.OK()), use(a).When(c.NotOK()))
		}},
		{"words from memory are words", "", func(b *Builder, a, c Reg) {
			b.Do(Sys(Load32, Page(PagePid)).Into(a), use(a), use(a).When(a.OK()), open(c).When(a.OK()), use(c).When(a.OK()))
		}},
		{"condition on words from memory", "which may not have been written", func(b *Builder, a, c Reg) {
			b.Do(Sys(Load32, Page(PagePid)).Into(a), open(c).When(a.OK()), use(c))
		}},
		{"set to a failure", "which may hold a failure", func(b *Builder, a, c Reg) { b.Do(SetReg(a, Num(-2)), use(a)) }},
		{"closed", "which may have been closed", func(b *Builder, a, c Reg) { b.Do(open(a), Close(Val(a)), use(a)) }},
		{"closed twice", "which may have been closed", func(b *Builder, a, c Reg) { b.Do(open(a), Close(Val(a)), Close(Val(a))) }},
		{"closed and opened again", "", func(b *Builder, a, c Reg) { b.Do(open(a), Close(Val(a)), open(a), use(a)) }},
		{"closed on one side only", "", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c), Close(Val(c)).When(a.OK()), use(c).When(a.Failed()), Close(Val(c)).When(a.Failed()))
		}},
		{"closed on one side, used on both", "which may have been closed", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c), Close(Val(c)).When(a.OK()), use(c))
		}},
		{"out of range", "which the plan does not have", func(b *Builder, a, c Reg) { b.Do(use(99)) }},
		{"result out of range", "writes r99, which the plan does not have", func(b *Builder, a, c Reg) { b.Do(SetReg(99, Num(1))) }},
		{"reads no register", "which the plan does not have", func(b *Builder, a, c Reg) { b.Do(use(NoReg)) }},
		{"condition on no register", "which the plan does not have", func(b *Builder, a, c Reg) { b.Do(Umask(0).When(NoReg.OK())) }},
		{"condition on nothing", "never holds: when r1 succeeded", func(b *Builder, a, c Reg) { b.Do(Umask(0).When(a.OK())) }},
		{"nothing yet", "", func(b *Builder, a, c Reg) { b.Do(open(a).When(a.NotOK()), use(a)) }},
		{"the first of several that is there", "", func(b *Builder, a, c Reg) {
			for range 20 {
				b.Do(SetReg(a, Num(Unset)), may(a).When(c.NotOK()), SetReg(c, Str("x")).When(a.OK()))
			}
			b.Do(FailWith(unix.ENOENT).When(c.NotOK()), use(c))
		}},
		{"failure that ends the plan", "", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.OK()), Exit(1).When(a.Failed()), use(a), use(c))
		}},
		{"failure that may not end the plan", "which may hold a failure", func(b *Builder, a, c Reg) {
			b.Do(may(a), FailWith(unix.ENOENT).When(a.Failed()).Allowing(unix.ENOENT), use(a))
		}},
		{"closed under another name", "which may have been closed", func(b *Builder, a, c Reg) {
			b.Do(open(a), SetReg(c, Val(a)), Close(Val(c)), use(a))
		}},
		{"closed under its own name", "which may have been closed", func(b *Builder, a, c Reg) {
			b.Do(open(a), SetReg(c, Val(a)), Close(Val(a)), use(c))
		}},
		{"closed, and another opened in the copy", "", func(b *Builder, a, c Reg) {
			b.Do(open(a), SetReg(c, Val(a)), Close(Val(a)), open(c), use(c))
		}},
		{"closed with all others", "which may have been closed", func(b *Builder, a, c Reg) {
			b.Do(open(a), Sys(SysCloseRange, Num(5), Num(-1), Num(0)), use(a))
		}},
		{"condition that never holds", "never holds: when r1 failed", func(b *Builder, a, c Reg) { b.Do(Umask(0).Into(a), Umask(0).When(a.Failed())) }},
		{"condition on the outcome of a skipped op", "never holds", func(b *Builder, a, c Reg) {
			b.Do(may(a), open(c).When(a.OK()), Umask(0).When(c.Failed()))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkWant(t, tt.want, attempt(func(b *Builder) { tt.fill(b, b.Reg(), b.Reg()) }))
		})
	}
}

// checkWant holds p against the one complaint that it should cause, or none.
func checkWant(t *testing.T, want string, p *Plan) {
	t.Helper()
	err := Check(p)
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && err == nil:
		t.Errorf("accepted; should have said: %s", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("said: %v; should have said: %s", err, want)
	}
}

func TestCheckOps(t *testing.T) {
	tests := []struct {
		name string
		want string
		fill func(b *Builder)
	}{
		{"seven arguments", "there is room for 6", func(b *Builder) { b.Do(Sys(SysNone, make([]Arg, 7)...)) }},
		{"too few arguments", "has 1 arguments; it needs 3", func(b *Builder) { b.Do(Sys(SysWrite, Num(1))) }},
		{"six errnos", "more than the 5 errnos", func(b *Builder) { b.Do(Umask(0).Allowing(1, 2, 3, 4, 5, 6)) }},
		{"errno 0", "errno 0, which does not exist", func(b *Builder) { b.Do(Umask(0).Allowing(0)) }},
		{"errno beyond", "errno 4096, which does not exist", func(b *Builder) { b.Do(Umask(0).Allowing(4096)) }},
		{"no call", "is no call", func(b *Builder) { b.Do(Sys(Calls)) }},
		{"fail with nothing", "fails with an errno that does not exist", func(b *Builder) { b.Do(Sys(Fail, Num(0)).Allowing(1)) }},
		{"assert with nothing", "fails with an errno that does not exist", func(b *Builder) { b.Do(AssertWord(Page(0), 0, 0, 0)) }},
		{"set with a wish", "is no system call", func(b *Builder) { b.Do(SetReg(b.Reg(), Num(1)).Exactly(1)) }},
		{"NUL in a string", "a NUL in it", func(b *Builder) { b.Do(Sys(SysSethostname, Str("a\x00b"), Num(3))) }},
		{"NUL in an argument vector", "a NUL in it", func(b *Builder) { b.Vec("v", []Arg{Str("a\x00b")}) }},
		{"argument of no kind", "of no kind", func(b *Builder) { b.Do(Sys(SysNone, Arg{Kind: 77})) }},
		{"missing buffer", "buffer 9 of", func(b *Builder) { b.Do(Sys(SysNone, Arg{Kind: KindBuf, Buf: 9})) }},
		{"behind a buffer", "byte 9 of buffer b, which has 8", func(b *Builder) { b.Do(Sys(SysNone, b.Buf("b", make([]byte, 8)).Off(9))) }},
		{"behind the page", "of the progress page", func(b *Builder) { b.Do(Sys(SysNone, Page(1<<20))) }},
		{"missing file", "file 9 of 2", func(b *Builder) { b.Do(Fchdir(Arg{Kind: KindFile, Int: 9})) }},
		{"closed file", `file "f", which may have been closed`, func(b *Builder) {
			f := b.File(File{Name: "f"})
			b.Do(Close(f), Fchdir(f))
		}},
		{"pointer out of its buffer", "pointer at byte 4 of 8", func(b *Builder) { b.Buf("b", make([]byte, 8), Ptr{4, Str("x")}) }},
		{"pointer to a number", "that has no address", func(b *Builder) { b.Buf("b", make([]byte, 8), Ptr{0, Num(1)}) }},
		{"reads beyond a buffer", "uses 16 bytes of memory where the plan has 8", func(b *Builder) {
			b.Do(Sys(SysRead, Num(0), b.Buf("b", make([]byte, 8)), Num(16)))
		}},
		{"stores beyond a buffer", "uses 4 bytes of memory where the plan has 2", func(b *Builder) {
			b.Do(StoreFD(b.Buf("b", make([]byte, 8)).Off(6), Num(1)))
		}},
		{"stores at a computed address", "an address that is not part of the plan", func(b *Builder) {
			r := b.Reg()
			b.Do(Umask(0).Into(r), StoreFD(Val(r), Num(1)))
		}},
		{"sends beyond its data", "uses 9 bytes of memory where the plan has 1", func(b *Builder) { b.Do(Sendto(Num(1), Bytes([]byte{1}, "x"), 9)) }},
		{"fills a constant", "writes to a constant", func(b *Builder) { b.Do(Sys(SysRead, Num(0), Bytes(make([]byte, 8), "b"), Num(8))) }},
		{"step without a sentence", "does not say what it does", func(b *Builder) { b.Step("mounts[0]", "") }},
		{"step without a place", "does not say what it does", func(b *Builder) { b.Step("", "do") }},
		{"behind the end", "comes behind the end", func(b *Builder) { b.Do(Exit(0), Umask(0)) }},
		{"exit where it depends", "", func(b *Builder) {
			r := b.Reg()
			b.Do(may(r), Exit(1).When(r.Failed()), use(r).When(r.OK()))
		}},
		{"two spawns", "may spawn only once", func(b *Builder) { b.Do(b.SpawnChild(0, nil), b.SpawnChild(0, nil)) }},
		{"spawn that depends", "may spawn only once and only on every path", func(b *Builder) {
			r := b.Reg()
			b.Do(may(r), b.SpawnChild(0, nil).When(r.OK()))
		}},
		{"pivot_root that may fail", "is allowed to fail", func(b *Builder) { b.Do(pivot().Allowing(unix.EINVAL)) }},
		{"joins while traceable", "PR_SET_DUMPABLE", func(b *Builder) {
			b.Plan.Steps[0].Ops = b.Plan.Steps[0].Ops[:1]
			b.Do(Setns(Num(7), Num(unix.CLONE_NEWNET)))
		}},
		{"joins while traceable again", "PR_SET_DUMPABLE", func(b *Builder) {
			b.Do(Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", Num(1)), Setns(Num(7), Num(unix.CLONE_NEWNET)))
		}},
		{"joins untraceable", "", func(b *Builder) { b.Do(Setns(Num(7), Num(unix.CLONE_NEWNET))) }},
		{"unseen working directory", "CVE-2024-21626", func(b *Builder) { b.Do(pivot(), Sys(SysChdir, Str("/srv"))) }},
		{"working directory asked, not asserted", "CVE-2024-21626", func(b *Builder) {
			b.Do(pivot(), Sys(SysChdir, Str("/srv")), Sys(SysGetcwd, b.Buf("cwd", make([]byte, 64)), Num(64)))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := attempt(tt.fill)
			if strings.Contains(tt.want, "CVE-2024-21626") {
				last := &p.Steps[len(p.Steps)-1].Ops[0]
				last.HostPath = false
			}
			checkWant(t, tt.want, p)
		})
	}
}

func TestCheckPaths(t *testing.T) {
	dir := Val(Report)
	tests := []struct {
		name string
		want string
		ops  []Op
	}{
		{"absolute before pivot_root", "before pivot_root, where that is a path of the host", []Op{Sys(SysChdir, Str("/etc"))}},
		{"absolute below a directory", "before pivot_root, where that is a path of the host", []Op{Mkdir(dir, "/etc", 0)}},
		{"second path", "before pivot_root, where that is a path of the host", []Op{Sys(SysMoveMount, dir, Str(""), dir, Str("/etc"), Num(0))}},
		{"on the host on purpose", "", []Op{Sys(SysChdir, Str("/")).OnHost()}},
		{"the host's behind pivot_root", "out of reach behind pivot_root", []Op{pivot(), Sys(SysChdir, Str("/")).OnHost()}},
		{"relative to the working directory", "needs a directory to start from", []Op{Mkdir(CWD(), "etc", 0)}},
		{"relative without a directory", "needs a directory to start from", []Op{Sys(SysChdir, Str("etc"))}},
		{"one name below a directory", "", []Op{Mkdir(dir, "etc", 0)}},
		{"several names below a directory", "a symbolic link leads to the host", []Op{Mkdir(dir, "etc/x", 0)}},
		{"upwards", "a symbolic link leads to the host", []Op{Mkdir(dir, "..", 0)}},
		{"follows the last name", "AT_SYMLINK_NOFOLLOW", []Op{Sys(SysFchownat, dir, Str("x"), Num(0), Num(0), Num(0))}},
		{"does not follow it", "", []Op{Sys(SysFchownat, dir, Str("x"), Num(0), Num(0), Num(unix.AT_SYMLINK_NOFOLLOW))}},
		{"the directory itself", "", []Op{Sys(SysFchownat, dir, Str(""), Num(0), Num(0), Num(unix.AT_EMPTY_PATH))}},
		{"openat2 with a root", "", []Op{OpenInRoot(dir, "/a/../b", 0)}},
		{"openat2 without", "without RESOLVE_IN_ROOT", []Op{OpenFile(dir, "a/b", 0, 0, unix.RESOLVE_NO_MAGICLINKS)}},
		{"openat2 through magic links", "without RESOLVE_NO_MAGICLINKS", []Op{OpenFile(dir, "a", 0, 0, unix.RESOLVE_BENEATH)}},
		{"openat2 at the working directory", "needs a directory to start from", []Op{OpenInRoot(CWD(), "a", 0)}},
		{"what a link contains is no path", "", []Op{Symlink("/proc/self/fd", dir, "fd")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := attempt(func(b *Builder) { b.Do(tt.ops...) })
			p.Steps[len(p.Steps)-1].Ops[0].HostPath = tt.ops[0].Call != SysPivotRoot
			checkWant(t, tt.want, p)
		})
	}
}

func TestCheckDescriptors(t *testing.T) {
	const survive = "makes a descriptor that would survive execve"
	listener := func(flags int64) Op {
		return Sys(SysSeccomp, Num(unix.SECCOMP_SET_MODE_FILTER), Num(flags), Num(0))
	}
	tests := []struct {
		name string
		want string
		op   Op
	}{
		{"socket", survive, Sys(SysSocket, Num(1), Num(1), Num(0))},
		{"socket, close-on-exec", "", Sys(SysSocket, Num(1), Num(1|unix.SOCK_CLOEXEC), Num(0))},
		{"accept4", survive, Sys(SysAccept4, Val(Report), Num(0), Num(0), Num(0))},
		{"fsopen", survive, Sys(SysFsopen, Str("tmpfs"), Num(0))},
		{"fsmount", survive, Sys(SysFsmount, Val(Report), Num(0), Num(0))},
		{"open_tree", survive, Sys(SysOpenTree, Val(Report), Str(""), Num(unix.OPEN_TREE_CLONE))},
		{"openat2", survive, Sys(SysOpenat2, Val(Report), Str("x"), Bytes(OpenHow(0, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS), ""), Num(24))},
		{"terminal", survive, Sys(SysIoctl, Val(Report), Num(unix.TIOCGPTPEER), Num(unix.O_RDWR))},
		{"terminal, close-on-exec", "", Sys(SysIoctl, Val(Report), Num(unix.TIOCGPTPEER), Num(unix.O_RDWR|unix.O_CLOEXEC))},
		{"seccomp listener", "", listener(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)},
		{"dup3 to standard output", "", Sys(SysDup3, Val(Report), Num(1), Num(0))},
		{"dup3 to elsewhere", survive, Sys(SysDup3, Val(Report), Num(9), Num(0))},
		{"dup3 elsewhere, close-on-exec", "", Sys(SysDup3, Val(Report), Num(9), Num(unix.O_CLOEXEC))},
		{"close_range of what the process keeps", "takes descriptors from 2 on away", CloseOnExecFrom(2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkWant(t, tt.want, attempt(func(b *Builder) { b.Do(tt.op) })) })
	}

	t.Run("preserved", func(t *testing.T) {
		p := attempt(func(b *Builder) { b.Plan.Preserve = 1; b.Do(Sys(SysDup3, Val(Report), Num(3), Num(0))) })
		p.Steps[0].Ops[2] = CloseOnExecFrom(4)
		checkWant(t, "", p)
	})
	for _, end := range []string{"run", "exit"} {
		t.Run("handed over and never closed, then "+end, func(t *testing.T) {
			p := attempt(func(*Builder) {})
			p.Steps[0].Ops = p.Steps[0].Ops[:2]
			want := `file "sync" would survive execve`
			if end == "exit" {
				p.Steps[len(p.Steps)-1].Ops[0] = Exit(0)
				want = ""
			}
			checkWant(t, want, p)
		})
	}
	t.Run("handed over, and another one closed", func(t *testing.T) {
		p := attempt(func(b *Builder) { b.Do(Sys(SysCloseRange, Num(3), Num(3), Num(0))) })
		p.Steps[0].Ops = p.Steps[0].Ops[:2]
		checkWant(t, "closes some descriptors", p)
	})
	t.Run("handed over and closed", func(t *testing.T) {
		p := attempt(func(b *Builder) { b.Do(Close(Arg{Kind: KindFile, Int: 1}), Close(Val(Report))) })
		p.Steps[0].Ops = p.Steps[0].Ops[:2]
		checkWant(t, "", p)
	})
}

func TestCheckNamesEveryProblemWithItsPlace(t *testing.T) {
	p := attempt(func(b *Builder) {
		r := b.Reg()
		b.Step("mounts[3]", "mount nothing", Umask(0), use(r), Sys(SysFsopen, Str("x"), Num(0)))
		b.Step("mounts[4]", "mount more", Sys(SysChdir, Str("/")))
	})
	err := Check(p)
	want := []string{
		"plan: step 3 (mount nothing), op 2 (fchdir) reads r1, which may not have been written",
		"plan: step 3 (mount nothing), op 3 (fsopen) makes a descriptor that would survive execve",
		`plan: step 4 (mount more), op 1 (chdir) names "/" before pivot_root, where that is a path of the host`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("said:\n%v\nshould have said:\n%s", err, strings.Join(want, "\n"))
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != len(want) {
		t.Errorf("not one error for each problem: %v", err)
	}
}

func BenchmarkCheck(b *testing.B) {
	p := large()
	for b.Loop() {
		if err := Check(p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(p.OpCount()), "ops")
}
