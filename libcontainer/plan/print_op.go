package plan

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// regName is what register r is called in text: a file's name, or fd7 for a descriptor and r7 for anything else.
func (p *Plan) regName(r Reg) string {
	if r == NoReg {
		return "no register"
	}
	if r == Report && len(p.Files) > 0 {
		return p.Files[0].Name
	}
	for i := range p.Steps {
		for j := range p.Steps[i].Ops {
			if o := &p.Steps[i].Ops[j]; o.Out == r && o.makesFD() {
				return "fd" + strconv.Itoa(int(r))
			}
		}
	}
	return "r" + strconv.Itoa(int(r))
}

// regNames is regName of every register.
func (p *Plan) regNames() []string {
	names := make([]string, 256)
	for i := range names {
		names[i] = "r" + strconv.Itoa(i)
	}
	for i := range p.Steps {
		for j := range p.Steps[i].Ops {
			if o := &p.Steps[i].Ops[j]; o.makesFD() {
				names[o.Out] = "fd" + strconv.Itoa(int(o.Out))
			}
		}
	}
	if len(p.Files) > 0 {
		names[Report] = p.Files[0].Name
	}
	return names
}

func (p *Plan) condText(c Cond) string { return condText(p.regName(c.Reg), c.Is) }

func condText(reg string, is Is) string {
	switch is {
	case OK:
		return "when " + reg + " succeeded"
	case Failed:
		return "when " + reg + " failed"
	case NotOK:
		return "unless " + reg + " succeeded"
	}
	return "always"
}

// glue is a space at which a line is not broken. Quoted strings show a real one as an escape.
const glue = "\u00a0"

func glued(s string) string { return strings.ReplaceAll(s, " ", glue) }

// opText prints an op in one line.
func (p *Plan) opText(names []string, o *Op) string {
	var b strings.Builder
	if o.If.Is != Always {
		b.WriteString(condText(names[o.If.Reg], o.If.Is) + ": ")
	}
	args := make([]string, len(o.Args))
	for i := range o.Args {
		args[i] = p.argText(names, &o.Args[i])
	}
	b.WriteString(callText(o.Call, args))
	if o.HasWant {
		b.WriteString(glue + "=" + glue + strconv.FormatUint(uint64(o.Want), 10))
	}
	if o.Out != NoReg {
		b.WriteString(glue + "→" + glue + glued(names[o.Out]))
	}
	if notes := o.notes(); notes != "" {
		b.WriteString("   " + glued("["+notes+"]"))
	}
	return b.String()
}

// notes says which errors are fine. That an op is retried when it was disturbed is left to [JSON]: nearly all are.
func (o *Op) notes() string {
	names := make([]string, len(o.Allow))
	for i, e := range o.Allow {
		names[i] = errnoName(e)
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0] + " is fine"
	}
	return strings.Join(names, ", ") + " are fine"
}

func errnoName(e unix.Errno) string {
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return "errno " + strconv.Itoa(int(e))
}

// callText prints the call itself; pseudo-calls read as what they do.
func callText(c Call, args []string) string {
	at := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return "?"
	}
	switch c {
	case Set:
		return at(0)
	case Load32:
		return "int32 at " + at(0)
	case Load64:
		return "int64 at " + at(0)
	case Store32:
		return "int32 at " + at(0) + " := " + at(1)
	case Store64:
		return "int64 at " + at(0) + " := " + at(1)
	case Assert:
		return "fail with " + at(3) + " unless int64 at " + at(0) + " & " + at(1) + " == " + at(2)
	case Fail:
		return "fail with " + at(0)
	case Spawn:
		return "clone3(" + at(1) + "): the child goes on, its parent ends"
	}
	// Zeroes behind the last argument that says something and sizes of structures are the kernel's formality.
	least := len(args)
	switch c {
	case SysPrctl, SysFsconfig:
		least = 2
	case SysSendto, SysRecvfrom:
		least = 3
	case SysOpenat2:
		args = args[:min(least, 3)]
	case SysMountSetattr:
		args = args[:min(least, 4)]
	}
	for len(args) > least && args[len(args)-1] == "0" {
		args = args[:len(args)-1]
	}
	return c.String() + "(" + strings.Join(args, ", ") + ")"
}

func (p *Plan) argText(names []string, a *Arg) string {
	switch a.Kind {
	case KindInt:
		if a.Str != "" {
			return glued(a.Str)
		}
		return strconv.FormatInt(int64(a.Int), 10)
	case KindReg:
		return names[uint8(a.Int)]
	case KindFile:
		if a.Int < uint64(len(p.Files)) {
			return p.Files[a.Int].Name
		}
	case KindStr:
		return glued(strconv.Quote(a.Str))
	case KindBytes:
		return glued(a.Str)
	case KindPage:
		return "progress[" + strconv.FormatUint(a.Int, 10) + "]"
	case KindBuf:
		return p.bufText(names, a)
	}
	return "?"
}

func (p *Plan) bufText(names []string, a *Arg) string {
	if a.Buf < 0 || a.Buf >= len(p.Bufs) {
		return "?"
	}
	b := &p.Bufs[a.Buf]
	if b.Vec != nil && a.Int == 0 {
		items := make([]string, len(b.Vec))
		for i := range b.Vec {
			items[i] = p.argText(names, &b.Vec[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	if a.Int == 0 {
		return b.Name
	}
	return b.Name + "[" + strconv.FormatUint(a.Int, 10) + "]"
}
