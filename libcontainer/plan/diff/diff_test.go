package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
)

// built is a plan of steps "PLACE: SENTENCE: PATH…", each with a call for every path.
func built(steps ...string) *plan.Plan {
	b := plan.NewBuilder()
	for _, s := range steps {
		parts := strings.SplitN(s, ": ", 3)
		b.Step(parts[0], parts[1])
		for _, path := range strings.Fields(append(parts, "")[2]) {
			b.Do(plan.Mkdir(plan.CWD(), path, 0o755))
		}
	}
	return &b.Plan
}

// brief is a difference as signs and sentences.
func brief(d *Diff) (lines []string) {
	for _, p := range d.Parts {
		for _, c := range p.Changes {
			line := c.Kind.sign() + " " + c.What
			if c.Was != "" {
				line += " (was " + c.Was + ")"
			}
			for _, l := range c.Calls {
				line += " " + l.Kind.sign() + strings.Split(l.Text, `"`)[1]
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func TestSteps(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b []string
		want []string
	}{
		{"nothing", nil, nil, nil},
		{"the same", []string{"x: one: p"}, []string{"x: one: p"}, nil},
		{"the first", nil, []string{"x: one: p"}, []string{"+ one +p"}},
		{"the last", []string{"x: one: p", "y: two: q"}, []string{"x: one: p"}, []string{"- two -q"}},
		{"another number", []string{"m[0]: one: p"}, []string{"m[0]: zero: q", "m[1]: one: p"}, []string{"+ zero +q"}},
		{"other calls", []string{"x: one: p q r"}, []string{"x: one: p s r"}, []string{"~ one -q +s"}},
		{"a place without a number", []string{"x: be 1: p"}, []string{"x: be 2: q"}, []string{"~ be 2 (was be 1) -p +q"}},
		{"mostly the same calls", []string{"m[0]: be 1: p q r"}, []string{"m[4]: be 2: p q s"}, []string{"~ be 2 (was be 1) -r +s"}},
		{"mostly other calls", []string{"m[0]: be 1: p q r"}, []string{"m[0]: be 2: p s t"}, []string{"- be 1 -p -q -r", "+ be 2 +p +s +t"}},
		{"nobody has asked", []string{"default: be 1: p"}, []string{"default: be 2: p"}, []string{"- be 1 -p", "+ be 2 +p"}},
		{"another order", []string{"x: one: p", "y: two: q"}, []string{"y: two: q", "x: one: p"}, []string{"- one -p", "+ one +p"}},
		{"its own bundle", []string{"x: go to /a/b/rootfs: /a/b/rootfs"}, []string{"x: go to /c/rootfs: /c/rootfs"}, nil},
		{"not its own", []string{"x: go to /a/bc: /a/bc"}, []string{"x: go to /c/: /c/"}, []string{"~ go to /c/ (was go to /a/bc) -/a/bc +/c/"}},
	} {
		d := Of(Side{Plan: built(tt.a...), Own: []string{"/a/b"}}, Side{Plan: built(tt.b...), Own: []string{"/c"}})
		if got := brief(d); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
		if n := d.Steps; n.Same+n.Changed+n.Removed != len(tt.a) || n.Same+n.Changed+n.Added != len(tt.b) {
			t.Errorf("%s: %s, of %d and %d", tt.name, n, len(tt.a), len(tt.b))
		}
	}
}

// A register has another number when there are more before it; which one is used still counts.
func TestRegisters(t *testing.T) {
	plans := func(use func(one, two plan.Reg) plan.Reg, more int) *plan.Plan {
		b := plan.NewBuilder()
		for range more {
			b.Reg()
		}
		one, two := b.Reg(), b.Reg()
		b.Step("x", "try", plan.Mkdir(plan.CWD(), "a", 0).Into(one).Allowing(2), plan.Mkdir(plan.CWD(), "b", 0).Into(two).Allowing(2))
		b.Do(plan.Mkdir(plan.CWD(), "c", 0).When(use(one, two).Failed()))
		return &b.Plan
	}
	first := func(one, _ plan.Reg) plan.Reg { return one }
	second := func(_, two plan.Reg) plan.Reg { return two }
	if d := Of(Side{Plan: plans(first, 0)}, Side{Plan: plans(first, 7)}); len(d.Parts) != 0 {
		t.Errorf("other numbers are a difference: %q", brief(d))
	}
	if d := Of(Side{Plan: plans(first, 0)}, Side{Plan: plans(second, 0)}); d.Steps.Changed != 1 {
		t.Errorf("another register is no difference: %s", d.Steps)
	}
}

func TestReplaceWord(t *testing.T) {
	for _, tt := range [][4]string{
		{"/cg/web", "web", "ID", "/cg/ID"},
		{"/cg/web/x web", "web", "ID", "/cg/ID/x ID"},
		{"webs cobweb web-1 web_2", "web", "ID", "webs cobweb web-1 web_2"},
		{"/b/rootfs /b /bb", "/b", "B", "B/rootfs B /bb"},
		{"", "web", "ID", ""},
	} {
		if got := replaceWord(tt[0], tt[1], tt[2]); got != tt[3] {
			t.Errorf("%s in %q: %q, not %q", tt[1], tt[0], got, tt[3])
		}
	}
}

// The alignment is in order, pairs what is the same, and leaves nothing out that could be paired.
func TestAlign(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 0}, {"abc", "abc", 3}, {"abcdef", "acf", 3}, {"abc", "xaybzc", 3}, {"abcd", "dabc", 3}, {"aXbY", "aYbX", 2},
	} {
		pairs := align(len(tt.a), len(tt.b), func(i, j int) bool { return tt.a[i] == tt.b[j] })
		last := [2]int{-1, -1}
		for _, p := range pairs {
			if tt.a[p[0]] != tt.b[p[1]] || p[0] <= last[0] || p[1] <= last[1] {
				t.Errorf("%s, %s: %v", tt.a, tt.b, pairs)
			}
			last = p
		}
		if len(pairs) != tt.want {
			t.Errorf("%s, %s: %v, want %d pairs", tt.a, tt.b, pairs, tt.want)
		}
	}
}

func TestForms(t *testing.T) {
	d := Of(Side{Name: "one", Plan: built("x: old: p")}, Side{Name: "two", Plan: built("y: new: q")})
	var plain, color bytes.Buffer
	for w, o := range map[*bytes.Buffer]PrintOptions{&plain: {}, &color: {Options: layout.Options{Color: true}}} {
		if err := Print(w, d, o); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(plain.String(), "mkdirat") || strings.Contains(plain.String(), "\x1b") || !strings.Contains(color.String(), "\x1b[32m+    1  new") {
		t.Errorf("without calls:\n%s\nwith colour:\n%s", plain.String(), color.String())
	}
	data, err := json.Marshal(d)
	want := `{"change":"added","numberB":1,"site":"init","what":"new","from":"y","calls":[{"change":"added","text":"mkdirat(cwd, \"q\", 0755)"}]}`
	if err != nil || !strings.Contains(string(data), want) {
		t.Errorf("%v: %s", err, data)
	}
	if s := fmt.Sprint(Of(Side{Plan: built()}, Side{Plan: built()}).Steps); s != "the same 0 steps" {
		t.Error(s)
	}
}
