// Package page makes a plan into one web page, which needs no network and nothing but a browser: a
// timeline of what the host and the init do, each step with its system calls and its place in
// config.json, and the times of a trace.
//
// What the page shows is data in it. Names in config.json come from anybody: the data is escaped so
// that no text of it ends its element, the script of the page puts text into it as text alone, and
// the page's content security policy runs no other script.
package page

import (
	_ "embed" // for the files of the page
	"encoding/json"
	"io"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
)

var (
	//go:embed page.html
	skeleton string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// Page is what there is to show.
type Page struct {
	Title, Subtitle string
	Plan            *plan.Plan
	Spec            *specs.Spec
	Exec            bool     // the plan is that of a process of exec
	Notes           []string // in front
	Filter          string   // what the seccomp filter decides, "" without one
	Spans           []trace.Span
}

// Write writes the page.
func Write(w io.Writer, p *Page) error {
	// json escapes <, > and &, so that the data can't end the element that it is in.
	data, err := json.Marshal(p.document())
	if err != nil {
		return err
	}
	rest := skeleton
	for _, part := range []struct{ mark, content string }{
		{"<!--style-->", style}, {"<!--data-->", string(data)}, {"<!--script-->", script},
	} {
		before, after, _ := strings.Cut(rest, part.mark)
		if _, err := io.WriteString(w, before+part.content); err != nil {
			return err
		}
		rest = after
	}
	_, err = io.WriteString(w, rest)
	return err
}

// document is the data that the page's script draws.
type document struct {
	Title      string      `json:"title"`
	Subtitle   string      `json:"subtitle"`
	Exec       bool        `json:"exec"`
	Notes      []string    `json:"notes"`
	Namespaces []space     `json:"namespaces"`
	Files      []file      `json:"files"`
	Steps      []step      `json:"steps"`
	Calls      int         `json:"calls"` // how many, in all steps
	Spans      []span      `json:"spans"` // that are no step's
	Total      float64     `json:"total"` // µs of the trace, 0 without one
	Filter     string      `json:"filter"`
	Config     *specs.Spec `json:"config"`
}

// space is a kind of namespace.
type space struct {
	Name string `json:"name"`
	Is   string `json:"is"` // made, joined, host
	Path string `json:"path,omitempty"`
}

type file struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	What   string `json:"what"`
	From   string `json:"from"`
}

type step struct {
	Number int      `json:"number"`
	Group  string   `json:"group"`
	What   string   `json:"what"`
	From   string   `json:"from"`
	Host   bool     `json:"host"`
	Calls  []string `json:"calls"`
	Time   *span    `json:"time,omitempty"`
	Wait   *span    `json:"wait,omitempty"` // of the init, at the rendezvous
}

type span struct {
	Name  string  `json:"name,omitempty"`
	From  string  `json:"from,omitempty"`
	Init  bool    `json:"init,omitempty"`
	Waits bool    `json:"waits,omitempty"`
	Start float64 `json:"start"`
	Took  float64 `json:"took"`
	Self  float64 `json:"self"`
}

func (p *Page) document() *document {
	d := &document{
		Title: p.Title, Subtitle: p.Subtitle, Exec: p.Exec, Notes: append([]string{}, p.Notes...), Namespaces: spaces(p.Plan),
		Files: []file{}, Steps: []step{}, Spans: []span{}, Calls: p.Plan.OpCount(), Filter: p.Filter, Config: p.Spec,
	}
	for _, f := range p.Plan.Start() {
		d.Files = append(d.Files, file(f))
	}
	for i, w := range p.Plan.Words() {
		s := step{
			Number: i + 1, Group: string(w.Step.Group), What: w.Step.What, From: w.Step.From, Host: w.Step.Site == plan.Host,
			Calls: []string{},
		}
		for _, c := range w.Calls {
			s.Calls = append(s.Calls, strings.ReplaceAll(c, layout.Glue, " "))
		}
		d.Steps = append(d.Steps, s)
	}
	d.time(p.Spans)
	return d
}

// spaces are all kinds of namespaces, and whose the container has of each.
func spaces(p *plan.Plan) (list []space) {
	is := map[string]string{}
	made, joined := p.Namespaces()
	for _, name := range joined {
		is[name] = "joined"
	}
	for _, name := range made {
		is[name] = "made"
	}
	for _, k := range namespace.Kinds() {
		s := space{Name: k.Name, Is: is[k.Name]}
		if s.Is == "" {
			s.Is = "host"
		}
		for i := range p.Files {
			if f := &p.Files[i]; s.Is == "joined" && f.Open == plan.OpenNS && f.NSType == k.Flag {
				s.Path = f.Path
			}
		}
		list = append(list, s)
	}
	return list
}

// time gives each step the spans that are its own. The trace may be that of run, and the plan that
// of create, so they are found by their words: the first that is not taken yet.
func (d *document) time(spans []trace.Span) {
	for i := range spans {
		t := &spans[i]
		d.Total = max(d.Total, t.Start+t.Took)
		s := span{Start: t.Start, Took: t.Took, Self: t.Self}
		taken := false
		for k := range d.Steps {
			st := &d.Steps[k]
			if st.What != t.Name || st.From != t.From {
				continue
			}
			switch {
			case t.Init && t.Waits && st.Host && st.Wait == nil:
				st.Wait, taken = &s, true
			case t.Init != st.Host && !t.Waits && st.Time == nil:
				st.Time, taken = &s, true
			}
			if taken {
				break
			}
		}
		if !taken {
			s.Name, s.From, s.Init, s.Waits = t.Name, t.From, t.Init, t.Waits
			d.Spans = append(d.Spans, s)
		}
	}
}
