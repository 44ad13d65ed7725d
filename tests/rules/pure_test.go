package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pure are the packages that ask nobody: what they give depends on their arguments alone. So
// `explain` shows the plan that runs, and a test needs no kernel.
var pure = []string{
	"specconv/...", "libcontainer/facts", "libcontainer/namespace", "libcontainer/cpuset", "libcontainer/plan", "libcontainer/seccomp", "libcontainer/seccomp/bpf",
	"libcontainer/cgroups/resources", "libcontainer/cgroups/devices",
	"libcontainer/internal/crmounts",
}

// impure is what they may not import.
var impure = []string{
	"os", "os/exec", "os/signal", "os/user", "net", "syscall", "time", "math/rand", "math/rand/v2", "crypto/rand",
	"github.com/moby/sys/mountinfo",
}

// readers are files of pure packages that may read a file.
var readers = []string{"specconv/load/load.go"}

// Of golang.org/x/sys/unix they may use the constants, which are in capitals, types, and the
// functions that only calculate.
const unixPath = "golang.org/x/sys/unix"

var (
	unixConstant = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	unixPure     = []string{
		"Errno", "Signal", "CPUSet", "SchedAttr",
		"Major", "Minor", "Mkdev", "ErrnoName", "SignalName",
	}
)

func TestPure(t *testing.T) {
	seen := make(map[string]bool)
	eachFile(t, func(file string, fset *token.FileSet, tree *ast.File) {
		i := slices.IndexFunc(pure, func(p string) bool { return within(path.Dir(file), p) })
		if i < 0 || strings.HasSuffix(file, "_test.go") {
			return
		}
		seen[pure[i]] = true
		for _, fault := range impurities(tree, slices.Contains(readers, file)) {
			t.Errorf("%s:%d: a pure package may not use %s", file, fset.Position(fault.Pos()).Line, text(fault))
		}
	})
	for _, p := range pure {
		if !seen[p] {
			t.Errorf("%s has no files", p)
		}
	}
}

// impurities are the imports of a file, and what it uses of package unix, that make it depend on
// more than its arguments.
func impurities(tree *ast.File, mayRead bool) []ast.Node {
	var faults []ast.Node
	unixName := ""
	for _, spec := range tree.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		switch {
		case name == unixPath && spec.Name != nil && spec.Name.Name == ".":
			faults = append(faults, spec)
		case name == unixPath && spec.Name != nil:
			unixName = spec.Name.Name
		case name == unixPath:
			unixName = "unix"
		case slices.Contains(impure, name) && (name != "os" || !mayRead):
			faults = append(faults, spec)
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		// Taken as a value, a function can be called as well.
		if x, ok := s.X.(*ast.Ident); ok && x.Name == unixName &&
			!unixConstant.MatchString(s.Sel.Name) && !slices.Contains(unixPure, s.Sel.Name) {
			faults = append(faults, s)
		}
		return true
	})
	return faults
}

func text(n ast.Node) string {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return n.Path.Value
	case *ast.SelectorExpr:
		return "unix." + n.Sel.Name
	}
	return ""
}

func parse(t *testing.T, source string) *ast.File {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), "", "package p; "+source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestImpurities checks the check.
func TestImpurities(t *testing.T) {
	for source, want := range map[string]int{
		`import "golang.org/x/sys/unix"; var _ = unix.CLONE_NEWNS`:                       0,
		`import "golang.org/x/sys/unix"; var _ = unix.Errno(unix.EPERM)`:                 0,
		`import "golang.org/x/sys/unix"; var _ = unix.Mkdev(1, 3)`:                       0,
		`import "golang.org/x/sys/unix"; var _ = unix.Getpid()`:                          1,
		`import "golang.org/x/sys/unix"; var look = unix.Stat`:                           1,
		`import kernel "golang.org/x/sys/unix"; var _ = kernel.Access("/", 0)`:           1,
		`import . "golang.org/x/sys/unix"; var _ = Getpid()`:                             1,
		`import "os"; var _ = os.Getpid()`:                                               1,
		`import "syscall"; import "net"; var _, _ = syscall.Getpid(), net.IPv4(1,2,3,4)`: 2,
	} {
		if got := len(impurities(parse(t, source), false)); got != want {
			t.Errorf("%s: %d faults, want %d", source, got, want)
		}
	}
	if faults := impurities(parse(t, `import "os"; var _ = os.ReadFile`), true); len(faults) > 0 {
		t.Errorf("a reader's import of os: %d faults", len(faults))
	}
}
