package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"golang.org/x/sys/unix"
)

// fifos are what a containerd shim gives a container for standard streams.
type fifos struct {
	in, out *os.File // the container's
	feed    *os.File
	lines   *lines
}

func newFifos(t *testing.T) *fifos {
	t.Helper()
	dir := harness.TempDir(t)
	open := func(name string, mode int) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), mode, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, name := range []string{"in", "out"} {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f := &fifos{feed: open("in", os.O_RDWR)}
	t.Cleanup(func() { f.feed.Close() })
	held := open("out", os.O_RDWR) // opening one end alone waits for the other
	defer held.Close()
	f.in, f.out = open("in", os.O_RDONLY), open("out", os.O_WRONLY)
	f.lines = readLines(open("out", os.O_RDONLY))
	return f
}

// start is a command that leaves a container behind with the fifos.
func (f *fifos) start(b *box, verb string, flags ...string) {
	b.t.Helper()
	cmd := b.Command(verb, append([]string{"--detach"}, flags...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f.in, f.out, f.out
	res := b.RunCmd(cmd)
	f.in.Close()
	f.out.Close()
	if res.Code != 0 {
		b.t.Fatalf("%s: exit %d: %s%s", verb, res.Code, f.lines.text(), b.log(verb+".log"))
	}
}

func (f *fifos) say(t *testing.T, word string) {
	t.Helper()
	if _, err := f.feed.WriteString(word + "\n"); err != nil {
		t.Fatal(err)
	}
}

func (f *fifos) expect(t *testing.T, word string) {
	t.Helper()
	harness.Eventually(t, word, func() bool { return strings.Contains(f.lines.text(), word) })
}

// 5: Fifos of the host are connected again, to others, with what nobody has read yet. That is lost
// in a user namespace, as it is in a pipe.
func TestFifos(t *testing.T) {
	for name, first := range map[string]uint32{"host's ids": 0, "user namespace": 100000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			harness.NeedController(t, "freezer")
			b := newBox(t)
			b.Sh(`while read -r x; do echo "got $x"; done; echo end`)
			if first > 0 {
				const size = 65536
				b.MapIDs(first, size)
			}
			if err := os.Mkdir(b.images, 0o755); err != nil {
				t.Fatal(err)
			}
			f := newFifos(t)
			f.start(b, "run")
			for _, word := range []string{"two", "three"} {
				f.say(t, "before "+word)
				f.expect(t, "got before "+word)
				b.Must("pause", b.ID)
				if first == 0 {
					f.say(t, word)
				}
				b.checkpoint()
				harness.Eventually(t, "the end of the output", f.lines.ended)
				f = newFifos(t)
				f.start(b, "restore", "--image-path", b.images)
				if first > 0 {
					f.say(t, word)
				}
				f.expect(t, "got "+word)
			}
			f.feed.Close()
			f.expect(t, "end")
		})
	}
}

// A log that is only added to is continued, be it the same, which has grown meanwhile, another one,
// or a pipe. (What is written to at a place of its own is refused: 38.)
func TestLogs(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	dir := harness.TempDir(t)
	start := func(verb, name string, flags ...string) string {
		path := filepath.Join(dir, name)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd := b.Command(verb, append([]string{"--detach"}, flags...)...)
		cmd.Stdout, cmd.Stderr = f, f
		if res := b.RunCmd(cmd); res.Code != 0 {
			t.Fatalf("%s: exit %d: %s", verb, res.Code, b.log(verb+".log"))
		}
		return path
	}
	grows := func(path string) (content string) {
		before, _ := os.ReadFile(path)
		harness.Eventually(t, path+" grows", func() bool {
			now, _ := os.ReadFile(path)
			content = string(now)
			return len(now) > len(before)
		})
		return content
	}
	path := start("run", "log")
	for _, name := range []string{"log", "other"} {
		grows(path)
		b.checkpoint()
		before, err := os.ReadFile(filepath.Join(dir, name))
		if name == "log" {
			before = append(before, "something else\n"...)
			err = os.WriteFile(path, before, 0o644)
		}
		if err != nil && name == "log" {
			t.Fatal(err)
		}
		path = start("restore", name, "--image-path", b.images)
		if now := grows(path); !strings.HasPrefix(now, string(before)) {
			t.Errorf("%s was %q and is %q", name, before, now)
		}
	}
	b.checkpoint()
	b.restore()
	b.counts(1)
}
