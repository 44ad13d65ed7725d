package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

var update = flag.Bool("update", false, "write the file of counts anew")

// countsFile is where the counts are kept that were reached with this host's view of cgroups: a
// directory in each of the many hierarchies, or one.
func countsFile() string {
	if harness.Unified() {
		return "counts-v2.txt"
	}
	return "counts.txt"
}

// counts of one command. Calls and image are nearly the same on every machine and under any load,
// as times are not. Page faults are not: how many pages one fault maps depends on how the page
// cache holds the binary, a third more or less from one machine to the next.
type counts struct {
	calls  int // system calls of the command and of the container's init up to the program's end
	image  int // bytes of the init image, 0 if the command makes none
	faults int // page faults (of the kind that need no disk) of the command and its children
}

// noise are the calls with which Go's scheduler waits; their number depends on the load.
var noise = []string{
	"futex", "nanosleep", "epoll_pwait", "sched_yield", "tgkill", "rt_sigreturn", "gettid", "getpid", "clone", "clone3",
	"rt_sigprocmask", "sigaltstack", "mmap", "madvise", "munmap", "restart_syscall", "exit", "exit_group", "set_robust_list", "rseq",
}

// TestCounts prints each command's system calls and image size beside the committed ones. It judges
// nothing: a change that is worth it may make more calls.
func TestCounts(t *testing.T) {
	e, r := testEnv(t)
	got := measureCounts(t, e, r)
	if *update {
		writeCounts(t, got)
		return
	}
	want := readCounts(t)
	fmt.Println("counts of this build (committed, in " + countsFile() + "): system calls, bytes of the init image, page faults")
	for _, name := range commandNames(got) {
		g, w := got[name], want[name]
		fmt.Printf("%-22s %s %s %s\n", name, beside(g.calls, w.calls), beside(g.image, w.image), beside(g.faults, w.faults))
	}
}

// beside prints a count, the committed one, and how much that is more or less.
func beside(got, want int) string {
	difference := ""
	if want > 0 {
		difference = fmt.Sprintf("%+.1f %%", 100*float64(got-want)/float64(want))
	}
	return fmt.Sprintf("%6d (%6d) %8s", got, want, difference)
}

func testEnv(t *testing.T) (*env, *runtime) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
	for _, program := range []string{"strace", "busybox"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s on this host (tests/install-deps)", program)
		}
	}
	path := os.Getenv("RUNTIME")
	if path == "" {
		path = filepath.Join(t.TempDir(), "ociruntime")
		if err := harness.Build(path); err != nil {
			t.Fatal(err)
		}
	}
	r := &runtime{name: "ociruntime", path: path}
	e, err := newEnv(&options{runtimes: runtimeList{r}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.remove(); err != nil {
			t.Error(err)
		}
	})
	return e, r
}

