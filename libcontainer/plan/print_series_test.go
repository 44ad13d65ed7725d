package plan

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
)

func calls(t *testing.T, fill func(b *Builder)) string {
	t.Helper()
	b := NewBuilder()
	b.Step("test", "try")
	fill(b)
	_, text, _ := strings.Cut(string(printed(t, &b.Plan, PrintOptions{Calls: true, Options: layout.Options{Width: 140}})), "try")
	_, text, _ = strings.Cut(text, "\n")
	return text
}

// Calls that differ in one argument share a line; nothing that differs in more is lost in one.
func TestPrintSeries(t *testing.T) {
	drop := func(n int64) Op { return Prctl(unix.PR_CAPBSET_DROP, "PR_CAPBSET_DROP", Num(n)) }
	tests := []struct {
		name  string
		ops   []Op
		lines int
	}{
		{"series", []Op{drop(1), drop(2), drop(3), drop(4), drop(5)}, 1},
		{"too short", []Op{drop(1), drop(2), drop(3)}, 3},
		{"other calls around it", []Op{Umask(0), drop(1), drop(2), drop(3), drop(4), Umask(1)}, 3},
		{"another errno is fine", []Op{drop(1), drop(2), drop(3), drop(4), drop(5).Allowing(1)}, 2},
		{"conditions", []Op{Umask(0).Into(1).Allowing(1), drop(1).When(Reg(1).OK()), drop(2).When(Reg(1).OK()), drop(3).When(Reg(1).OK()), drop(4).When(Reg(1).OK())}, 5},
		{"results", []Op{Umask(1).Into(1), Umask(2).Into(1), Umask(3).Into(1), Umask(4).Into(1)}, 4},
		{"two arguments differ", []Op{Sys(SysNone, Num(1), Num(1)), Sys(SysNone, Num(2), Num(2)), Sys(SysNone, Num(3), Num(3)), Sys(SysNone, Num(4), Num(4))}, 4},
		{"one and then the other", []Op{Sys(SysNone, Num(1), Num(1)), Sys(SysNone, Num(2), Num(1)), Sys(SysNone, Num(1), Num(2)), Sys(SysNone, Num(1), Num(3))}, 4},
		{"the same again", []Op{Umask(0), Umask(0), Umask(0), Umask(0)}, 4},
	}
	for _, tt := range tests {
		text := calls(t, func(b *Builder) { b.Plan.Regs = 2; b.Do(tt.ops...) })
		if n := strings.Count(text, "\n"); n != tt.lines {
			t.Errorf("%s: %d lines, not %d:\n%s", tt.name, n, tt.lines, text)
		}
	}
	if text := calls(t, func(b *Builder) { b.Do(tests[0].ops...) }); strings.TrimSpace(text) != "prctl(PR_CAPBSET_DROP, …) for each of 1, 2, 3, 4, 5" {
		t.Errorf("printed %s", text)
	}
}

// What the host does before there is an init stands before its start.
func TestPrintWhatComesBeforeTheInit(t *testing.T) {
	p := sample()
	p.Steps = append([]Step{{What: "make the cgroup /a/b", From: "linux.cgroupsPath", Group: Cgroup, Site: Host}}, p.Steps...)
	text := string(printed(t, p, PrintOptions{}))
	for i, want := range []string{"cgroup", "   1  host: make the cgroup /a/b", "", "start of the init image"} {
		if line := strings.Split(text, "\n")[i]; !strings.HasPrefix(line, want) || want == "" && line != "" {
			t.Errorf("line %d is %q, not %q", i, line, want)
		}
	}
	if !strings.Contains(text, "\nnamespaces\n   2  share the page") {
		t.Errorf("the init's first step has no heading:\n%s", text)
	}
}

// A register is called by what the latest op has put there.
func TestPrintNamesRegistersByTheirContents(t *testing.T) {
	text := calls(t, func(b *Builder) {
		f := b.File(File{Name: "tree"})
		r, s := b.Reg(), b.Reg()
		b.Do(open(r), SetReg(s, Val(r)), Close(Val(s)), Umask(0).Into(r), Sys(SysNone, Val(r)), SetReg(r, f), Close(Val(r)))
	})
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if _, name, ok := strings.Cut(line, " → "); ok {
			names = append(names, name)
		} else {
			names = append(names, strings.TrimSpace(line))
		}
	}
	if got, want := fmt.Sprint(names), "[fd1 fd2 close(fd2) r1 none(r1) fd1 close(fd1)]"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
}
