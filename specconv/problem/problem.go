// Package problem has the type for errors in a document, each with its place: in config.json, or in
// another document that describes a container.
package problem

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong, or odd, with a document. Path is the
// place in the document, as in `linux.resources.memory.limit`,
// `mounts[3].options[1]` or `linux.sysctl["net.ipv4.ip_forward"]`.
type Problem struct {
	Path string
	Msg  string
}

// String gives the problem in one line, its place first.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Msg
	}
	return p.Path + ": " + p.Msg
}

// Problems is everything that is wrong with a document, in the order of the
// document's sections. As an error it is one line: engines read one line.
type Problems []Problem

func (p Problems) Error() string {
	var b strings.Builder
	for i, problem := range p {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(problem.String())
	}
	return b.String()
}

// OrNil makes a nil error of no problems.
func (p Problems) OrNil() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Warnings is what deserves a word to the user and changes nothing.
type Warnings []Problem

// MemberPath gives the place of a member in the object at path.
func MemberPath(path, name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_')
	})
	switch {
	case !plain:
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// NamespaceFile is the name of the plan's file for the namespace that linux.namespaces[i] has a
// path for, which is its place in config.json, too.
func NamespaceFile(i int) string { return fmt.Sprintf("linux.namespaces[%d].path", i) }

// OrderedKeys gives a map's keys in an order that doesn't change, so that
// messages don't.
func OrderedKeys[T any](m map[string]T) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
