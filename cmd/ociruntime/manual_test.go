package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

const manual = "../../contrib/man"

// Each command's page is made of what its help says: `go test ./cmd/ociruntime
// -run Manual -update` after a change.
func TestManualPages(t *testing.T) {
	pages := map[string]bool{}
	all, _ := newApp(&app{}, nil)
	for _, c := range all.VisibleCommands() {
		file := filepath.Join(manual, name+"-"+c.Name+".8")
		pages[file] = true
		want := manualPage(c)
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
	commandLine, _ := newApp(&app{}, nil)
	for _, c := range commandLine.VisibleCommands() {
		if !strings.Contains(text, ".BR "+name+"-"+c.Name+" (8)\n"+sentence(c.Usage)) {
			t.Errorf("command %s, %q, is not in it", c.Name, sentence(c.Usage))
		}
	}
	for _, f := range commandLine.VisibleFlags() {
		if long := f.Names()[0]; !strings.Contains(text, "--"+long) {
			t.Errorf("global flag --%s is not in it", long)
		}
	}
}

// manualPage is a command's page in the macros of man(7).
func manualPage(c *cli.Command) string {
	var b strings.Builder
	b.WriteString(`.\" Made from the command's help by a test in cmd/` + name + ": don't edit.\n")
	b.WriteString(".TH " + strings.ToUpper(name+"-"+c.Name) + ` 8 "" "` + name + `" "System Administration"` + "\n")
	b.WriteString(".SH NAME\n" + roff(name+"-"+c.Name) + ` \- ` + roff(c.Usage) + "\n")
	b.WriteString(".SH SYNOPSIS\n.B " + name + " " + c.Name + "\n" + roff(strings.TrimSpace("[flags] "+c.ArgsUsage)) + "\n")
	b.WriteString(".SH DESCRIPTION\n")
	for i, paragraph := range strings.Split(c.Description, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(paragraph) + "\n")
	}
	b.WriteString(".SH FLAGS\n")
	for _, f := range append(c.VisibleFlags(), cli.HelpFlag) {
		usage := f.(cli.DocGenerationFlag).GetUsage()
		var names []string
		for _, n := range f.Names() {
			dashes := `\-`
			if len(n) > 1 {
				dashes = `\-\-`
			}
			names = append(names, `\fB`+dashes+roff(n)+`\fR`)
		}
		slices.Reverse(names)
		b.WriteString(".TP\n" + strings.Join(names, ", "))
		if parts := strings.Split(usage, "`"); len(parts) == 3 {
			b.WriteString(` \fI` + roff(parts[1]) + `\fR`)
		}
		b.WriteString("\n" + roff(sentence(strings.ReplaceAll(usage, "`", ""))) + "\n")
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
