package shim

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func mustJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of strings
	}
	return string(data)
}

func fmt64(n int64) string { return strconv.FormatInt(n, 10) }

var probes map[string]func(args []string) error

// figures are what a daemon costs.
type figures struct {
	threads, files            int
	anonymous, huge, pss, rss int // KB; huge is the part of anonymous that is in huge pages
}

func (f figures) String() string {
	return fmt.Sprintf("%d threads, %d descriptors, %d KB anonymous (%d in huge pages), %d KB PSS, %d KB RSS", f.threads, f.files, f.anonymous, f.huge, f.pss, f.rss)
}

func (p *pod) figures() figures {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/", p.pid)
	fds, err := os.ReadDir(dir + "fd")
	if err != nil {
		p.t.Fatal(err)
	}
	f := figures{files: len(fds)}
	f.threads, _ = strconv.Atoi(harness.StatusField(p.pid, "Threads"))
	text, err := os.ReadFile(dir + "smaps_rollup")
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		n, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "Anonymous:":
			f.anonymous = n
		case "AnonHugePages:":
			f.huge = n
		case "Pss:":
			f.pss = n
		case "Rss:":
			f.rss = n
		}
	}
	return f
}

// cpu is the CPU time of the daemon and of the children that it has waited for, in ticks.
func (p *pod) cpu() (own, children int) {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	n := func(i int) int { v, _ := strconv.Atoi(f[i-3]); return v }
	return n(14) + n(15), n(16) + n(17)
}

// long reports whether the tests may take their time: SHIM_LONG=1.
func long() bool { return os.Getenv("SHIM_LONG") != "" }

func writeScript(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
