package plan

import (
	"strings"

	"golang.org/x/sys/unix"
)

// arg checks one argument on its own.
func (c *checker) arg(a *Arg) {
	switch a.Kind {
	case KindInt:
	case KindStr:
		if strings.IndexByte(a.Str, 0) >= 0 {
			c.errorf("has a string with a NUL in it: %q", a.Str)
		}
	case KindBytes:
		if a.Int > uint64(len(a.Str)) {
			c.errorf("has %d bytes of a structure of %d", len(a.Str), a.Int)
		}
	case KindBuf:
		if b := c.bufOf(a); b == nil {
			c.errorf("uses buffer %d of %d", a.Buf, len(c.p.Bufs))
		} else if a.Int > uint64(b.size()) {
			c.errorf("uses byte %d of buffer %s, which has %d", a.Int, b.Name, b.size())
		}
	case KindPage:
		if a.Int >= uint64(c.p.pageSize()) {
			c.errorf("uses byte %d of the progress page, which has %d", a.Int, c.p.pageSize())
		}
	case KindHandler:
	default:
		c.errorf("has an argument of no kind")
	}
}

// bufOf is the buffer that an argument points into, or nil.
func (c *checker) bufOf(a *Arg) *Buf {
	if a.Kind != KindBuf || a.Buf < 0 || int(a.Buf) >= len(c.p.Bufs) {
		return nil
	}
	return &c.p.Bufs[a.Buf]
}

// size is the number of bytes of b in the image.
func (b *Buf) size() int {
	if b.Vec != nil {
		return 8 * (len(b.Vec) + 1)
	}
	return len(b.Data)
}

// pageSize is the size of the progress page with time stamps behind it.
func (p *Plan) pageSize() int { return PageTrace + 16*len(p.Steps) }

func (c *checker) buf(b *Buf) {
	for i := range b.Vec {
		c.address(b, &b.Vec[i])
	}
	for i := range b.Ptrs {
		if b.Ptrs[i].Off < 0 || b.Ptrs[i].Off+8 > len(b.Data) {
			c.errorf("buffer %s has a pointer at byte %d of %d", b.Name, b.Ptrs[i].Off, len(b.Data))
		}
		c.address(b, &b.Ptrs[i].To)
	}
}

func (c *checker) address(b *Buf, a *Arg) {
	switch a.Kind {
	case KindInt, KindReg:
		c.errorf("buffer %s points to something that has no address", b.Name)
	case KindFile:
		// A descriptor's number, as struct clone_args has it.
		c.readFile(a.Int)
	default:
		c.arg(a)
	}
}

// memory checks that a call stays within the memory that it is given.
func (c *checker) memory() {
	o := c.op
	info := &callTable[o.Call]
	if info.addr == 0 || int(info.addr) > len(o.Args) {
		return
	}
	a := &o.Args[info.addr-1]
	need := uint64(info.size)
	if info.length > 0 {
		need = o.int(int(info.length) - 1)
	}
	have := uint64(0)
	switch a.Kind {
	case KindStr:
		have = uint64(len(a.Str)) + 1
	case KindBytes:
		have = a.Int
	case KindBuf:
		b := c.bufOf(a)
		if b == nil {
			return
		}
		have = uint64(b.size())
		have -= min(have, a.Int)
	case KindPage:
		have = uint64(c.p.pageSize())
		have -= min(have, a.Int)
	case KindReg, KindFile:
		if o.Call.IsPseudo() {
			// The kernel would say EFAULT, but here there is none.
			c.errorf("uses memory at an address that is not part of the plan")
		}
		return
	}
	if need > have {
		c.errorf("uses %d bytes of memory where the plan has %d", need, have)
	}
	if info.writes && (a.Kind == KindStr || a.Kind == KindBytes) {
		c.errorf("writes to a constant")
	}
}

type cwdState uint8

const (
	cwdKnown  cwdState = iota // never changed, or by a name that leads nowhere else
	cwdUnseen                 // a directory that the plan has not looked at
	cwdAsked                  // getcwd has been called; an assertion is missing
)

