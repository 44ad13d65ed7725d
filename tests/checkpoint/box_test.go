package checkpoint

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// counter prints 1, 2, 3 … for as long as it lives.
const counter = `i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done`

// box is a container with pipes for standard streams, and a place for images.
type box struct {
	*harness.Bundle
	t      *testing.T
	images string
	out    *lines
	err    *lines
	all    []*lines
	feed   bool     // give it a pipe for standard input, too
	in     *os.File // the end to write to
	first  string   // what stands in it from the start

	program string // another runtime than the one under test
	apart   string // a script that comes first, in a mount namespace that is the command's own
	within  string // a mount namespace
}

// Cmd is a command of the runtime that is the box's at the moment.
func (b *box) Cmd(args ...string) *exec.Cmd { return b.adapt(b.Bundle.Cmd(args...)) }

func (b *box) adapt(cmd *exec.Cmd) *exec.Cmd {
	if b.program != "" {
		cmd.Path, cmd.Args[0] = b.program, b.program
	}
	if b.apart != "" {
		args := []string{"unshare", "--mount", "--propagation", "slave", "sh", "-ec", b.apart + "\n" + `exec "$@"`, "sh", cmd.Path}
		own := exec.Command(args[0])
		cmd.Path, cmd.Args, cmd.Err = own.Path, append(args, cmd.Args[1:]...), own.Err
	}
	if b.within != "" {
		args := []string{"nsenter", "--mount=" + b.within, "--", cmd.Path}
		own := exec.Command(args[0])
		cmd.Path, cmd.Args, cmd.Err = own.Path, append(args, cmd.Args[1:]...), own.Err
	}
	return cmd
}

// share has the box's commands run where mounts are shared, as systemd makes them. It sees what is
// mounted already.
func (b *box) share() {
	b.t.Helper()
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec", "mount --make-rshared /; echo ready; exec sleep 1000")
	out, err := holder.StdoutPipe()
	if err == nil {
		err = holder.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	if _, err := out.Read(make([]byte, 10)); err != nil {
		b.t.Fatal("no mount namespace with shared mounts: ", err)
	}
	b.within = fmt.Sprintf("/proc/%d/ns/mnt", holder.Process.Pid)
}

// propagation says which of the container's mounts get something from elsewhere, or give it there.
func (b *box) propagation() string {
	b.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", b.Pid()))
	if err != nil {
		b.t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(data)) {
		place := strings.Fields(line)[4]
		for _, kind := range []string{" shared:", " master:"} {
			if strings.Contains(line, kind) {
				place += kind
			}
		}
		list = append(list, place)
	}
	return strings.Join(list, "\n")
}

// Do is a command that takes the id last.
func (b *box) Do(verb string, flags ...string) harness.Result {
	b.t.Helper()
	return b.RunCmd(b.Cmd(append(append([]string{verb}, flags...), b.ID)...))
}

// Exec is a command in the container.
func (b *box) Exec(args ...string) harness.Result {
	b.t.Helper()
	return b.RunCmd(b.Cmd(append([]string{"exec", b.ID}, args...)...))
}

// newBox is one that counts, until the test says what else it does.
func newBox(t *testing.T) *box {
	t.Helper()
	need(t)
	b := &box{t: t}
	// When the container is gone: its end of a pipe is what readers wait for.
	t.Cleanup(func() {
		for _, l := range b.all {
			harness.Eventually(t, "the end of a pipe", l.ended)
		}
	})
	b.Bundle = harness.NewBundle(t).Sh(counter)
	b.images = filepath.Join(harness.TempDir(t), "images")
	return b
}

// lines is what comes out of a pipe.
type lines struct {
	mu  sync.Mutex
	all []string
	end bool // of file
}

func readLines(from *os.File) *lines {
	l := &lines{}
	go func() {
		for s := bufio.NewScanner(from); s.Scan(); {
			l.mu.Lock()
			l.all = append(l.all, s.Text())
			l.mu.Unlock()
		}
		from.Close()
		l.mu.Lock()
		l.end = true
		l.mu.Unlock()
	}()
	return l
}

func (l *lines) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return ""
	}
	return l.all[len(l.all)-1]
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func (l *lines) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// number is the last line of a counter.
func (l *lines) number() int {
	n, _ := strconv.Atoi(l.last())
	return n
}

