package rules

import (
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// What production code keeps to; tests may have longer functions and files.
const (
	functionSize = 60
	fileSize     = 400
	commentWidth = 100 // columns, a tab counted as four
)

// exceptionsFile lists what was longer before there were limits, as "what: size". An entry can only
// shrink: -update lowers it to what is there now.
const exceptionsFile = "exceptions.txt"

var update = flag.Bool("update", false, "lower the exceptions to what is there now")

func TestSizes(t *testing.T) {
	got := make(map[string]int)
	limits := make(map[string]int)
	note := func(what string, size, limit int) {
		got[what], limits[what] = size, limit
	}
	eachFile(t, func(file string, fset *token.FileSet, tree *ast.File) {
		if ast.IsGenerated(tree) {
			return
		}
		top, _, _ := strings.Cut(file, "/")
		note("wide comments in "+top, got["wide comments in "+top]+wideComments(t, file, fset, tree), 0)
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		note(file, fset.File(tree.Pos()).LineCount(), fileSize)
		for _, decl := range tree.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				start, end := fset.Position(f.Pos()).Line, fset.Position(f.End()).Line
				note(file+" "+f.Name.Name, end-start+1, functionSize)
			}
		}
	})
	exceptions := readExceptions(t)
	for _, what := range slices.Sorted(maps.Keys(got)) {
		if limit := max(limits[what], exceptions[what]); got[what] > limit {
			t.Errorf("%s: %d, at most %d", what, got[what], limit)
		}
	}
	if *update {
		writeExceptions(t, exceptions, got, limits)
	}
}

// wideComments counts the lines with a comment that reach beyond a reader's window.
func wideComments(t *testing.T, file string, fset *token.FileSet, tree *ast.File) int {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	n := 0
	for _, group := range tree.Comments {
		for i := fset.Position(group.Pos()).Line; i <= fset.Position(group.End()).Line; i++ {
			line := lines[i-1]
			if utf8.RuneCountInString(line)+3*strings.Count(line, "\t") > commentWidth {
				n++
			}
		}
	}
	return n
}

func readExceptions(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(exceptionsFile)
	if err != nil {
		t.Fatal(err)
	}
	exceptions := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		what, size, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		if exceptions[what], err = strconv.Atoi(size); err != nil {
			t.Fatalf("%s: %q: %v", exceptionsFile, line, err)
		}
	}
	return exceptions
}

// writeExceptions keeps those that are still needed, at no more than they were.
func writeExceptions(t *testing.T, exceptions, got, limits map[string]int) {
	t.Helper()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(exceptions)) {
		if size := min(exceptions[what], got[what]); size > limits[what] {
			fmt.Fprintf(&b, "%s: %d\n", what, size)
		}
	}
	if err := os.WriteFile(exceptionsFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
