package trace

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// met is a plan with two rendezvous, the first of two steps, and a child that is spawned between
// them; and what was recorded of it. The clock begins at a million.
func met() *Recorder {
	b := plan.NewBuilder()
	b.Step("default", "share the page", b.MapPage(plan.PageSize))
	b.Host("one", "linux.uidMappings", "map ids")
	b.Host("two", "hooks.prestart", "run hooks")
	b.Step("linux.namespaces", "spawn", b.SpawnChild(0, nil))
	b.Group = plan.Process
	b.Step("hostname", "name", plan.Mkdir(plan.CWD(), "x", 0))
	b.Host("three", "default", "record")
	b.Step("process.args", "wait", plan.Mkdir(plan.CWD(), "x", 0))
	p := &b.Plan
	p.Waits = true
	page := make([]byte, plan.PageTrace+16*len(p.Steps))
	for i, at := range []uint64{100, 110, 0, 150, 160, 170, 200} {
		if at != 0 {
			binary.NativeEndian.PutUint64(page[plan.PageTrace+16*i:], 1)
			binary.NativeEndian.PutUint64(page[plan.PageTrace+16*i+8:], at*1000)
		}
	}
	r := &Recorder{name: "run"}
	host := func(name string, start, end float64, waits bool, step int) {
		s := span{name: name, start: 1e6 + start, end: 1e6 + end, waits: waits}
		if step >= 0 {
			s.step = &p.Steps[step]
			s.name, s.from, s.group = s.step.What, s.step.From, s.step.Group
		}
		r.spans = append(r.spans, s)
	}
	host("compile", 0, 40, false, -1)
	host("launch", 50, 95, false, -1)
	host("", 115, 125, false, 1)
	host("", 125, 145, false, 2)
	host("", 180, 190, false, 5)
	r.Init(p, page, 20, 21)
	host("meet", 96, 210, true, -1)
	return r
}