// special is what single calls are held to.
func (c *checker) special() {
	o := c.op
	switch o.Call {
	case Spawn:
		if c.spawned || !c.always() || o.Allow.Len() > 0 {
			c.errorf("may spawn only once and only on every path: the host knows one child")
		}
		c.spawned = true
		if o.Joins() {
			c.exposed()
		}
	case SysExecve, SysExitGroup, Fail:
		if o.Allow.Len() == 0 {
			c.ends()
		}
	case SysPrctl:
		if o.int(0) == unix.PR_SET_DUMPABLE {
			c.undumpable = o.int(1) == 0 && (c.undumpable || c.always())
		}
	case SysSetns:
		if !c.undumpable {
			c.errorf("joins a namespace while its processes may trace us: prctl(PR_SET_DUMPABLE, 0) comes first (CVE-2016-9962)")
		}
		c.joined = c.joined || c.always() && o.int(1)&unix.CLONE_NEWNS != 0
	case SysPivotRoot, SysChroot:
		c.pivoted = c.pivoted || c.always()
	case SysChdir:
		if len(o.Args) > 0 && o.Args[0].Str != "/" && o.Args[0].Str != "." {
			c.cwd = cwdUnseen
		}
	case SysGetcwd:
		if c.cwd == cwdUnseen && c.always() && o.Allow.Len() == 0 {
			c.cwd = cwdAsked
		}
	case Assert:
		if c.cwd == cwdAsked && c.always() && o.Allow.Len() == 0 {
			c.cwd = cwdKnown
		}
	case SysClose:
		c.close(c.source(0))
		c.reported = c.reported || o.reg(0) == Report || c.source(0) == c.fileDef(0)
	}
}

// exposed notes that from here on the container's processes can see the process, and perhaps trace
// it: it must not hold anything of the host's (CVE-2016-9962).
func (c *checker) exposed() {
	c.visible = true
	for i := 1; i < len(c.p.Files) && c.emptied == 0; i++ {
		c.errorf("takes file %q to where the container's processes are", c.p.Files[i].Name)
	}
	for i := c.emptied; i < len(c.defs); i++ {
		if c.defs[i].fd {
			c.errorf("takes a descriptor that the plan has opened to where the container's processes are")
		}
	}
}

// descriptor checks that no descriptor survives execve which is not part of the plan.
func (c *checker) descriptor() {
	o := c.op
	if o.Call == SysCloseRange {
		c.closeRange()
	}
	if !o.makesFD() || o.closesOnExec() {
		return
	}
	kept := uint64(3 + c.p.Preserve)
	if o.Call == SysDup3 && len(o.Args) > 1 && o.Args[1].Kind == KindInt && o.Args[1].Int < kept {
		return
	}
	c.errorf("makes a descriptor that would survive execve")
}

func (c *checker) closeRange() {
	o := c.op
	first, kept := o.int(0), 3+c.p.Preserve
	if len(o.Args) > 0 && o.Args[0].Kind == KindFile {
		first = uint64(kept) + o.Args[0].Int
	}
	if first < uint64(kept) {
		c.errorf("takes descriptors from %d on away from the process, which keeps those below %d", first, kept)
	}
	if o.int(1) < 0x7fffffff || o.Allow.Len() > 0 {
		c.errorf("closes some descriptors, or perhaps none, where what follows relies on all from %d on", first)
		return
	}
	if c.always() && first < uint64(c.inherited) {
		c.inherited = int(first)
	}
	if o.int(2)&unix.CLOSE_RANGE_CLOEXEC != 0 {
		return
	}
	if c.always() && first <= uint64(kept)+1 {
		c.emptied = len(c.defs)
	}
	for i := range c.p.Files {
		if uint64(kept+i) >= first {
			c.close(c.fileDef(i))
		}
	}
	for i := range c.defs {
		// Where the kernel has put those is not known.
		if c.defs[i].fd {
			c.close(int32(i))
		}
	}
}

