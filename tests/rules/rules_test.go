// Package rules holds the checks of the source tree that no compiler makes:
// which package may import which, where unsafe may be used, and how long a
// function, a file and a line of a comment may be.
package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ociruntime/ociruntime"

// room is a part of the tree and what it may import of ours. A folder that
// ends in "/..." stands for everything below it, too. The first room that
// matches a package counts.
type room struct {
	dir  string
	open []string
}

// Each package of the library has an entry of its own, so that a new use of one by another is added
// here on purpose.
var rooms = []room{
	{shimRoom, []string{shimRoom, "specconv/...", "libcontainer/...", "internal/version"}},
	{"cmd/...", []string{"specconv/...", "libcontainer/...", "internal/version"}},
	{"internal/version", nil},
	{"specconv/problem", nil},
	{"specconv/similar", nil},
	{"specconv/names", nil},
	{"specconv/idmap", nil},
	{"specconv/mountopt", []string{"specconv/idmap"}},
	{"specconv/internal/configs", nil},
	{"specconv/load", []string{"specconv/problem", "specconv/similar"}},
	{"specconv/check", []string{
		"specconv/problem", "specconv/names", "specconv/idmap", "specconv/mountopt", "specconv/similar", "libcontainer/facts",
		"libcontainer/namespace", "libcontainer/cpuset",
		"libcontainer/cgroups/resources", "libcontainer/cgroups/devices", "libcontainer/seccomp",
	}},
	{"specconv/compile", []string{
		"specconv/problem", "specconv/names", "specconv/idmap", "specconv/mountopt", "specconv/check",
		"libcontainer/namespace", "libcontainer/cpuset",
		"libcontainer/plan", "libcontainer/facts", "libcontainer/seccomp",
	}},
	{"specconv", []string{
		"specconv/load", "specconv/check", "specconv/problem", "specconv/mountopt", "specconv/names", "libcontainer/namespace",
	}},
	{"libcontainer/namespace", nil},
	{"libcontainer/cpuset", nil},
	{"libcontainer/plan/layout", nil},
	{"libcontainer/plan/diff", []string{"libcontainer/plan", "libcontainer/plan/layout", "libcontainer/seccomp"}},
	{"libcontainer/plan/page", []string{"libcontainer/namespace", "libcontainer/plan", "libcontainer/plan/layout", "libcontainer/trace"}},
	{"libcontainer/plan", []string{"libcontainer/namespace", "libcontainer/plan/layout"}},
	{"libcontainer/facts", nil},
	{"libcontainer/cgroups/stats", nil},
	{"libcontainer/cgroups/devices", nil},
	{"libcontainer/cgroups/resources", []string{"libcontainer/cgroups/devices"}},
	{"libcontainer/cgroups/internal/backend", []string{"libcontainer/internal/fs", "libcontainer/refusal"}},
	{"libcontainer/cgroups/v1", []string{"libcontainer/cgroups/internal/backend"}},
	{"libcontainer/cgroups/v2", []string{
		"libcontainer/cgroups/internal/backend", "libcontainer/cgroups/devices", "libcontainer/kernel",
	}},
	{"libcontainer/cgroups/systemd", []string{"libcontainer/cgroups", "libcontainer/cpuset", "libcontainer/internal/fs", "specconv/names"}},
	{"libcontainer/cgroups", []string{
		"libcontainer/cgroups/devices", "libcontainer/cgroups/internal/backend", "libcontainer/cgroups/resources",
		"libcontainer/cgroups/stats", "libcontainer/cgroups/v1", "libcontainer/cgroups/v2", "libcontainer/refusal",
	}},
	{"libcontainer/seccomp/bpf", nil},
	{"libcontainer/seccomp/internal/mksyscalls", nil},
	{"libcontainer/seccomp", []string{"libcontainer/seccomp/bpf"}},
	{"libcontainer/console", nil},
	{"libcontainer/criu", nil},
	{"libcontainer/hooks", []string{"libcontainer/internal/pidfd", "libcontainer/kernel/entry", "libcontainer/refusal", "specconv/names"}},
	{"libcontainer/inspect", nil},
	{"libcontainer/intelrdt", nil},
	{"libcontainer/foreground", []string{"libcontainer", "libcontainer/console", "libcontainer/refusal"}},
	{"libcontainer/netdev", nil},
	{"libcontainer/sdnotify", []string{"libcontainer/internal/unixsock"}},
	{"libcontainer/state", []string{
		"libcontainer/internal/fs", "libcontainer/internal/members", "libcontainer/internal/unixsock", "libcontainer/plan",
		"libcontainer/refusal",
	}},
	{"libcontainer/trace", []string{"libcontainer/plan"}},
	{"libcontainer/kernel/...", nil},
	{"libcontainer/feature", nil},
	{"libcontainer/refusal", []string{"libcontainer/feature"}},
	{"libcontainer/initimage", []string{"libcontainer/plan", "libcontainer/kernel"}},
	{"libcontainer/launch", []string{"libcontainer/kernel/entry", "libcontainer/initimage", "libcontainer/plan", "libcontainer/refusal"}},
	{"libcontainer/internal/fs", nil},
	{"libcontainer/internal/members", nil},
	{"libcontainer/internal/pidfd", nil},
	{"libcontainer/internal/unixsock", nil},
	{"libcontainer/internal/crmounts", []string{"specconv/mountopt"}},
	{"libcontainer/internal/stage", []string{"libcontainer/internal/fs", "libcontainer/refusal"}},
	{"libcontainer/internal/diagnose", []string{"libcontainer/internal/fs", "libcontainer/launch", "libcontainer/namespace", "libcontainer/plan", "specconv/similar"}},
	{"libcontainer/internal/rootfs", []string{
		"libcontainer/cgroups", "libcontainer/internal/fs", "libcontainer/launch", "libcontainer/plan", "libcontainer/probe",
		"libcontainer/refusal", "libcontainer/state", "specconv/compile", "specconv/idmap",
	}},
	{"libcontainer/internal/setup", []string{
		"libcontainer/cgroups", "libcontainer/console", "libcontainer/cpuset", "libcontainer/facts", "libcontainer/hooks",
		"libcontainer/internal/fs", "libcontainer/internal/unixsock", "libcontainer/kernel/entry", "libcontainer/launch", "libcontainer/plan",
		"libcontainer/probe", "libcontainer/refusal", "specconv/compile", "specconv/idmap", "specconv/names",
	}},
	{"libcontainer/probe", []string{
		"libcontainer/cgroups", "libcontainer/facts", "libcontainer/feature", "libcontainer/internal/fs", "libcontainer/namespace",
		"libcontainer/plan", "libcontainer/refusal", "specconv/compile", "specconv/mountopt", "specconv/problem",
	}},
	{"libcontainer", []string{"libcontainer/...", "specconv/..."}},
	{"tests/...", []string{"tests/...", "libcontainer/...", "specconv/..."}},
}