func measureCounts(t *testing.T, e *env, r *runtime) map[string]counts {
	t.Helper()
	bundle := func(kind string, args ...string) string {
		dir, err := e.bundle(kind, 0, args...)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	got := make(map[string]counts)
	// count measures a command twice: traced, and alone for the page faults, which tracing changes.
	// Of several traces, that with the fewest calls counts.
	count := func(name string, traces int, command func() []string, after func()) {
		var c counts
		for i := range traces {
			one := traced(t, e, r, command())
			after()
			if i == 0 || one.calls < c.calls {
				c = one
			}
		}
		var faults []int
		for range 5 {
			faults = append(faults, pageFaults(t, r, command()))
			after()
		}
		slices.Sort(faults)
		c.faults = faults[len(faults)/2]
		got[name] = c
	}
	nothing := func() {}
	for _, kind := range []string{plain, docker, userns} {
		dir := bundle(kind, "true")
		count("run "+kind, 1, func() []string { return []string{"run", "--bundle", dir, e.newID(r)} }, nothing)
	}
	id := ""
	remove := func() { must(t, r, "delete", "--force", id) }
	sleep := bundle(docker, "sleep", "1000")
	makeOne := func() []string { id = e.newID(r); return []string{"create", "--bundle", sleep, id} }
	count("create docker", 1, makeOne, remove)
	count("start docker", 1, func() []string { must(t, r, makeOne()...); return []string{"start", id} }, remove)
	must(t, r, makeOne()...)
	must(t, r, "start", id)
	count("exec docker", 1, func() []string { return []string{"exec", id, "true"} }, nothing)
	count("state", 1, func() []string { return []string{"state", id} }, nothing)
	remove()
	// One that finds the init dying has a dozen more calls to make.
	count("delete docker", 3, func() []string { must(t, r, makeOne()...); return []string{"delete", id} }, nothing)
	return got
}

func must(t *testing.T, r *runtime, args ...string) {
	t.Helper()
	// Without pipes: a container that stays would hold them open.
	if err := command(r, args).Run(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

func command(r *runtime, args []string) *exec.Cmd {
	return exec.Command(r.path, append([]string{"--root", r.root}, args...)...)
}

// traced counts system calls, and finds the image: it is what is written to the only memfd that is
// sealed, the greatest write of all.
func traced(t *testing.T, e *env, r *runtime, args []string) (c counts) {
	t.Helper()
	file := filepath.Join(e.dir, "strace")
	cmd := exec.Command("strace", slices.Concat([]string{"-f", "-qq", "-s", "0", "-e", "signal=none", "-o", file, r.path, "--root", r.root}, args)...)
	// What create leaves running keeps strace, too; detaching it is enough.
	if args[0] == "create" || args[0] == "start" {
		return tracedUntilGone(t, cmd, file)
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return parseTrace(t, file)
}

// tracedUntilGone ends strace once the command itself is over: the first process of the log.
func tracedUntilGone(t *testing.T, cmd *exec.Cmd, file string) counts {
	t.Helper()
	cmd.Args = slices.Insert(cmd.Args, 1, "-I", "1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := ""
	for range 2000 {
		text, _ := os.ReadFile(file)
		if first == "" {
			first, _, _ = strings.Cut(string(text), " ")
		}
		if first != "" && strings.Contains(string(text), "\n"+first+" +++ exited with 0") {
			break
		}
		syscall.Nanosleep(&syscall.Timespec{Nsec: 5e6}, nil) // a pause
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return parseTrace(t, file)
}

func parseTrace(t *testing.T, file string) (c counts) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		name, _, ok := strings.Cut(call, "(")
		if !ok || strings.HasPrefix(call, "<") || strings.HasPrefix(call, "+") {
			continue
		}
		if !slices.Contains(noise, name) {
			c.calls++
		}
		if name == "write" {
			c.image = max(c.image, writeSize(call))
		}
	}
	if c.image < 4096 {
		c.image = 0
	}
	return c
}

// writeSize is the last argument of `write(3, ""..., 57889) = 57889`, which may end in "<unfinished
// ...>".
func writeSize(call string) int {
	args := strings.Split(call, ", ")
	digits := strings.FieldsFunc(args[len(args)-1], func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}

func pageFaults(t *testing.T, r *runtime, args []string) int {
	t.Helper()
	cmd := command(r, args)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return int(cmd.ProcessState.SysUsage().(*syscall.Rusage).Minflt)
}

func commandNames(m map[string]counts) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func writeCounts(t *testing.T, m map[string]counts) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# command: system calls, bytes of the init image, page faults (go test ./tests/bench -update)\n")
	for _, name := range commandNames(m) {
		fmt.Fprintf(&b, "%s: %d %d %d\n", name, m[name].calls, m[name].image, m[name].faults)
	}
	if err := os.WriteFile(countsFile(), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readCounts(t *testing.T) map[string]counts {
	t.Helper()
	text, err := os.ReadFile(countsFile())
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]counts)
	for line := range strings.Lines(string(text)) {
		name, numbers, ok := strings.Cut(line, ": ")
		if !ok || name[0] == '#' {
			continue
		}
		var c counts
		if _, err := fmt.Sscan(numbers, &c.calls, &c.image, &c.faults); err != nil {
			t.Fatalf("%s: %q: %v", countsFile(), line, err)
		}
		m[name] = c
	}
	return m
}