// detached is a command that leaves a container behind with a pipe for output.
func (b *box) detached(verb, id string, flags ...string) harness.Result {
	b.t.Helper()
	cmd := b.Command(verb, append([]string{"--detach"}, flags...)...)
	cmd.Args[len(cmd.Args)-1] = id
	cmd = b.adapt(cmd)
	out, stdout := pipe(b.t)
	errors, stderr := pipe(b.t)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	b.out, b.err = readLines(out), readLines(errors)
	b.all = append(b.all, b.out, b.err)
	if b.feed {
		in, end := pipe(b.t)
		defer in.Close()
		b.t.Cleanup(func() { _ = end.Close() })
		cmd.Stdin, b.in = in, end
		if _, err := end.WriteString(b.first); err != nil {
			b.t.Fatal(err)
		}
	}
	res := b.RunCmd(cmd)
	stdout.Close()
	stderr.Close()
	if res.Code != 0 {
		harness.Eventually(b.t, "the end of standard error", b.err.ended)
		res.Stderr = b.err.text()
	}
	return res
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// run starts the container.
func (b *box) run(flags ...string) *box {
	b.t.Helper()
	if res := b.detached("run", b.ID, flags...); res.Code != 0 {
		b.t.Fatalf("run: exit %d: %s", res.Code, res.Message())
	}
	return b
}

// counts waits until the counter is beyond a number, and gives where it is.
func (b *box) counts(beyond int) int {
	b.t.Helper()
	harness.Eventually(b.t, fmt.Sprintf("a count beyond %d", beyond), func() bool { return b.out.number() > beyond })
	return b.out.number()
}

// checkpoint dumps the container, whatever comes of it.
func (b *box) tryCheckpoint(flags ...string) harness.Result {
	b.t.Helper()
	return b.Do("checkpoint", append([]string{"--image-path", b.images}, flags...)...)
}

func (b *box) checkpoint(flags ...string) *box {
	b.t.Helper()
	if res := b.tryCheckpoint(flags...); res.Code != 0 {
		b.t.Fatalf("checkpoint: exit %d: %s%s", res.Code, res.Message(), b.log("dump.log"))
	}
	return b
}

func (b *box) tryRestore(flags ...string) harness.Result {
	b.t.Helper()
	return b.detached("restore", b.ID, append([]string{"--image-path", b.images}, flags...)...)
}

func (b *box) restore(flags ...string) *box {
	b.t.Helper()
	if res := b.tryRestore(flags...); res.Code != 0 {
		b.t.Fatalf("restore: exit %d: %s%s", res.Code, res.Message(), b.log("restore.log"))
	}
	return b
}

// again is what most tests do: dump and restore.
func (b *box) again(flags ...string) *box {
	b.t.Helper()
	b.checkpoint(flags...)
	b.gone()
	return b.restore(flags...)
}

// gone checks that nothing is left of the container.
func (b *box) gone() {
	b.t.Helper()
	if res := b.Do("state"); res.Code == 0 || !strings.Contains(res.Message(), "does not exist") {
		b.t.Errorf("the container is still there: %d %s%s", res.Code, res.Stdout, res.Message())
	}
	if dirs := b.CgroupDirs(); dirs != nil {
		b.t.Errorf("left cgroups %v", dirs)
	}
}

// log is what criu calls errors in a log of its own.
func (b *box) log(name string) string {
	data, _ := os.ReadFile(filepath.Join(b.images, name))
	var found strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, "Error") || strings.Contains(line, "Warn") {
			found.WriteString("\n\t" + strings.TrimSpace(line))
		}
	}
	return found.String()
}

// status is the container's, "" when there is none.
func (b *box) status() specs.ContainerState {
	b.t.Helper()
	if b.Do("state").Code != 0 {
		return ""
	}
	return b.State().Status
}

// refused checks that a command has failed with these words, on one line.
func refused(t *testing.T, res harness.Result, words ...string) {
	t.Helper()
	if res.Code != 1 {
		t.Fatalf("exit %d, stderr %q", res.Code, res.Stderr)
	}
	message := res.Message()
	for _, w := range words {
		if !strings.Contains(message, w) {
			t.Errorf("the error does not say %q: %s", w, message)
		}
	}
	if harness.Peer() == "" && strings.Count(strings.TrimSpace(res.Stderr), "\n") > 0 {
		t.Errorf("more than one line: %q", res.Stderr)
	}
	// Engines take these to be about the container's program.
	for _, w := range []string{"no such file or directory", "permission denied", "executable file not found", "is a directory"} {
		if harness.Peer() == "" && strings.Contains(strings.ToLower(message), w) {
			t.Errorf("engines would misread %q in %q", w, message)
		}
	}
}

var numbers = regexp.MustCompile(`^\d+ \d+ (\d+:\d+) | (shared|master):\d+`)

// mountinfo is the container's, without what differs between two that are the same.
func (b *box) mountinfo() string {
	b.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", b.Pid()))
	if err != nil {
		b.t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(numbers.ReplaceAllString(line, "$2 "))
		// Where cgroups are bound from the host, their source is called otherwise.
		list = append(list, strings.Replace(line, "cgroup2 none", "cgroup2 cgroup2", 1))
	}
	return strings.Join(list, "\n")
}

// sameLines says what two texts differ in, whatever the order of their lines.
func sameLines(t *testing.T, what, before, after string) {
	t.Helper()
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[strings.TrimSpace(line)]++
	}
	for line := range strings.Lines(after) {
		count[strings.TrimSpace(line)]--
	}
	for line, n := range count {
		switch {
		case n > 0:
			t.Errorf("%s: lost %s", what, line)
		case n < 0:
			t.Errorf("%s: new %s", what, line)
		}
	}
}
