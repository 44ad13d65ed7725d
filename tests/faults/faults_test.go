package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

var (
	full = flag.Bool("full", false, "every call, not a sample")
	only = flag.String("only", "", "the faults to inject, a regular expression")
)

// sample is how many calls of a command fail in each way without -full.
const sample = 6

// A command and what it makes of a container.
type command struct {
	name    string
	prepare func(b *harness.Bundle)
	args    func(b *harness.Bundle) []string
	status  specs.ContainerState // afterwards, if it says that it has succeeded
}

const gone = specs.ContainerState("gone")

func verb(name string, args ...string) func(b *harness.Bundle) []string {
	return func(b *harness.Bundle) []string { return append(append([]string{name}, args...), b.ID) }
}

func making(name string, flags ...string) func(b *harness.Bundle) []string {
	return func(b *harness.Bundle) []string {
		return append(append([]string{name, "--bundle", b.Dir}, flags...), b.ID)
	}
}

func commands() []command {
	nothing := func(b *harness.Bundle) { b.Save() }
	created := func(b *harness.Bundle) { b.Create() }
	running := func(b *harness.Bundle) { b.Start() }
	return []command{
		{"create", nothing, making("create"), specs.StateCreated},
		{"run", nothing, making("run", "--detach"), specs.StateRunning},
		{"start", created, verb("start"), specs.StateRunning},
		{"exec", running, func(b *harness.Bundle) []string { return []string{"exec", b.ID, "true"} }, specs.StateRunning},
		{"exec --detach", running, func(b *harness.Bundle) []string {
			return []string{"exec", "--detach", "--pid-file", filepath.Join(b.Dir, "pid"), b.ID, "sleep", joined}
		}, specs.StateRunning},
		{"kill", running, func(b *harness.Bundle) []string { return []string{"kill", b.ID, "KILL"} }, specs.StateStopped},
		{"delete", created, verb("delete"), gone},
		{"delete --force", running, verb("delete", "--force"), gone},
		{"update", running, verb("update", "--pids-limit", "50"), specs.StateRunning},
		{"pause", running, verb("pause"), "paused"},
		{"resume", func(b *harness.Bundle) { b.Start(); b.Must("pause", b.ID) }, verb("resume"), specs.StateRunning},
		{"state", running, verb("state"), specs.StateRunning},
	}
}

// joined is the argument by which the program of exec is told from the container's.
const joined = "998"

func TestFaults(t *testing.T) {
	if !traceable {
		t.Skip("faults are injected on amd64 only")
	}
	if testing.Short() {
		t.Skip("faults take their time")
	}
	// What a dead runtime leaves becomes a child of this process.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	known := readKnown(t)
	for _, c := range commands() {
		t.Run(strings.ReplaceAll(c.name, " ", ""), func(t *testing.T) {
			b := harness.NewBundle(t).Args("sleep", "1000").Save()
			list := faultsOf(t, b, c)
			injected := 0
			for _, f := range list {
				name := c.name + " " + f.String()
				found, hit := try(t, b, c, f)
				if hit {
					injected++
				}
				for _, what := range found {
					if known[c.name+" "+what.kind] {
						t.Logf("known: %s: %s: %s", name, what.kind, what.text)
						continue
					}
					t.Errorf("%s: %s: %s", name, what.kind, what.text)
				}
			}
			t.Logf("%d faults injected", injected)
		})
	}
}

// faultsOf watches the command once, and makes a list of what can fail.
func faultsOf(t *testing.T, b *harness.Bundle, c command) []fault {
	t.Helper()
	c.prepare(b)
	res := traced(t, b, c, "none")
	if res.code != 0 || len(res.calls) == 0 {
		t.Fatalf("%s without a fault: exit %d, %d calls: %s", c.name, res.code, len(res.calls), res.stderr)
	}
	clear(b, t)
	var list []fault
	counts := map[string]int{}
	for _, call := range res.calls {
		counts[call]++
		list = append(list, fault{call: call, nth: counts[call], kill: true})
		// close always closes, whatever it answers, and the first three of fcntl are Go's own look
		// at stdio.
		if call == "close" || call == "fcntl" && counts[call] <= 3 {
			continue
		}
		for _, errno := range errnos {
			list = append(list, fault{call: call, nth: counts[call], errno: errno})
		}
	}
	if *only != "" {
		wanted, kept := regexp.MustCompile(*only), list[:0]
		for _, f := range list {
			if wanted.MatchString(c.name + " " + f.String()) {
				kept = append(kept, f)
			}
		}
		list = kept
	}
	if !*full && *only == "" {
		return pick(list, sample*(1+len(errnos)))
	}
	return list
}

// pick takes n of a list, at even distances.
func pick(list []fault, n int) []fault {
	if len(list) <= n {
		return list
	}
	var picked []fault
	for i := range n {
		picked = append(picked, list[i*len(list)/n])
	}
	return picked
}

type result struct {
	code   int
	stderr string
	calls  []string
	hung   bool
}

// traced runs the command with a fault in a process of its own, for some seconds at most.
func traced(t *testing.T, b *harness.Bundle, c command, f string) result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	calls := filepath.Join(b.Dir, "calls")
	stderr, err := os.Create(filepath.Join(b.Dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience(20*time.Second))
	defer cancel()
	args := append([]string{calls, f, harness.Path(), "--root", b.Root}, c.args(b)...)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), harness.ProbeEnv("inject"))
	cmd.Stderr = stderr // a file: what lives on would hold a pipe open
	_ = os.Remove(calls)
	_ = cmd.Run()
	res := result{code: harness.ExitCode(cmd.ProcessState), hung: ctx.Err() != nil}
	text, _ := os.ReadFile(stderr.Name())
	res.stderr = strings.TrimSpace(string(text))
	names, _ := os.ReadFile(calls)
	res.calls = strings.Fields(string(names))
	return res
}

// A finding is something that a fault must not do.
type finding struct{ kind, text string }

// try injects one fault, and reports what is wrong afterwards, and whether the command got that
// far.
func try(t *testing.T, b *harness.Bundle, c command, f fault) (found []finding, hit bool) {
	t.Helper()
	c.prepare(b)
	res := traced(t, b, c, f.String())
	add := func(kind, format string, args ...any) {
		found = append(found, finding{kind, fmt.Sprintf(format, args...)})
	}
	made := 0
	for _, call := range res.calls {
		if call == f.call {
			made++
		}
	}
	record := filepath.Join(b.Root, b.ID)
	if res.hung {
		add("hangs", "%s", res.stderr)
	} else if !f.kill {
		judgeEnd(b, c, res, add)
	}
	if !exists(record) && !within(2*time.Second, func() bool { return len(alive()) == 0 }) {
		add("lives on without a record", "%v", describe())
	}
	for _, what := range clear(b, t) {
		add("left", "%s", what)
	}
	return found, res.hung || made >= f.nth
}

// judgeEnd looks at a command that has ended by itself.
func judgeEnd(b *harness.Bundle, c command, res result, add func(kind, format string, args ...any)) {
	record := filepath.Join(b.Root, b.ID)
	if res.code == 0 {
		if c.status == gone && exists(record) {
			add("silent", "the container is still there, exit code 0")
		}
		if c.status != gone && !within(2*time.Second, func() bool { return status(b) == c.status }) {
			add("silent", "the container is %s, exit code 0", status(b))
		}
		return
	}
	if res.stderr == "" {
		add("not one line", "exit code %d without a word", res.code)
	}
	if strings.Contains(res.stderr, "\n") {
		add("not one line", "%s", res.stderr)
	}
	making := c.name == "create" || c.name == "run"
	if making && (exists(record) || b.CgroupDirs() != nil) {
		add("failed and left", "%s: %v", res.stderr, b.CgroupDirs())
	}
	if strings.HasPrefix(c.name, "exec") && !within(2*time.Second, func() bool { return !strings.Contains(describe(), joined) }) {
		add("failed and lives on", "%s", res.stderr)
	}
}

// clear removes the container with delete --force, whatever there is of it, and says what was left
// by that. Then it removes that, too.
func clear(b *harness.Bundle, t *testing.T) []string {
	t.Helper()
	var left []string
	if exists(filepath.Join(b.Root, b.ID)) {
		if text, err := deleteForce(b); err != nil {
			left = append(left, fmt.Sprintf("delete --force: %v: %s", err, text))
		}
	}
	if !within(2*time.Second, func() bool { return len(alive()) == 0 }) {
		left = append(left, "processes "+describe())
	}
	if entries, _ := os.ReadDir(b.Root); len(entries) > 0 {
		left = append(left, fmt.Sprintf("%v in --root", entries))
	}
	if dirs := b.CgroupDirs(); dirs != nil {
		left = append(left, fmt.Sprintf("cgroups %v", dirs))
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, b.Dir+"/") || strings.Contains(line, b.Root+"/") {
			left = append(left, "mount "+line)
			_ = unix.Unmount(strings.Fields(line)[4], unix.MNT_DETACH)
		}
	}
	if left == nil {
		return nil
	}
	for _, pid := range alive() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	within(5*time.Second, func() bool { return len(alive()) == 0 })
	if err := b.RemoveCgroups(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.Root); err != nil {
		t.Fatal(err)
	}
	return left
}

// alive reaps the children of this process and gives those that run: what the runtime has left.
func alive() []int {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			break
		}
	}
	return harness.Children(os.Getpid())
}

// deleteForce also waits for children of this process as they end: a container's init is not dead
// before what exec has brought into its pid namespace has been waited for.
func deleteForce(b *harness.Bundle) (string, error) {
	var stderr strings.Builder
	cmd := b.Cmd("delete", "--force", b.ID)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, pid := range harness.Children(os.Getpid()) {
				if pid != cmd.Process.Pid {
					_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
				}
			}
			select {
			case <-stopped:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	err := cmd.Wait()
	close(stopped)
	<-done
	return stderr.String(), err
}

func describe() string {
	var words []string
	for _, pid := range alive() {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		words = append(words, fmt.Sprintf("%d (%s)", pid, strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))))
	}
	return strings.Join(words, ", ")
}

func status(b *harness.Bundle) specs.ContainerState {
	res := b.Do("state")
	_, rest, _ := strings.Cut(res.Stdout, `"status": "`)
	word, _, _ := strings.Cut(rest, `"`)
	return specs.ContainerState(word)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// within waits until something is true, for a limited time.
func within(limit time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(harness.Patience(limit)); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// readKnown gives the findings that are known and not yet mended, each as "command kind".
func readKnown(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("known.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			known[line] = true
		}
	}
	return known
}
