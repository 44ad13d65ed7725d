package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const manual = "../../contrib/man"

// Each command's page is made of what its help says: `go test ./cmd/ociruntime
// -run Manual -update` after a change.
func TestManualPages(t *testing.T) {
	pages := map[string]bool{}
	for _, c := range commands() {
		file := filepath.Join(manual, name+"-"+c.name+".8")
		pages[file] = true
		want := page(c)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s does not say what the help says (-update rewrites it): %v", file, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(manual, name+"-*.8"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !pages[file] {
			t.Errorf("%s is the page of no command", file)
		}
	}
}

// The page of the program is written by hand.
func TestManualIsComplete(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(manual, name+".8"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), `\-`, "-")
	for _, c := range commands() {
		if !strings.Contains(text, ".BR "+name+"-"+c.name+" (8)\n"+sentence(c.summary)) {
			t.Errorf("command %s, %q, is not in it", c.name, sentence(c.summary))
		}
	}
	for _, d := range newFlags((&globals{}).define).docs {
		if d.usage != "" && !strings.Contains(text, "--"+d.long) {
			t.Errorf("global flag --%s is not in it", d.long)
		}
	}
}

// page is a command's page in the macros of man(7).
func page(c *command) string {
	var b strings.Builder
	b.WriteString(`.\" Made from the command's help by a test in cmd/` + name + ": don't edit.\n")
	b.WriteString(".TH " + strings.ToUpper(name+"-"+c.name) + ` 8 "" "` + name + `" "System Administration"` + "\n")
	b.WriteString(".SH NAME\n" + roff(name+"-"+c.name) + ` \- ` + roff(c.summary) + "\n")
	b.WriteString(".SH SYNOPSIS\n.B " + name + " " + c.name + "\n" + roff(strings.TrimSpace("[flags] "+c.args)) + "\n")
	b.WriteString(".SH DESCRIPTION\n")
	for i, paragraph := range strings.Split(c.about, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(paragraph) + "\n")
	}
	b.WriteString(".SH FLAGS\n")
	for _, d := range newFlags(c.flags).docs {
		if d.usage == "" {
			continue
		}
		b.WriteString(".TP\n")
		if d.short != "" {
			b.WriteString(`\fB\-` + d.short + `\fR, `)
		}
		b.WriteString(`\fB\-\-` + roff(d.long) + `\fR`)
		if d.arg != "" {
			b.WriteString(` \fI` + roff(d.arg) + `\fR`)
		}
		b.WriteString("\n" + roff(sentence(d.usage)) + "\n")
	}
	b.WriteString(".SH SEE ALSO\n.BR " + name + " (8)\n")
	return b.String()
}

// roff escapes text for troff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// sentence makes a sentence of a line of the help.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }
