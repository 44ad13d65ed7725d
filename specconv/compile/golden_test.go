package compile

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/initimage"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// A golden plan is a file in testdata/plans: a comment that says what to look
// at, config.json, what else the plan depends on (input, below), and the plan
// as explain prints it. `go test ./specconv/compile -run Plans -update` writes the
// plans anew; read the difference as a reviewer of security would.

// input is what a golden plan depends on beside its config.json. What it leaves
// out is as ordinaryInput has it.
type input struct {
	Facts                 *facts.Facts
	Run, Hold             bool
	NoPivot, NoNewKeyring bool
	Preserve, ListenFDs   int
	Rootless, Exec        bool
	// Calls holds the beginnings of the places whose steps are printed with
	// their system calls. nil means all.
	Calls []string
}

// ordinaryInput is `create` by root on a cgroup v2 host with every capability
// of Linux 6.x and stdio that belongs to root.
func ordinaryInput() *input {
	const all = 1<<41 - 1
	return &input{Facts: &facts.Facts{
		Privileged: true, OwnsMounts: true, LastCap: 40, Bounding: all, Permitted: all, Kcore: true, Cgroup2: true,
	}}
}

// compileConfig checks and compiles data the way create or exec does, and
// gives the warnings a line each.
func compileConfig(data []byte, in *input) (*plan.Plan, string, error) {
	spec, _, err := load.Parse(data)
	if err != nil {
		return nil, "", err
	}
	if _, err := check.Spec(spec, check.Options{Rootless: in.Rootless, NoPivot: in.NoPivot}); err != nil {
		return nil, "", err
	}
	var warnings strings.Builder
	full := Input{
		ID: "c1", Bundle: "/bundle", Spec: spec, Facts: in.Facts, Run: in.Run, Hold: in.Hold, NoPivot: in.NoPivot, NoNewKeyring: in.NoNewKeyring,
		Preserve: in.Preserve, ListenFDs: in.ListenFDs, Warn: func(s string) { warnings.WriteString(s + "\n") },
	}
	var p *plan.Plan
	if in.Exec && spec.Process != nil {
		var ns uint64
		if spec.Linux != nil {
			ns = collectNamespaces(spec.Linux, nil).created
		}
		p, err = Exec(&ExecInput{Input: full, Namespaces: ns})
	} else {
		p, err = Create(&full)
	}
	return p, warnings.String(), err
}

// archive is a text file with sections, each under a line "-- NAME --", as in
// the tests of the go command.
type archive struct {
	comment string
	names   []string
	section map[string]string
}

var sectionLine = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

func readArchive(t testing.TB, file string) *archive {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	a := &archive{section: map[string]string{}}
	marks := sectionLine.FindAllStringSubmatchIndex(text, -1)
	if len(marks) == 0 {
		t.Fatalf("%s has no sections", file)
	}
	a.comment = text[:marks[0][0]]
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		name := text[m[2]:m[3]]
		a.names = append(a.names, name)
		a.section[name] = text[m[1]:end]
	}
	return a
}

func (a *archive) set(name, text string) {
	if _, ok := a.section[name]; !ok {
		a.names = append(a.names, name)
	}
	a.section[name] = text
}

func (a *archive) String() string {
	var b strings.Builder
	b.WriteString(a.comment)
	for _, name := range a.names {
		fmt.Fprintf(&b, "-- %s --\n%s", name, a.section[name])
	}
	return b.String()
}

// readInput reads the section "input" over the ordinary one.
func (a *archive) readInput(t testing.TB) *input {
	t.Helper()
	in := ordinaryInput()
	if text, ok := a.section["input"]; ok {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(in); err != nil {
			t.Fatalf("input: %v", err)
		}
	}
	if in.Facts.Hierarchies == nil {
		in.Facts.Hierarchies = []facts.Hierarchy{{Name: "unified", V2: true, Host: "/sys/fs/cgroup/c1"}}
	}
	return in
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/plans/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/plans: %d files, %v", len(files), err)
	}
	return files
}

// The length of a filter is the business of package seccomp, and differs
// between architectures.
var filterLength = regexp.MustCompile(`\(\d+ instructions\)`)

// Lines of a printed plan.
var (
	stepLine = regexp.MustCompile(`^ {0,3}(\d+)  \S`)
	callLine = regexp.MustCompile(`^( {10}| {14})\S`)
)

func TestPlans(t *testing.T) {
	for _, file := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a := readArchive(t, file)
			in := a.readInput(t)
			p, warnings, err := compileConfig([]byte(a.section["config.json"]), in)
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Check(p); err != nil {
				t.Error(err)
			}
			got := printed(t, p, in.Calls)
			if *update {
				if warnings != "" {
					a.set("warnings", warnings)
				}
				a.set("plan", got)
				if err := os.WriteFile(file, []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != a.section["plan"] {
				t.Errorf("%s differs (-update rewrites it): %s", file, firstDifference(got, a.section["plan"]))
			}
			if warnings != a.section["warnings"] {
				t.Errorf("warnings: got\n%swant\n%s", warnings, a.section["warnings"])
			}
			links(t, p)
		})
	}
}

// printed is the plan as explain prints it, with the system calls of steps
// from the given places.
func printed(t *testing.T, p *plan.Plan, calls []string) string {
	t.Helper()
	var b, kept strings.Builder
	if err := plan.Print(&b, p, plan.PrintOptions{Calls: true}); err != nil {
		t.Fatal(err)
	}
	wanted := true
	for line := range strings.Lines(b.String()) {
		if m := stepLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			from := p.Steps[n-1].From
			wanted = calls == nil || slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(from, c) })
		}
		if wanted || !callLine.MatchString(line) {
			kept.WriteString(line)
		}
	}
	return filterLength.ReplaceAllString(kept.String(), "(N instructions)")
}

// links holds the plan against the linker.
func links(t *testing.T, p *plan.Plan) {
	t.Helper()
	fds := make([]int, len(p.Files))
	for i := range fds {
		fds[i] = 3 + p.Preserve + i
	}
	if _, err := initimage.Link(p, fds); err != nil && err != initimage.ErrUnsupported {
		t.Errorf("the plan does not link: %v", err)
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}