// ends notes that no path goes on behind the current op.
func (c *checker) ends() {
	if c.always() {
		c.ended = true
		return
	}
	// From here on its condition is known to be false, and so is all that would have led to it.
	var not facts
	c.assume(&not, c.guard.not())
	for _, f := range not.f[:not.n] {
		d := &c.defs[f.def]
		d.result, d.kept = d.result&f.vals, d.kept&f.vals
	}
	for i := range c.defs {
		if d := &c.defs[i]; d.guard.vals != vAll && c.defs[d.guard.def].state()&^d.guard.vals == 0 {
			d.guard, d.kept = fact{0, vAll}, 0
		}
	}
}

// survivors checks that the descriptors which the host handed over do not outlive the init.
func (c *checker) survivors() {
	if c.op == nil || c.op.Call != SysExecve {
		return
	}
	for i := range c.p.Files {
		number, d := 3+c.p.Preserve+i, &c.defs[c.fileDef(i)]
		if number < c.inherited && d.closed != (fact{0, vAll}) {
			c.errorf("file %q would survive execve", c.p.Files[i].Name)
		}
	}
}

// rendezvous checks the hand-over between init and host. Consecutive host steps share one: the
// first of them has the ops. A step of the init may ask ahead, and then the first host step behind
// it takes the answer.
func (c *checker) rendezvous(i int, s *Step) {
	if s.Site != Host {
		if s.Do != "" {
			c.errorf("has work for the host, but is not a step of the host's")
		}
		c.ask(s)
		return
	}
	if s.Do == "" {
		c.errorf("does not say what the host has to do")
	}
	if s.Group == Hooks && !c.spawned && c.spawnsLater(i) {
		c.errorf("runs hooks before the container's process exists: its pid is known only behind the spawn")
	}
	if i > 0 && c.p.Steps[i-1].Site == Host && !s.Begins {
		if len(s.Ops) > 0 {
			c.errorf("has ops, but shares the rendezvous of the step before it")
		}
		if c.ahead {
			c.errorf("shares a rendezvous at which the host has been before the init")
		}
		return
	}
	if c.reported {
		c.errorf("is a rendezvous, but the host is no longer behind the report register")
	}
	n := len(s.Ops)
	if n == 0 || !answers(&s.Ops[n-1]) || c.asked != (n == 1) || !c.asked && !asks(s.Ops[:n-1]) {
		c.errorf("is no rendezvous: the init sends one message on the report socket and waits for one byte")
	}
	c.asked, c.ahead = false, c.asked
}

// ask notes that a step of the init asks the host, with its last ops.
func (c *checker) ask(s *Step) {
	first, sends := len(s.Ops), false
	for i := len(s.Ops) - 1; i >= 0; i-- {
		switch o := &s.Ops[i]; {
		case (o.Call == SysSendto || o.Call == SysSendmsg) && o.reg(0) == Report:
			first, sends = i, true
		case sends && o.Call == Store32 && first == i+1:
			first = i
		}
	}
	if !sends {
		return
	}
	if c.asked || c.reported || !asks(s.Ops[first:]) {
		c.errorf("sends the host something other than one message that is answered later")
	}
	c.asked = true
}

// answers reports whether an op waits for the host's byte.
func answers(o *Op) bool { return o.Call == SysRecvfrom && o.If.Is == Always && talks(o) }

// talks reports whether an op transfers one byte between the init and the host, or fails.
func talks(o *Op) bool { return o.reg(0) == Report && o.Allow.Len() == 0 && o.HasWant && o.Want == 1 }

// asks reports whether ops are a question: on every path exactly one message to the host, and
// beside it only the words that it is made of.
func asks(ops []Op) bool {
	var sent []Cond
	for i := range ops {
		switch o := &ops[i]; {
		case o.Call == Store32, o.Call == Store64:
		case (o.Call == SysSendto || o.Call == SysSendmsg) && talks(o):
			sent = append(sent, o.If)
		default:
			return false
		}
	}
	return len(sent) == 1 && sent[0].Is == Always ||
		len(sent) == 2 && sent[0].Reg == sent[1].Reg && sent[0].Is == OK && sent[1].Is == NotOK
}

func (c *checker) spawnsLater(i int) bool {
	for ; i < len(c.p.Steps); i++ {
		for j := range c.p.Steps[i].Ops {
			if c.p.Steps[i].Ops[j].Call == Spawn {
				return true
			}
		}
	}
	return false
}
