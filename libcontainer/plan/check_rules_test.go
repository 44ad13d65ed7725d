package plan

import (
	"testing"

	"golang.org/x/sys/unix"
)

const (
	ro     = unix.MOUNT_ATTR_RDONLY
	nosuid = unix.MOUNT_ATTR_NOSUID
)

// Fallbacks: what is mounted instead is at least as strict (CVE-2023-25809).
func TestCheckFallbacks(t *testing.T) {
	bind := Arg{Kind: KindFile, Int: 2}
	fs := func(r, tree Reg, attr uint64) []Op {
		return []Op{Fsopen("cgroup2").Into(r), FsCreate(Val(r)), Fsmount(Val(r), attr).Into(tree)}
	}
	when := func(c Cond, ops ...Op) []Op {
		for i := range ops {
			ops[i] = ops[i].When(c)
		}
		return ops
	}
	target := Val(Report)
	tests := []struct {
		name string
		want string
		fill func(b *Builder, a, c, d Reg)
	}{
		{"bind in place of a mount that could not be made, weaker", "mounts without ro in place of something that has it", func(b *Builder, a, c, d Reg) {
			ops := fs(a, c, ro)
			ops[2] = ops[2].Allowing(unix.EPERM)
			b.Do(append(ops, MoveMount(Val(c), target).When(c.OK()), MoveMount(bind, target).When(c.Failed()))...)
		}},
		{"the same, made read-only first", "", func(b *Builder, a, c, d Reg) {
			ops := fs(a, c, ro)
			ops[2] = ops[2].Allowing(unix.EPERM)
			b.Do(append(ops, MoveMount(Val(c), target).When(c.OK()))...)
			b.Do(when(c.Failed(), MountSetattr(bind, false, ro, 0, 0), MoveMount(bind, target))...)
		}},
		{"the same, read-only for everything", "", func(b *Builder, a, c, d Reg) {
			ops := fs(a, c, ro)
			ops[2] = ops[2].Allowing(unix.EPERM)
			b.Do(append(ops, MountSetattr(bind, false, ro|nosuid, 0, 0), MoveMount(Val(c), target).When(c.OK()), MoveMount(bind, target).When(c.Failed()))...)
		}},
		{"the fallback first", "mounts without nosuid", func(b *Builder, a, c, d Reg) {
			b.Do(Fsopen("x").Into(a).Allowing(unix.ENODEV), MoveMount(bind, target).When(a.NotOK()))
			b.Do(when(a.OK(), Fsmount(Val(a), nosuid).Into(c), MoveMount(Val(c), target))...)
		}},
		{"in one register", "mounts without ro", func(b *Builder, a, c, d Reg) {
			ops := fs(a, c, ro)
			ops[2] = ops[2].Allowing(unix.EPERM)
			b.Do(append(ops, OpenTreeClone(bind, "", false).Into(c).When(c.Failed()), MoveMount(Val(c), target))...)
		}},
		{"in one register, restricted afterwards", "", func(b *Builder, a, c, d Reg) {
			ops := fs(a, c, 0)
			ops[2] = ops[2].Allowing(unix.EPERM)
			b.Do(append(ops, OpenTreeClone(bind, "", false).Into(c).When(c.Failed()), MountSetattr(Val(c), false, ro, 0, 0), MoveMount(Val(c), target))...)
		}},
		{"restriction taken off again", "mounts without ro", func(b *Builder, a, c, d Reg) {
			ops := fs(a, c, ro)
			ops[2] = ops[2].Allowing(unix.EPERM)
			b.Do(append(ops, MoveMount(Val(c), target).When(c.OK()), MountSetattr(bind, false, ro, 0, 0), MountSetattr(bind, false, 0, ro, 0),
				MoveMount(bind, target).When(c.Failed()))...)
		}},
		{"read-only superblock", "mounts without ro", func(b *Builder, a, c, d Reg) {
			b.Do(Fsopen("cgroup2").Into(a), FsFlag(Val(a), "ro"), FsCreate(Val(a)).Into(d).Allowing(unix.EPERM))
			b.Do(when(d.OK(), Fsmount(Val(a), 0).Into(c), MoveMount(Val(c), target))...)
			b.Do(MoveMount(bind, target).When(d.Failed()))
		}},
		{"another mount for a file than for a directory", "", func(b *Builder, a, c, d Reg) {
			b.Do(fs(a, c, ro)...)
			b.Do(OpenInRoot(target, "x", unix.O_DIRECTORY).Into(d).Allowing(unix.ENOTDIR), MoveMount(Val(c), Val(d)).When(d.OK()), Close(Val(d)).When(d.OK()))
			b.Do(MoveMount(bind, target).When(d.Failed()))
		}},
		{"no such directory", "mounts without ro", func(b *Builder, a, c, d Reg) {
			b.Do(fs(a, c, ro)...)
			b.Do(OpenInRoot(target, "x", unix.O_DIRECTORY).Into(d).Allowing(unix.ENOENT), MoveMount(Val(c), Val(d)).When(d.OK()), Close(Val(d)).When(d.OK()))
			b.Do(MoveMount(bind, target).When(d.Failed()))
		}},
		{"a directory that may not be looked at", "mounts without ro", func(b *Builder, a, c, d Reg) {
			b.Do(fs(a, c, ro)...)
			b.Do(OpenInRoot(target, "x", unix.O_DIRECTORY).Into(d).Allowing(unix.ENOTDIR, unix.EACCES), MoveMount(Val(c), Val(d)).When(d.OK()), Close(Val(d)).When(d.OK()))
			b.Do(MoveMount(bind, target).When(d.Failed()))
		}},
		{"a directory that nobody has looked for", "mounts without ro", func(b *Builder, a, c, d Reg) {
			sure := b.Reg()
			b.Do(fs(a, c, ro)...)
			b.Do(may(sure), OpenInRoot(target, "x", unix.O_DIRECTORY).Into(d).Allowing(unix.ENOTDIR).When(sure.OK()))
			b.Do(MoveMount(Val(c), Val(d)).When(d.OK()), Close(Val(d)).When(d.OK()))
			b.Do(MoveMount(bind, target).When(d.NotOK()))
		}},
		{"because a move failed, weaker", "mounts without ro,nosuid", func(b *Builder, a, c, d Reg) {
			b.Do(fs(a, c, ro|nosuid)...)
			b.Do(MoveMount(Val(c), target).Into(d).Allowing(unix.EINVAL), MoveMount(bind, target).When(d.Failed()))
		}},
		{"because a move failed, stricter", "", func(b *Builder, a, c, d Reg) {
			b.Do(fs(a, c, ro)...)
			b.Do(MoveMount(bind, target).Into(d).Allowing(unix.EINVAL), MoveMount(Val(c), target).When(d.Failed()))
		}},
		{"a move may fail, and nothing instead", "nothing is mounted in its place", func(b *Builder, a, c, d Reg) {
			b.Do(MoveMount(bind, target).Into(d).Allowing(unix.EINVAL))
		}},
		{"a move may fail unseen", "nothing is mounted in its place", func(b *Builder, a, c, d Reg) {
			b.Do(MoveMount(bind, target).Allowing(unix.EINVAL))
		}},
		{"a move may fail, and then the plan does", "", func(b *Builder, a, c, d Reg) {
			b.Do(MoveMount(bind, target).Into(d).Allowing(unix.EINVAL), FailWith(unix.EPERM).When(d.Failed()))
		}},
		{"a restriction may fail", "restricts a mount, but is allowed to fail", func(b *Builder, a, c, d Reg) {
			b.Do(MountSetattr(bind, false, ro, 0, 0).Allowing(unix.EINVAL))
		}},
		{"two mounts that exclude each other for another reason", "", func(b *Builder, a, c, d Reg) {
			b.Do(fs(a, c, ro)...)
			b.Do(may(d), MoveMount(Val(c), target), MoveMount(bind, target).When(d.OK()))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkWant(t, tt.want, attempt(func(b *Builder) {
				b.File(File{Name: "bind", Open: OpenTree, Path: "/sys/fs/cgroup"})
				tt.fill(b, b.Reg(), b.Reg(), b.Reg())
			}))
		})
	}
}