// forTests is what the tests of any room may use: a compiler is fed with documents, what it makes
// is linked and compared, and a program is looked for in a root file system.
var forTests = []string{
	"libcontainer/initimage", "libcontainer/internal/rootfs", "specconv", "specconv/load", "specconv/internal/configs",
	"libcontainer/plan/diff",
}

// shimRoom is the containerd shim's, which speaks containerd's protocol by containerd's own
// packages for it. They are generated, and hold nothing of a runtime.
const shimRoom = "cmd/containerd-shim-ociruntime-v1/..."

// speaksToShim are the rooms that do, as containerd does or through it.
var speaksToShim = []string{shimRoom, "tests/shim", "tests/bench/..."}

var shimMessages = []string{
	"github.com/containerd/containerd/api/...",
	"github.com/containerd/cgroups/v3/cgroup1/stats",
	"github.com/containerd/cgroups/v3/cgroup2/stats",
}

// unsafeRoom is the one package that may use unsafe.
const unsafeRoom = "libcontainer/kernel"

// heavy are packages of the standard library that a runtime has no time for: it starts several
// times a container, and what it imports is initialised at each start.
var heavy = []string{"net/http", "text/template", "html/template"}

// foreign are modules that no package may import: another runtime's own code.
var foreign = []string{
	"github.com/opencontainers/runc",
	"github.com/opencontainers/cgroups",
	"github.com/containerd/cgroups",
	"github.com/containerd/containerd",
	"github.com/sirupsen/logrus",
}

func TestRooms(t *testing.T) {
	used := make(map[string]bool)
	eachFile(t, func(file string, fset *token.FileSet, tree *ast.File) {
		dir := path.Dir(file)
		from := roomOf(dir)
		if from == nil {
			t.Errorf("%s: no room for folder %s", file, dir)
			return
		}
		for _, spec := range tree.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			where := fset.Position(spec.Pos()).Line
			switch {
			case name == "unsafe" && dir != unsafeRoom:
				t.Errorf("%s:%d: unsafe belongs in %s", file, where, unsafeRoom)
			case name == "C":
				t.Errorf("%s:%d: cgo is not used here", file, where)
			case slices.Contains(heavy, name) && !strings.HasPrefix(dir, "tests/"):
				t.Errorf("%s:%d: %s takes too long to initialise", file, where, name)
			case slices.ContainsFunc(speaksToShim, func(room string) bool { return within(dir, room) }) && slices.ContainsFunc(shimMessages, func(m string) bool { return within(name, m) }):
			case slices.ContainsFunc(foreign, func(m string) bool { return within(name, m+"/...") }):
				t.Errorf("%s:%d: %s is another runtime's own code", file, where, name)
			}
			ours, ok := strings.CutPrefix(name, module+"/")
			if slices.Contains(forTests, ours) && strings.HasSuffix(file, "_test.go") {
				continue
			}
			if !ok || ours == dir {
				continue
			}
			i := slices.IndexFunc(from.open, func(p string) bool { return within(ours, p) })
			if i < 0 {
				t.Errorf("%s:%d: %s may not import %s", file, where, dir, ours)
				continue
			}
			used[from.dir+" "+from.open[i]] = true
		}
	})
	for _, r := range rooms {
		for _, p := range r.open {
			if !used[r.dir+" "+p] {
				t.Errorf("%s may import %s, and does not", r.dir, p)
			}
		}
	}
}

func roomOf(dir string) *room {
	for i := range rooms {
		if within(dir, rooms[i].dir) {
			return &rooms[i]
		}
	}
	return nil
}

// within reports whether dir matches pattern: itself, or with "/..." all below.
func within(dir, pattern string) bool {
	base, deep := strings.CutSuffix(pattern, "/...")
	return dir == base || deep && strings.HasPrefix(dir, base+"/")
}

// eachFile parses every Go file of the tree, whatever its build constraints,
// and hands it over with its path relative to the top.
func eachFile(t *testing.T, visit func(file string, fset *token.FileSet, tree *ast.File)) {
	t.Helper()
	top := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if base == "testdata" || base == "bin" || base == "demo" || strings.HasPrefix(base, ".") && name != top {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		visit(filepath.ToSlash(rel), fset, tree)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 2 {
		t.Fatalf("found %d Go files below %s", seen, top)
	}
}
