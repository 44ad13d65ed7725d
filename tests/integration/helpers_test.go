package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// sleeper is a bundle whose process does nothing until it is killed.
func sleeper(t *testing.T, rootfs ...harness.Rootfs) *harness.Bundle {
	t.Helper()
	return harness.NewBundle(t, rootfs...).Args("sleep", "1000")
}

// ours skips a test on every other runtime: what it asserts is this one's.
func ours(t *testing.T, reason string) {
	t.Helper()
	if peer := harness.Peer(); peer != "" {
		t.Skipf("%s: %s", peer, reason)
	}
}

// namespace is the identity of a process's namespace, such as "net:[4026531840]".
func namespace(t *testing.T, pid int, kind string) string {
	t.Helper()
	link, err := os.Readlink(nsPath(pid, kind))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func nsPath(pid int, kind string) string { return fmt.Sprintf("/proc/%d/ns/%s", pid, kind) }

// mountLine is one mount of a container, out of its /proc/self/mountinfo.
type mountLine struct {
	root, target, kind, source  string
	options, super, propagation []string
}

func (m mountLine) has(option string) bool {
	return slices.Contains(m.options, option) || slices.Contains(m.super, option)
}

// mountsOf parses a mountinfo text.
func mountsOf(t *testing.T, mountinfo string) []mountLine {
	t.Helper()
	var all []mountLine
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 {
			t.Fatalf("not a line of mountinfo: %q", line)
		}
		all = append(all, mountLine{
			root: l[3], target: l[4], options: strings.Split(l[5], ","), propagation: l[6:],
			kind: r[0], source: r[1], super: strings.Split(r[2], ","),
		})
	}
	return all
}

// mountAt is the topmost mount at a place inside the container.
func mountAt(t *testing.T, mounts []mountLine, target string) mountLine {
	t.Helper()
	for _, m := range slices.Backward(mounts) {
		if m.target == target {
			return m
		}
	}
	t.Fatalf("no mount at %s", target)
	return mountLine{}
}

// wantLines compares a container's output line by line.
func wantLines(t *testing.T, got string, want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if !slices.Equal(lines, want) {
		t.Errorf("inside:\n  got  %q\n  want %q", lines, want)
	}
}

// process gives access to the process section in a chain of edits.
func process(change func(p *specs.Process)) func(s *specs.Spec) {
	return func(s *specs.Spec) { change(s.Process) }
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in %q", w, text)
		}
	}
}

// mountedCgroups keeps the lines of a /proc/PID/cgroup whose hierarchy is mounted here, as
// "controllers:path". A machine may have more of them than it shows, as in a container.
func mountedCgroups(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		names, _, _ := strings.Cut(line, ":")
		if slices.ContainsFunc(harness.Hierarchies(), func(h harness.Hierarchy) bool {
			return h.Unified && names == "" || !h.Unified && slices.Contains(h.Controllers, strings.Split(names, ",")[0])
		}) {
			lines = append(lines, line)
		}
	}
	return lines
}

// bySystemd reports whether systemd makes the cgroups of all tests.
func bySystemd(t *testing.T) bool {
	t.Helper()
	return slices.Contains(harness.NewRuntime(t).Flags, "--systemd-cgroup")
}

// withoutSystemd skips a test where systemd makes the cgroups of all tests.
func withoutSystemd(t *testing.T, why string) {
	t.Helper()
	if bySystemd(t) {
		t.Skip(why)
	}
}

// covered reports whether something is mounted below a directory.
func covered(t *testing.T, below string) bool {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], below) {
			return true
		}
	}
	return false
}
