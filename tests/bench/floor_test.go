package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// look prints what a container's program sees of it: what is the same whoever has made it.
const look = `busybox hostname; busybox id; echo $$ $HOME; busybox cat /proc/self/mounts
busybox grep -E '^(Cap|NoNewPrivs|Seccomp|Groups|Cpus_allowed_list)' /proc/self/status
busybox cat /proc/self/limits /proc/self/uid_map /proc/self/cgroup; busybox ls -l /dev /proc/self/ns
busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max
busybox readlink /proc/self/fd/3; true`

// TestFloorMakesTheSameContainer holds what a program sees in the floor's container against what it
// sees in ours.
func TestFloorMakesTheSameContainer(t *testing.T) {
	e, r := testEnv(t)
	program, err := e.buildFloor()
	if err != nil {
		t.Skipf("no floor here: %v", err)
	}
	for _, kind := range []string{plain, docker, userns} {
		t.Run(kind, func(t *testing.T) {
			bundle, err := e.bundle(kind, 0, "sh", "-c", look)
			if err != nil {
				t.Fatal(err)
			}
			id := "floor-" + filepath.Base(e.dir) + "-" + kind
			out, err := os.CreateTemp(e.dir, "out")
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			f, err := newFloor(bundle, id, [3]*os.File{e.null, out, out})
			if err != nil {
				t.Fatal(err)
			}
			table := filepath.Join(e.dir, "table")
			if err := f.write(table); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.removeCgroups)
			got := e.output(t, out, program, table)
			for _, p := range f.places {
				if _, err := os.Stat(p.Path()); err == nil {
					t.Errorf("left behind: %s", p.Path())
				}
			}
			want := e.output(t, out, r.path, "--root", r.root, "run", "--bundle", bundle, id)
			if !strings.HasPrefix(want, "ociruntime\nuid=0") || strings.Count(want, "\n") < 60 {
				t.Fatalf("not what the test looks for: %s", want)
			}
			g, w := strings.Split(steady(got), "\n"), strings.Split(steady(want), "\n")
			for i := range max(len(g), len(w)) {
				if i >= len(g) || i >= len(w) || g[i] != w[i] {
					t.Fatalf("line %d differs; by the floor:\n%s\nby ours:\n%s", i, strings.Join(g, "\n"), strings.Join(w, "\n"))
				}
			}
		})
	}
}

// steady replaces the numbers that each container has of its own.
func steady(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		for _, f := range strings.Fields(line) {
			if kind, number, ok := strings.Cut(f, ":["); ok && strings.HasSuffix(number, "]") {
				f = kind // a namespace
			}
			fmt.Fprint(&out, f, " ")
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// output runs a program and returns what it and its container print: to a file, as its plan depends
// on what its standard output is.
func (e *env) output(t *testing.T, out *os.File, program string, args ...string) string {
	t.Helper()
	if err := errors.Join(out.Truncate(0), seekStart(out)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.null, out, out
	err := cmd.Run()
	text, readErr := os.ReadFile(out.Name())
	if err != nil || readErr != nil {
		t.Fatalf("%s %v: %v, %v: %s", program, args, err, readErr, text)
	}
	return string(text)
}

func seekStart(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}
