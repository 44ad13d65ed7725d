package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update rewrites it):\n%s", file, got)
	}
}

func printed(t *testing.T, p *Plan, o PrintOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Print(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	golden(t, "sentences.txt", printed(t, sample(), PrintOptions{}))
	golden(t, "calls.txt", printed(t, sample(), PrintOptions{Calls: true}))
	b, err := JSON(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", b)
}

// What people and programs read does not depend on the architecture.
func TestGoldenOnARM64(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("this is arm64: TestGolden has said it")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		if qemu, err = exec.LookPath("qemu-aarch64"); err != nil {
			t.Skip("no qemu-aarch64 (Debian: qemu-user-static)")
		}
	}
	tool := filepath.Join(t.TempDir(), "plan.test")
	build := exec.Command("go", "test", "-c", "-o", tool, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for arm64: %v\n%s", err, out)
	}
	if out, err := exec.Command(qemu, tool, "-test.run=^TestGolden$").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPrintKeepsToItsWidth(t *testing.T) {
	p := sample()
	p.Steps[3].What = strings.Repeat("many words ", 30)
	p.Steps[4].From = "linux.resources." + strings.Repeat("x", 50)
	for _, width := range []int{60, 80, 100, 140} {
		for _, line := range strings.Split(string(printed(t, p, PrintOptions{Calls: true, Options: layout.Options{Width: width}})), "\n") {
			text := strings.TrimSpace(line)
			// What has no space to break at stays whole.
			if utf8.RuneCountInString(line) > width && strings.Count(text, " ") > 3 {
				t.Errorf("more than %d columns: %s", width, line)
			}
			if strings.HasSuffix(line, " ") {
				t.Errorf("ends in a space: %q", line)
			}
		}
	}
}

// Colour changes nothing but the colour.
func TestPrintInColor(t *testing.T) {
	plain, color := printed(t, sample(), PrintOptions{Calls: true}), printed(t, sample(), PrintOptions{Calls: true, Options: layout.Options{Color: true}})
	if bytes.Equal(plain, color) {
		t.Error("no colour")
	}
	if stripped := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAll(color, nil); !bytes.Equal(stripped, plain) {
		t.Errorf("colour moves text:\n%s", stripped)
	}
}

func TestPrintSaysWhatFails(t *testing.T) {
	b := NewBuilder()
	r, fd := b.Reg(), b.Reg()
	b.Step("test", "try",
		Umask(0).Into(r).Allowing(1), may(fd), Close(Val(fd)).When(fd.OK()), Umask(0o77).When(r.Failed()), Umask(0o22).When(r.NotOK()),
		FailWith(2).When(fd.Failed()), SetReg(r, Num(5)), Sys(Load32, Page(PagePid)).Into(r), Sys(Store64, Page(64), Val(r)),
		Sys(SysSethostname, Str("a b"), Num(3)), Sys(SysPrctl, Num(99), Num(0), Num(0)))
	out := string(printed(t, &b.Plan, PrintOptions{Calls: true}))
	for _, want := range []string{
		"umask(00) → r1   [EPERM is fine]",
		`openat2(sync, "x", {O_PATH|O_CLOEXEC, IN_ROOT|NO_MAGICLINKS}) → fd2   [ENOENT is fine]`,
		"when fd2 succeeded: close(fd2)",
		"when r1 failed: umask(077)",
		"unless r1 succeeded: umask(022)",
		"when fd2 failed: fail with ENOENT",
		"5 → r1",
		"int32 at progress[8] → r1",
		"int64 at progress[64] := r1",
		`sethostname("a b", 3)`,
		"prctl(99, 0)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not printed: %s\n%s", want, out)
		}
	}
}

func TestJSONHasEveryOp(t *testing.T) {
	p := sample()
	b, err := JSON(p)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Namespaces []string
		Steps      []struct {
			What, From, Site string
			Ops              []struct{ Call string }
		}
		Files []struct{ Number int }
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Steps) != len(p.Steps) || len(got.Files) != len(p.Files) || strings.Join(got.Namespaces, " ") != "mount uts" {
		t.Fatalf("%d steps, %d files, namespaces %v", len(got.Steps), len(got.Files), got.Namespaces)
	}
	for i, s := range got.Steps {
		if s.What != p.Steps[i].What || s.From != p.Steps[i].From || len(s.Ops) != len(p.Steps[i].Ops) {
			t.Errorf("step %d is %+v", i, s)
		}
		for j, o := range s.Ops {
			if o.Call != p.Steps[i].Ops[j].Call.String() {
				t.Errorf("step %d, op %d is %s", i, j, o.Call)
			}
		}
	}
	if got.Files[0].Number != 4 {
		t.Errorf("the first file is descriptor %d behind one that is preserved", got.Files[0].Number)
	}
}