func TestDocument(t *testing.T) {
	text, err := json.Marshal(met().document(10).Events)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(text), "},{\"name\"", "},\n{\"name\"")
	want := `[{"name":"process_name","ph":"M","ts":0,"pid":10,"tid":10,"args":{"name":"ociruntime run"}},
{"name":"process_sort_index","ph":"M","ts":0,"pid":10,"tid":10,"args":{"sort_index":0}},
{"name":"thread_name","ph":"M","ts":0,"pid":10,"tid":10,"args":{"name":"runtime on the host"}},
{"name":"process_name","ph":"M","ts":0,"pid":20,"tid":20,"args":{"name":"container, before its first process"}},
{"name":"process_sort_index","ph":"M","ts":0,"pid":20,"tid":20,"args":{"sort_index":1}},
{"name":"thread_name","ph":"M","ts":0,"pid":20,"tid":20,"args":{"name":"init image"}},
{"name":"process_name","ph":"M","ts":0,"pid":21,"tid":21,"args":{"name":"container"}},
{"name":"process_sort_index","ph":"M","ts":0,"pid":21,"tid":21,"args":{"sort_index":2}},
{"name":"thread_name","ph":"M","ts":0,"pid":21,"tid":21,"args":{"name":"init image"}},
{"name":"compile","cat":"host","ph":"X","ts":0,"dur":40,"pid":10,"tid":10,"args":{}},
{"name":"launch","cat":"host","ph":"X","ts":50,"dur":45,"pid":10,"tid":10,"args":{}},
{"name":"start","cat":"rendezvous","ph":"s","ts":94.99,"pid":10,"tid":10,"id":1},
{"name":"meet","cat":"host,waiting","ph":"X","ts":96,"dur":114,"pid":10,"tid":10,"args":{}},
{"name":"share the page","cat":"init,namespaces","ph":"X","ts":100,"dur":10,"pid":20,"tid":20,"args":{"from":"default","step":1}},
{"name":"start","cat":"rendezvous","ph":"f","ts":100,"pid":20,"tid":20,"id":1,"bp":"e"},
{"name":"map ids","cat":"init,namespaces,waiting","ph":"X","ts":110,"dur":40,"pid":20,"tid":20,"args":{"from":"linux.uidMappings","step":2}},
{"name":"meet the host","cat":"rendezvous","ph":"s","ts":110,"pid":20,"tid":20,"id":2},
{"name":"map ids","cat":"host,namespaces","ph":"X","ts":115,"dur":10,"pid":10,"tid":10,"args":{"from":"linux.uidMappings","step":2}},
{"name":"meet the host","cat":"rendezvous","ph":"f","ts":115,"pid":10,"tid":10,"id":2,"bp":"e"},
{"name":"run hooks","cat":"host,namespaces","ph":"X","ts":125,"dur":20,"pid":10,"tid":10,"args":{"from":"hooks.prestart","step":3}},
{"name":"go on","cat":"rendezvous","ph":"s","ts":144.99,"pid":10,"tid":10,"id":3},
{"name":"spawn","cat":"init,namespaces","ph":"X","ts":150,"dur":10,"pid":20,"tid":20,"args":{"from":"linux.namespaces","step":4}},
{"name":"go on","cat":"rendezvous","ph":"f","ts":150,"pid":20,"tid":20,"id":3,"bp":"e"},
{"name":"name","cat":"init,process","ph":"X","ts":160,"dur":10,"pid":21,"tid":21,"args":{"from":"hostname","step":5}},
{"name":"record","cat":"init,process,waiting","ph":"X","ts":170,"dur":30,"pid":21,"tid":21,"args":{"from":"default","step":6}},
{"name":"meet the host","cat":"rendezvous","ph":"s","ts":170,"pid":21,"tid":21,"id":4},
{"name":"record","cat":"host,process","ph":"X","ts":180,"dur":10,"pid":10,"tid":10,"args":{"from":"default","step":6}},
{"name":"meet the host","cat":"rendezvous","ph":"f","ts":180,"pid":10,"tid":10,"id":4,"bp":"e"},
{"name":"go on","cat":"rendezvous","ph":"s","ts":189.99,"pid":10,"tid":10,"id":5},
{"name":"wait","cat":"init,process","ph":"X","ts":200,"dur":0,"pid":21,"tid":21,"args":{"from":"process.args","step":7}},
{"name":"go on","cat":"rendezvous","ph":"f","ts":200,"pid":21,"tid":21,"id":5,"bp":"e"}]`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Nothing is counted twice: each side's rows add up to its time, without that in which it waited
// for the other.
func TestTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	text, err := json.Marshal(met().document(10))
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := PrintTable(&b, file); err != nil {
		t.Fatal(err)
	}
	const want = `    µs  began  where 
  45.0   50.0   host launch
  40.0    0.0   host compile
  20.0  125.0   host run hooks [hooks.prestart]
  20.0  170.0   init wait for the host: record (30.0 in all)
  14.0   96.0   host meet (114.0 in all)
  10.0  100.0   init share the page
  10.0  110.0   init wait for the host: map ids [linux.uidMappings] (40.0 in all)
  10.0  115.0   host map ids [linux.uidMappings]
  10.0  150.0   init spawn [linux.namespaces]
  10.0  160.0   init name [hostname]
  10.0  180.0   host record
   0.0  200.0   init wait [process.args]
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestSelf(t *testing.T) {
	host := func(start, took float64) Span { return Span{Start: start, Took: took} }
	init := func(start, took float64) Span { return Span{Start: start, Took: took, Init: true} }
	waits := func(s Span) Span { s.Waits = true; return s }
	for _, tt := range []struct {
		name  string
		spans []Span // in order
		want  []float64
	}{
		{"alone", []Span{host(0, 10)}, []float64{10}},
		{"both at once", []Span{host(0, 10), init(0, 10)}, []float64{10, 10}},
		{"a part", []Span{host(0, 10), host(2, 3)}, []float64{7, 3}},
		{"a part of a part", []Span{host(0, 10), host(2, 5), host(3, 1)}, []float64{5, 4, 1}},
		{"all of it", []Span{host(0, 10), host(0, 10)}, []float64{0, 10}},
		{"waiting for work", []Span{waits(host(0, 10)), init(2, 3)}, []float64{7, 3}},
		{"waiting for work that began before", []Span{init(0, 3), waits(host(1, 10))}, []float64{3, 8}},
		{"waiting for work that goes on", []Span{waits(host(0, 10)), init(8, 10)}, []float64{8, 10}},
		{"waiting for each other", []Span{waits(host(0, 10)), waits(init(2, 6)), host(3, 2)}, []float64{4, 4, 2}},
		{"nothing", []Span{host(5, 0)}, []float64{0}},
	} {
		var got []float64
		for i := range tt.spans {
			got = append(got, self(tt.spans, i))
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestNoTrace(t *testing.T) {
	for text, want := range map[string]string{"": "unexpected end", "[]": "cannot unmarshal", "{}": "no traceEvents", `{"traceEvents": 3}`: "cannot unmarshal"} {
		file := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := PrintTable(&bytes.Buffer{}, file); err == nil || !strings.Contains(err.Error(), file+" is not a trace: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := PrintTable(&bytes.Buffer{}, "/missing"); err == nil || !strings.HasPrefix(err.Error(), "--trace: open /missing") {
		t.Error(err)
	}
}

// Without a file nothing is recorded, and nothing has to be asked.
func TestNilRecorder(t *testing.T) {
	r, err := Open("", "run")
	if r != nil || err != nil {
		t.Fatal(r, err)
	}
	r.Span("", "")()
	r.Wait("", "")()
	r.Step(&plan.Step{})()
	r.Init(&plan.Plan{}, nil, 1, 1)
	done := false
	if err := r.Do(Part{Do: func() error { done = true; return nil }}); err != nil || !done {
		t.Error(err, done)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
