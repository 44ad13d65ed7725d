package plan

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
)

// regNames are what registers are called in text: fd7 for a descriptor and r7 for anything else,
// which may change with each op that writes one.
type regNames []string

func (p *Plan) regNames() regNames {
	names := make(regNames, 256)
	for i := range names {
		names[i] = "r" + strconv.Itoa(i)
	}
	if len(p.Files) > 0 {
		names[Report] = p.Files[0].Name
	}
	names[NoReg] = "no register"
	return names
}

// write notes that o has written its register.
func (names regNames) write(o *Op) {
	if o.Out == NoReg || o.Out == Report {
		return
	}
	fd := o.makesFD()
	if o.Call == Set && len(o.Args) > 0 {
		a := &o.Args[0]
		fd = a.Kind == KindFile || a.Kind == KindReg && strings.HasPrefix(names[uint8(a.Int)], "fd")
	}
	prefix := "r"
	if fd {
		prefix = "fd"
	}
	names[o.Out] = prefix + strconv.Itoa(int(o.Out))
}

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

// glued is text in which a line is not broken. Quoted strings show a real glue as an escape.
func glued(s string) string { return strings.ReplaceAll(s, " ", layout.Glue) }

// opText prints an op in one line.
func (p *Plan) opText(names regNames, o *Op) string {
	var b strings.Builder
	if o.If.Is != Always {
		b.WriteString(condText(names[o.If.Reg], o.If.Is) + ": ")
	}
	b.WriteString(callText(o.Call, p.argTexts(names, o)))
	if o.Call == Spawn {
		b.WriteString(": the child goes on, its parent ends")
	}
	if o.HasWant {
		b.WriteString(layout.Glue + "=" + layout.Glue + strconv.FormatUint(uint64(o.Want), 10))
	}
	names.write(o)
	if o.Out != NoReg {
		b.WriteString(layout.Glue + "→" + layout.Glue + glued(names[o.Out]))
	}
	if notes := o.notes(); notes != "" {
		b.WriteString("   " + glued("["+notes+"]"))
	}
	return b.String()
}

func (p *Plan) argTexts(names regNames, o *Op) []string {
	args := make([]string, len(o.Args))
	for i := range o.Args {
		args[i] = p.argText(names, &o.Args[i])
	}
	return args
}

// series counts the ops at the start of list that differ in one argument alone, and returns what
// they have there: resetting each signal and dropping each capability reads better in one line.
func (p *Plan) series(names regNames, list []Op) (n, differs int, each []string) {
	o := &list[0]
	if o.Out != NoReg || o.If.Is != Always || o.Call.IsPseudo() {
		return 1, 0, nil
	}
	first := p.argTexts(names, o)
	each, differs = []string{""}, -1
	for n = 1; n < len(list); n++ {
		next := &list[n]
		if next.Call != o.Call || next.Out != o.Out || next.If != o.If || next.HasWant != o.HasWant || next.notes() != o.notes() || len(next.Args) != len(first) {
			break
		}
		at := -1
		args := p.argTexts(names, next)
		for i := range args {
			if args[i] != first[i] {
				if at >= 0 {
					at = len(args) // more than one differs
					break
				}
				at = i
			}
		}
		if at < 0 || at == len(args) || differs >= 0 && at != differs {
			break
		}
		differs = at
		each = append(each, args[at])
	}
	if n < 4 {
		return 1, 0, nil
	}
	each[0] = first[differs]
	return n, differs, each
}

// seriesText prints such a series.
func (p *Plan) seriesText(names regNames, o *Op, differs int, each []string) string {
	args := p.argTexts(names, o)
	args[differs] = "…"
	text := callText(o.Call, args) + " for each of " + strings.Join(each, ", ")
	if notes := o.notes(); notes != "" {
		text += "   " + glued("["+notes+"]")
	}
	return text
}

// notes says which errors are fine. That an op is retried when it was disturbed is left to [JSON]:
// nearly all are.
func (o *Op) notes() string {
	names := make([]string, o.Allow.Len())
	for i := range names {
		names[i] = errnoName(o.Allow.At(i))
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
		if len(args) == 3 {
			return "clone(" + at(0) + ")"
		}
		return "clone3(" + at(1) + ")"
	}
	// Zeroes behind the last argument that says something and sizes of structures are the kernel's
	// formality.
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

func (p *Plan) argText(names regNames, a *Arg) string {
	switch a.Kind {
	case KindInt:
		if label := a.label(); label != "" {
			return glued(label)
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
		return glued(a.label())
	case KindPage:
		return "progress[" + strconv.FormatUint(a.Int, 10) + "]"
	case KindBuf:
		return p.bufText(names, a)
	case KindHandler:
		return "handler"
	}
	return "?"
}

func (p *Plan) bufText(names regNames, a *Arg) string {
	if a.Buf < 0 || int(a.Buf) >= len(p.Bufs) {
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
