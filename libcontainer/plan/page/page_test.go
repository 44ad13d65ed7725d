package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
)

var update = flag.Bool("update", false, "write the digests of the page's own script and style anew")

// evil is text that would like to be markup.
const evil = `</script><script>alert("owned")</script><!--<img src=x onerror=alert(1)>`

func sample() *Page {
	b := plan.NewBuilder()
	b.Plan.Clone = unix.CLONE_NEWPID
	ns := b.File(plan.File{Name: "linux.namespaces[1].path", Open: plan.OpenNS, Path: "/run/netns/blue", NSType: unix.CLONE_NEWNET})
	b.Step("linux.namespaces", "join", plan.Setns(ns, plan.As(unix.CLONE_NEWNET, plan.AsClone)))
	b.Host("do", "hooks.prestart", "run the hooks")
	b.Step("process.args", "execute "+evil, plan.Mkdir(plan.CWD(), evil, 0))
	return &Page{
		Title: evil, Subtitle: evil, Plan: &b.Plan, Notes: []string{evil}, Filter: evil,
		Spec: &specs.Spec{Process: &specs.Process{Args: []string{evil}, Env: []string{"A=" + evil}}},
		Spans: []trace.Span{
			{Name: "compile", Start: 0, Took: 5, Self: 5},
			{Name: "join", From: "linux.namespaces", Init: true, Start: 5, Took: 2, Self: 2},
			{Name: "run the hooks", From: "hooks.prestart", Init: true, Waits: true, Start: 7, Took: 20, Self: 2},
			{Name: "run the hooks", From: "hooks.prestart", Start: 8, Took: 18, Self: 18},
			{Name: "run the hooks", From: "hooks.prestart", Start: 26, Took: 1, Self: 1},
		},
	}
}

func written(t *testing.T, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page's own script and style are the only ones that its policy allows.
func TestPolicy(t *testing.T) {
	digest := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	replace := func(text, policy, content string) string {
		return regexp.MustCompile(policy+` 'sha256-[^']*'`).ReplaceAllLiteralString(text, policy+" 'sha256-"+digest(content)+"'")
	}
	want := replace(replace(skeleton, "script-src", script), "style-src", style)
	if *update {
		if err := os.WriteFile("page.html", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if skeleton != want {
		t.Error("the policy in page.html allows another script or style (-update rewrites it)")
	}
	for _, text := range []string{skeleton, script, style} {
		for _, word := range []string{"http://", "https://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import", "url("} {
			if strings.Contains(text, word) {
				t.Errorf("the page has %s", word)
			}
		}
	}
}

// Text of config.json stays text: it does not end the element that it is in.
func TestEscape(t *testing.T) {
	text := written(t, sample())
	if n := strings.Count(strings.ToLower(text), "</script"); n != 2 {
		t.Errorf("%d scripts end", n)
	}
	if strings.Contains(text, "<img") || strings.Contains(text, "<!--<") {
		t.Error("there is markup of somebody else's in the page")
	}
	var d document
	if err := json.Unmarshal([]byte(dataOf(t, text)), &d); err != nil || d.Title != evil || d.Config.Process.Args[0] != evil || d.Steps[2].What != "execute "+evil {
		t.Errorf("%v: %+v", err, d)
	}
	for _, mark := range []string{"<!--style-->", "<!--data-->", "<!--script-->"} {
		if strings.Contains(text, mark) {
			t.Errorf("%s is still there", mark)
		}
	}
}

func dataOf(t *testing.T, text string) string {
	t.Helper()
	_, text, _ = strings.Cut(text, `id="data">`)
	text, _, ok := strings.Cut(text, "</script>")
	if !ok {
		t.Fatal("the page has no data")
	}
	return text
}

func TestDocument(t *testing.T) {
	d := sample().document()
	is := ""
	for _, n := range d.Namespaces {
		is += n.Name + "=" + n.Is + n.Path + " "
	}
	if want := "user=host mount=host pid=made network=joined/run/netns/blue ipc=host uts=host cgroup=host time=host "; is != want {
		t.Errorf("%s, want %s", is, want)
	}
	if s := d.Steps[0]; s.Host || s.Time == nil || s.Time.Start != 5 || s.Wait != nil {
		t.Errorf("the init's step: %+v", s)
	}
	if s := d.Steps[1]; !s.Host || s.Time == nil || s.Time.Start != 8 || s.Wait == nil || s.Wait.Took != 20 {
		t.Errorf("the host's step: %+v", s)
	}
	if d.Steps[2].Time != nil || d.Total != 27 || len(d.Spans) != 2 || d.Spans[0].Name != "compile" || d.Spans[1].Start != 26 {
		t.Errorf("around: %+v of %v", d.Spans, d.Total)
	}
	for _, s := range d.Steps {
		for _, c := range s.Calls {
			if strings.Contains(c, "\u00a0") {
				t.Errorf("%q has spaces that are none", c)
			}
		}
	}
}
