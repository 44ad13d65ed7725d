package plan

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
)

// JSON is p for programs: the same facts as [Print], in the same order, the same on every
// architecture. Constants that have a name stand there by name, since their values differ between
// architectures; structures stand there as the text that Print shows.
func JSON(p *Plan) ([]byte, error) {
	j := planJSON{
		Namespaces: append([]string{}, namespace.Names(p.Clone)...),
		Waits:      p.Waits,
		Preserve:   p.Preserve,
		Files:      make([]fileJSON, len(p.Files)),
		Steps:      make([]stepJSON, len(p.Steps)),
		Buffers:    make([]bufJSON, len(p.Bufs)),
	}
	e := encoder{p}
	for i := range p.Files {
		j.Files[i] = e.file(i)
	}
	for i := range p.Steps {
		j.Steps[i] = e.step(i)
	}
	for i := range p.Bufs {
		j.Buffers[i] = e.buf(&p.Bufs[i])
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(j)
	return b.Bytes(), err
}

type planJSON struct {
	Namespaces []string   `json:"namespaces"`
	Waits      bool       `json:"waits"`
	Preserve   int        `json:"preserve"`
	Files      []fileJSON `json:"files"`
	Steps      []stepJSON `json:"steps"`
	Buffers    []bufJSON  `json:"buffers"`
}

type fileJSON struct {
	Number    int        `json:"number"` // of the descriptor
	Name      string     `json:"name"`
	Open      string     `json:"open"` // given, path, tree, namespace
	Path      string     `json:"path,omitempty"`
	Recursive bool       `json:"recursive,omitempty"`
	Type      string     `json:"type,omitempty"` // of a namespace
	IDMap     *idMapJSON `json:"idmap,omitempty"`
	From      string     `json:"from,omitempty"`
}

type idMapJSON struct {
	Path      string `json:"path,omitempty"`
	UIDs      string `json:"uids,omitempty"`
	GIDs      string `json:"gids,omitempty"`
	Recursive bool   `json:"recursive,omitempty"`
}

type stepJSON struct {
	Number int      `json:"number"`
	Group  string   `json:"group"`
	What   string   `json:"what"`
	From   string   `json:"from"`
	Site   string   `json:"site"` // init, host
	Do     string   `json:"do,omitempty"`
	Ops    []opJSON `json:"ops,omitempty"`

	IDMap *idMapJSON `json:"idmap,omitempty"`
}

type opJSON struct {
	Call     string    `json:"call"`
	Args     []argJSON `json:"args,omitempty"`
	Result   *Reg      `json:"result,omitempty"` // register
	When     *condJSON `json:"when,omitempty"`
	Allow    []string  `json:"allow,omitempty"`
	Retry    int       `json:"retry,omitempty"`
	Want     *uint32   `json:"want,omitempty"`
	HostPath bool      `json:"hostPath,omitempty"`
	Message  string    `json:"message,omitempty"`
}

type condJSON struct {
	Register Reg    `json:"register"`
	Is       string `json:"is"` // ok, failed, notOk
}

// argJSON has exactly one of its members, but for an offset beside a buffer.
type argJSON struct {
	Int      *int64  `json:"int,omitempty"`
	Constant string  `json:"constant,omitempty"`
	Register *Reg    `json:"register,omitempty"`
	File     string  `json:"file,omitempty"`
	String   *string `json:"string,omitempty"`
	Struct   *string `json:"struct,omitempty"`
	Buffer   string  `json:"buffer,omitempty"`
	Offset   uint64  `json:"offset,omitempty"`
	Progress *uint64 `json:"progress,omitempty"` // byte of the progress page
}

type bufJSON struct {
	Name     string    `json:"name"`
	Size     int       `json:"size,omitempty"`
	Pointers []ptrJSON `json:"pointers,omitempty"`
	Strings  []argJSON `json:"strings,omitempty"`
}

type ptrJSON struct {
	Offset int     `json:"offset"`
	To     argJSON `json:"to"`
}

type encoder struct{ p *Plan }

func (e encoder) file(i int) fileJSON {
	f := &e.p.Files[i]
	open := [...]string{Given: "given", OpenPath: "path", OpenTree: "tree", OpenNS: "namespace"}
	j := fileJSON{Number: 3 + e.p.Preserve + i, Name: f.Name, Open: open[f.Open], Path: f.Path, Recursive: f.Recursive, From: f.From,
		Type: strings.Join(namespace.Names(f.NSType), ",")}
	j.IDMap = idMap(f.IDMap)
	return j
}

func idMap(m *IDMap) *idMapJSON {
	if m == nil {
		return nil
	}
	return &idMapJSON{m.Path, m.UIDs, m.GIDs, m.Recursive}
}

func (e encoder) step(i int) stepJSON {
	s := &e.p.Steps[i]
	j := stepJSON{Number: i + 1, Group: string(s.Group), What: s.What, From: s.From, Site: "init", Do: string(s.Do), IDMap: idMap(s.IDMap)}
	if s.Site == Host {
		j.Site = "host"
	}
	for k := range s.Ops {
		j.Ops = append(j.Ops, e.op(&s.Ops[k]))
	}
	return j
}

func (e encoder) op(o *Op) opJSON {
	j := opJSON{Call: o.Call.String(), Retry: int(o.Retry), HostPath: o.HostPath, Message: o.Msg}
	for i := range o.Args {
		j.Args = append(j.Args, e.arg(&o.Args[i]))
	}
	if o.Out != NoReg {
		j.Result = &o.Out
	}
	if o.If.Is != Always {
		is := [...]string{OK: "ok", Failed: "failed", NotOK: "notOk"}
		j.When = &condJSON{o.If.Reg, is[o.If.Is]}
	}
	for i := range o.Allow.Len() {
		j.Allow = append(j.Allow, errnoName(o.Allow.At(i)))
	}
	if o.HasWant {
		j.Want = &o.Want
	}
	return j
}

func (e encoder) arg(a *Arg) argJSON {
	switch a.Kind {
	case KindReg:
		r := Reg(a.Int)
		return argJSON{Register: &r}
	case KindStr:
		return argJSON{String: &a.Str}
	case KindBytes:
		label := a.label()
		return argJSON{Struct: &label}
	case KindBuf:
		return argJSON{Buffer: e.p.Bufs[a.Buf].Name, Offset: a.Int}
	case KindPage:
		return argJSON{Progress: &a.Int}
	case KindFile:
		return argJSON{File: e.p.Files[a.Int].Name}
	case KindHandler:
		return argJSON{Constant: "handler"}
	}
	if label := a.label(); label != "" {
		return argJSON{Constant: label}
	}
	n := int64(a.Int)
	return argJSON{Int: &n}
}

func (e encoder) buf(b *Buf) bufJSON {
	j := bufJSON{Name: b.Name, Size: len(b.Data)}
	for i := range b.Vec {
		j.Strings = append(j.Strings, e.arg(&b.Vec[i]))
	}
	for i := range b.Ptrs {
		j.Pointers = append(j.Pointers, ptrJSON{b.Ptrs[i].Off, e.arg(&b.Ptrs[i].To)})
	}
	return j
}