// What the container's processes can see must not be worth taking over (CVE-2016-9962).
func TestCheckVisible(t *testing.T) {
	join := func(b *Builder, before ...Op) {
		page, spawn := b.JoinChild()
		b.Do(append(append(page, before...), spawn)...)
	}
	const opened = "takes a descriptor that the plan has opened"
	closeAll := Sys(SysCloseRange, Arg{Kind: KindFile, Int: 1}, Num(0xffffffff), Num(0))
	tests := []struct {
		name string
		want string
		fill func(b *Builder, a Reg)
	}{
		{"with a file of the host's", `takes file "progress" to where`, func(b *Builder, a Reg) { join(b) }},
		{"with a descriptor", opened, func(b *Builder, a Reg) { join(b, closeAll, open(a)) }},
		{"with a descriptor, perhaps", opened, func(b *Builder, a Reg) { join(b, closeAll, may(a)) }},
		{"with nothing", "", func(b *Builder, a Reg) { join(b, open(a), closeAll) }},
		{"with descriptors behind a few that are closed", opened, func(b *Builder, a Reg) {
			join(b, open(a), Sys(SysCloseRange, Arg{Kind: KindFile, Int: 1}, Arg{Kind: KindFile, Int: 1}, Num(0)))
		}},
		{"with descriptors before those that are closed", opened, func(b *Builder, a Reg) {
			join(b, open(a), Close(Arg{Kind: KindFile, Int: 1}), Sys(SysCloseRange, Num(1<<20), Num(0xffffffff), Num(0)))
		}},
		{"with descriptors that may have been closed", opened, func(b *Builder, a Reg) {
			join(b, open(a), closeAll.Allowing(unix.EINVAL))
		}},
		{"with work for a capability", "needs a capability where", func(b *Builder, a Reg) {
			join(b, closeAll)
			b.Do(Sys(SysSethostname, Str("x"), Num(1)))
		}},
		{"before the others could see it", "", func(b *Builder, a Reg) { join(b, Sys(SysSethostname, Str("x"), Num(1)), closeAll) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkWant(t, tt.want, attempt(func(b *Builder) { tt.fill(b, b.Reg()) }))
		})
	}
}

