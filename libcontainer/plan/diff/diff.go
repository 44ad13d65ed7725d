// Package diff says what one plan has that another lacks: steps, their system calls, how the init
// image is started, and what the seccomp filters decide. It is for people who want to see what a
// line of config.json does.
package diff

import (
	"slices"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
)

// Side is one of the two plans.
type Side struct {
	Name   string
	Plan   *plan.Plan
	Filter *seccomp.Program // nil without one
	// Own are paths and names that the other side has others for, such as that of the bundle: they
	// are no difference.
	Own []string
}

// Diff is what differs, in the order of the plans.
type Diff struct {
	A     string `json:"a"`
	B     string `json:"b"`
	Parts []Part `json:"parts"`
	// Steps are counted.
	Steps Count `json:"steps"`
}

// Count is how many steps have come, have gone, differ and are the same.
type Count struct {
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
}

// Part is a run of changes under one heading.
type Part struct {
	Name    string   `json:"name"`
	Changes []Change `json:"changes"`
}

// Kind is what has happened on the way from A to B.
type Kind string

// The kinds of changes.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
)

// Change is a step, or a line of another part, that differs.
type Change struct {
	Kind Kind `json:"change"`
	// A and B are the numbers of the step in the two plans, 0 where it is missing.
	A    int    `json:"numberA,omitempty"`
	B    int    `json:"numberB,omitempty"`
	Site string `json:"site,omitempty"` // of a step: init, host
	What string `json:"what"`
	// Was is what a changed step or line was in A, if not What.
	Was   string `json:"was,omitempty"`
	From  string `json:"from,omitempty"`
	Calls []Line `json:"calls,omitempty"`
}

// Line is a system call that has come or gone.
type Line struct {
	Kind Kind   `json:"change"`
	Text string `json:"text"`
	laid string // Text with [layout.Glue] in it
}

func line(kind Kind, laid string) Line {
	return Line{kind, strings.ReplaceAll(laid, layout.Glue, " "), laid}
}

// Of compares two plans.
func Of(a, b Side) *Diff {
	d := &Diff{A: a.Name, B: b.Name, Parts: []Part{}}
	d.add("namespaces beside the host's", namespaceChanges(a.Plan, b.Plan)...)
	d.add("start of the init image", startChanges(&a, &b)...)
	d.steps(words(&a), words(&b))
	d.add("seccomp filter", filterChanges(a.Filter, b.Filter)...)
	return d
}

func (d *Diff) add(part string, changes ...Change) {
	if len(changes) == 0 {
		return
	}
	if n := len(d.Parts); n == 0 || d.Parts[n-1].Name != part {
		d.Parts = append(d.Parts, Part{Name: part})
	}
	last := &d.Parts[len(d.Parts)-1]
	last.Changes = append(last.Changes, changes...)
}

// namespaceChanges are what comes into being beside the host's, and what is joined.
func namespaceChanges(a, b *plan.Plan) (changes []Change) {
	madeA, joinedA := a.Namespaces()
	madeB, joinedB := b.Namespaces()
	only := func(kind Kind, what string, has, lacks []string) {
		for _, s := range has {
			if !slices.Contains(lacks, s) {
				changes = append(changes, Change{Kind: kind, What: what + s, From: "linux.namespaces"})
			}
		}
	}
	only(Removed, "a new one: ", madeA, madeB)
	only(Removed, "joined: ", joinedA, joinedB)
	only(Added, "a new one: ", madeB, madeA)
	only(Added, "joined: ", joinedB, joinedA)
	return changes
}

// startChanges are the descriptors with which the init begins.
func startChanges(a, b *Side) (changes []Change) {
	filesA, filesB := a.Plan.Start(), b.Plan.Start()
	key := func(s *Side, f *plan.FileWords) string { return plan.WithoutIndex(f.Name) + " " + s.common(f.What) }
	note := func(kind Kind, f *plan.FileWords) {
		changes = append(changes, Change{Kind: kind, What: "descriptor " + f.Name + ": " + f.What, From: f.From})
	}
	pairs := align(len(filesA), len(filesB), func(i, j int) bool { return key(a, &filesA[i]) == key(b, &filesB[j]) })
	walk(pairs, len(filesA), len(filesB),
		func(i int) { note(Removed, &filesA[i]) },
		func(j int) { note(Added, &filesB[j]) },
		func(int, int) {})
	return changes
}

// filterChanges are the system calls on which the filters decide differently.
func filterChanges(a, b *seccomp.Program) (changes []Change) {
	namedA, otherA := a.Decisions()
	namedB, otherB := b.Decisions()
	note := func(calls, was, is string) {
		if was != is {
			changes = append(changes, Change{Kind: Changed, What: calls + ": " + is, Was: calls + ": " + was, From: "linux.seccomp"})
		}
	}
	note("every call that is not named", otherA, otherB)
	verdict := func(named []seccomp.Decision, call, other string) string {
		if i := slices.IndexFunc(named, func(d seccomp.Decision) bool { return d.Call == call }); i >= 0 {
			return named[i].Verdict
		}
		return other
	}
	for _, d := range namedA {
		note(d.Call, d.Verdict, verdict(namedB, d.Call, otherB))
	}
	for _, d := range namedB {
		if !slices.ContainsFunc(namedA, func(e seccomp.Decision) bool { return e.Call == d.Call }) {
			note(d.Call, otherA, d.Verdict)
		}
	}
	return merged(changes)
}

// merged are filterChanges with a line for all calls that have changed alike.
func merged(changes []Change) (out []Change) {
	rest := func(s string) string { _, verdict, _ := strings.Cut(s, ": "); return verdict }
	for _, c := range changes {
		i := slices.IndexFunc(out, func(o Change) bool {
			return rest(o.What) == rest(c.What) && rest(o.Was) == rest(c.Was) && !strings.HasPrefix(o.What, "every")
		})
		if i < 0 {
			out = append(out, c)
			continue
		}
		calls, _, _ := strings.Cut(out[i].What, ": ")
		call, _, _ := strings.Cut(c.What, ": ")
		out[i].What = calls + " " + call + ": " + rest(c.What)
		out[i].Was = calls + " " + call + ": " + rest(c.Was)
	}
	return out
}
