package checkpoint

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// by has another runtime carry out what f has the box do.
func (b *box) by(path, root string, f func()) {
	b.t.Helper()
	own, ownRoot := b.program, b.Root
	b.program, b.Root = path, root
	defer func() { b.program, b.Root = own, ownRoot }()
	f()
}

// cgroup2Options are those of the host's cgroup2 that systemd gives it.
func cgroup2Options(t *testing.T) (found []string) {
	t.Helper()
	mounts := cgroupMounts(t)
	for _, option := range []string{"nsdelegate", "memory_recursiveprot"} {
		if strings.Contains(mounts, option) {
			found = append(found, option)
		}
	}
	return found
}

func giveCgroup2Options(t *testing.T, options []string) {
	t.Helper()
	fs, err := unix.Fspick(unix.AT_FDCWD, "/sys/fs/cgroup", unix.FSPICK_CLOEXEC)
	if err == nil {
		defer unix.Close(fs)
		for _, option := range options {
			err = errors.Join(err, unix.FsconfigSetFlag(fs, option))
		}
		err = errors.Join(err, unix.FsconfigReconfigure(fs))
	}
	if now := cgroup2Options(t); err != nil || !slices.Equal(now, options) {
		t.Errorf("the host's cgroup2 had the options %q, and has %q: %v", options, now, err)
	}
}

// 27
func TestExchange(t *testing.T) {
	// Where not all hierarchies are mounted, the others' criu mounts them for a while, and whoever
	// looks for cgroups then finds these.
	hidden := hiddenCgroups(t)
	// Theirs may mount cgroup v2 once more, and take its options from the host with that.
	options := cgroup2Options(t)
	alone := hidden || len(options) > 0
	if !alone {
		t.Parallel()
	}
	ours(t)
	t.Cleanup(func() {
		if now := cgroup2Options(t); !slices.Equal(now, options) {
			giveCgroup2Options(t, options)
		}
	})
	for _, name := range []string{"runc", "crun"} {
		for _, direction := range []string{"theirs to ours", "ours to theirs"} {
			t.Run(name+" "+direction, func(t *testing.T) {
				if !alone {
					t.Parallel()
				}
				need(t)
				if name == "runc" && direction == "theirs to ours" && hidden {
					t.Skip("runc's images hold cgroups of hierarchies that are not mounted here")
				}
				path, err := exec.LookPath(name)
				if err != nil {
					t.Skip(err)
				}
				if out, _ := exec.Command(path, "--version").Output(); name == "crun" && !strings.Contains(string(out), "+CRIU") {
					t.Skipf("%s is built without criu", path)
				}
				b := newBox(t)
				b.Writable().Mount(source(t, "text"), "/bound", "bind", "bind")
				root := harness.TempDir(t)
				first, second := func(f func()) { b.by(path, root, f) }, func(f func()) { f() }
				if direction == "ours to theirs" {
					first, second = second, first
					// runc 1.1 does not know the cgroup2 mount of a hybrid host.
					b.Spec.Mounts = slices.DeleteFunc(b.Spec.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" })
				}
				var at int
				first(func() {
					b.run()
					at = b.counts(2)
					b.checkpoint()
				})
				second(func() {
					b.restore()
					b.counts(at)
					b.holds(map[string]string{"/bound/file": "text"})
					b.Do("delete", "--force")
				})
			})
		}
	}
}