func TestCheckCapabilities(t *testing.T) {
	const dropped = "needs a capability that an earlier step has dropped"
	keep := func(caps uint64) Op {
		return Sys(SysCapset, Bytes(CapHeader(), ""), Bytes(CapData(caps, caps, 0), ""))
	}
	user := Sys(SysSetresuid, Num(1000), Num(1000), Num(1000))
	keepCaps := Prctl(unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", Num(1))
	securebits := Prctl(unix.PR_SET_SECUREBITS, "PR_SET_SECUREBITS", Num(1<<2))
	name := Sys(SysSethostname, Str("x"), Num(1))
	filter := Sys(SysSeccomp, Num(unix.SECCOMP_SET_MODE_FILTER), Num(0), Num(0))
	mknod := Mknod(Val(Report), "x", unix.S_IFCHR, unix.Mkdev(1, 3))
	const admin, high = 1 << unix.CAP_SYS_ADMIN, 1 << unix.CAP_CHECKPOINT_RESTORE
	tests := []struct {
		name string
		want string
		ops  []Op
	}{
		{"before", "", []Op{name, user}},
		{"behind setresuid", dropped, []Op{user, name}},
		{"behind setresuid to root", "", []Op{Sys(SysSetresuid, Num(0), Num(0), Num(0)), name}},
		{"behind setresuid that keeps one id", "", []Op{Sys(SysSetresuid, Num(1000), Num(1000), Num(-1)), name}},
		{"behind setresuid with kept capabilities, not taken up", dropped, []Op{keepCaps, user, name}},
		{"behind setresuid with kept capabilities, taken up", "", []Op{keepCaps, user, keep(admin), name}},
		{"taken up without having been kept", "asks for a capability that an earlier step has dropped", []Op{user, keep(admin)}},
		{"behind setresuid without its side effect", "", []Op{securebits, user, name}},
		{"dropped by capset", dropped, []Op{keep(1), name}},
		{"kept by capset", "", []Op{keep(admin), name}},
		{"taken up again", "asks for a capability", []Op{keep(1), keep(admin)}},
		{"high capabilities", "", []Op{keep(high | admin), keep(high)}},
		{"a refusal that is fine", "", []Op{keep(1), name.Allowing(unix.EPERM)}},
		{"device without mknod", dropped, []Op{keep(admin), mknod}},
		{"plain file without mknod", "", []Op{keep(admin), Mknod(Val(Report), "x", unix.S_IFREG, 0)}},
		{"bounding set without setpcap", dropped, []Op{keep(admin), Prctl(unix.PR_CAPBSET_DROP, "PR_CAPBSET_DROP", Num(1))}},
		{"filter of an unprivileged process", dropped, []Op{user, filter}},
		{"filter of a process that gains nothing", "", []Op{user, Prctl(unix.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", Num(1)), filter}},
		{"new namespaces", dropped, []Op{user, Unshare(Num(unix.CLONE_NEWNS))}},
		{"a new user namespace brings all back", "", []Op{user, Unshare(Num(unix.CLONE_NEWUSER)), name}},
		{"copy of a tree", dropped, []Op{user, OpenTreeClone(Val(Report), "", false)}},
		{"groups", dropped, []Op{user, Sys(SysSetgroups, Num(0), Num(0))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkWant(t, tt.want, attempt(func(b *Builder) { b.Do(tt.ops...) }))
		})
	}
	t.Run("dropped on one path only", func(t *testing.T) {
		checkWant(t, dropped, attempt(func(b *Builder) {
			r := b.Reg()
			b.Do(may(r), keep(1).When(r.OK()), name)
		}))
	})
	t.Run("spawned into a user namespace", func(t *testing.T) {
		checkWant(t, "", attempt(func(b *Builder) { b.Do(user, b.SpawnChild(unix.CLONE_NEWUSER, nil), name) }))
	})
}

func TestCheckRendezvous(t *testing.T) {
	const malformed = "is no rendezvous"
	first := func(b *Builder) *Step { return &b.Plan.Steps[2] }
	tests := []struct {
		name string
		want string
		fill func(b *Builder)
	}{
		{"shared by two steps", "", func(b *Builder) { b.Host("a", "hooks", "a"); b.Host("b", "hooks", "b") }},
		{"one behind the other", "", func(b *Builder) { b.Host("a", "hooks", "a"); b.Step("x", "y"); b.Host("b", "hooks", "b") }},
		{"with descriptors", "", func(b *Builder) { b.Host("a", "x", "a"); b.HostWith("b", "x", "b", Val(Report), Num(0)) }},
		{"with a descriptor that may be missing", "", func(b *Builder) {
			r := b.Reg()
			b.Do(may(r))
			b.HostMaybe("a", "x", "a", r)
		}},
		{"asked ahead", "", func(b *Builder) {
			r := b.Reg()
			b.Do(may(r))
			b.Do(b.Ask("a", r)...)
			b.Step("x", "y", Umask(0))
			b.Answer("a", "x", "a")
			b.Host("b", "x", "b")
		}},
		{"asked twice", "other than one message that is answered later", func(b *Builder) {
			b.Do(b.Ask("a", Report)...)
			b.Step("x", "y", b.Ask("b", Report)...)
			b.Answer("a", "x", "a")
		}},
		{"asked by half", "other than one message that is answered later", func(b *Builder) {
			b.Do(b.Ask("a", Report)[:2]...)
			b.Answer("a", "x", "a")
		}},
		{"asked, and never answered", "does not take its answer", func(b *Builder) { b.Do(b.Ask("a", Report)...) }},
		{"another rendezvous before the answer", malformed, func(b *Builder) {
			b.Do(b.Ask("a", Report)...)
			b.Host("b", "x", "b")
			b.Answer("a", "x", "a")
		}},
		{"shared with a step asked ahead", "at which the host has been before the init", func(b *Builder) {
			b.Do(b.Ask("a", Report)...)
			b.Answer("a", "x", "a")
			b.Host("b", "x", "b")
			s := &b.Plan.Steps[len(b.Plan.Steps)-1]
			s.Begins, s.Ops = false, nil
		}},
		{"no work", "does not say what the host has to do", func(b *Builder) { b.Host("", "x", "a") }},
		{"work for nobody", "not a step of the host's", func(b *Builder) { b.Step("x", "y"); first(b).Do = "work" }},
		{"no ops", malformed, func(b *Builder) { b.Host("a", "x", "a"); first(b).Ops = nil }},
		{"only the question", malformed, func(b *Builder) { b.Host("a", "x", "a"); first(b).Ops = first(b).Ops[:1] }},
		{"only the answer", malformed, func(b *Builder) { b.Host("a", "x", "a"); first(b).Ops = first(b).Ops[1:] }},
		{"two questions", malformed, func(b *Builder) {
			b.Host("a", "x", "a")
			s := first(b)
			s.Ops = []Op{s.Ops[0], s.Ops[0], s.Ops[1]}
		}},
		{"question on another socket", malformed, func(b *Builder) {
			b.Host("a", "x", "a")
			first(b).Ops[0].Args[0] = Arg{Kind: KindFile, Int: 1}
		}},
		{"an answer that may be missing", malformed, func(b *Builder) { b.Host("a", "x", "a"); first(b).Ops[1].HasWant = false }},
		{"other work in between", malformed, func(b *Builder) {
			b.Host("a", "x", "a")
			s := first(b)
			s.Ops = []Op{s.Ops[0], Umask(0), s.Ops[1]}
		}},
		{"ops in a step that shares", "shares the rendezvous of the step before", func(b *Builder) {
			b.Host("a", "x", "a")
			b.Host("b", "x", "b")
			b.Plan.Steps[3].Ops = []Op{Umask(0)}
		}},
		{"behind the end of the socket", "the host is no longer behind the report register", func(b *Builder) {
			b.Do(SetReg(Report, Num(5)))
			b.Host("a", "x", "a")
		}},
		{"behind a closed socket", "the host is no longer behind the report register", func(b *Builder) {
			b.Do(Close(Val(Report)))
			b.Host("a", "x", "a")
		}},
		{"hooks before the process exists", "its pid is known only behind the spawn", func(b *Builder) {
			b.Group = Hooks
			b.Host("a", "x", "a")
			b.Step("x", "y", b.SpawnChild(0, nil))
		}},
		{"id maps before the process exists", "", func(b *Builder) {
			b.Host("a", "x", "a")
			b.Step("x", "y", b.SpawnChild(0, nil))
		}},
		{"report register under a condition", "only an unconditional set or accept4", func(b *Builder) {
			r := b.Reg()
			b.Do(may(r), SetReg(Report, Val(r)).When(r.OK()))
		}},
		{"report register from anywhere", "only an unconditional set or accept4", func(b *Builder) { b.Do(Umask(0).Into(Report)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkWant(t, tt.want, attempt(tt.fill)) })
	}
}

func TestCheckHeader(t *testing.T) {
	tests := []struct {
		name string
		want string
		edit func(p *Plan)
	}{
		{"too many registers", "needs 300 registers", func(p *Plan) { p.Regs = 300 }},
		{"user namespace at the start", "takes its capabilities away", func(p *Plan) { p.Clone |= unix.CLONE_NEWUSER }},
		{"negative descriptors", "preserves -1", func(p *Plan) { p.Preserve = -1 }},
		{"no report socket", "has no report socket", func(p *Plan) { p.Files = nil }},
		{"two files of one name", `two files are called "sync"`, func(p *Plan) { p.Files[1].Name = "sync" }},
		{"file without a name", "has no name", func(p *Plan) { p.Files[1].Name = "" }},
		{"file with a NUL in its path", "a NUL in its path", func(p *Plan) { p.Files[1].Path = "/a\x00" }},
		{"no end", "does not end", func(p *Plan) { p.Steps = p.Steps[:2] }},
		{"end under a condition", "does not end", func(p *Plan) {
			r := Reg(1)
			p.Regs = 2
			p.Steps[1].Ops = []Op{may(r)}
			p.Steps[2].Ops[0].If = r.OK()
		}},
		{"end that may fail", "does not end", func(p *Plan) { p.Steps[2].Ops[0] = p.Steps[2].Ops[0].Allowing(unix.ENOENT) }},
		{"nothing at all", "does not end", func(p *Plan) { p.Steps = nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := attempt(func(*Builder) {})
			tt.edit(p)
			checkWant(t, tt.want, p)
		})
	}
}

// More mounts than there are registers are one clear complaint, not a panic.
func TestCheckOfAnOverfullPlan(t *testing.T) {
	b := NewBuilder()
	for range 1000 {
		b.Step("mounts", "mount", open(b.Reg()))
	}
	checkWant(t, "too many mounts", &b.Plan)
}
