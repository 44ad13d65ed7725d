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
