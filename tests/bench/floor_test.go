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
for file in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/devices/devices.list /sys/fs/cgroup/pids/pids.max; do
	[ ! -e $file ] || busybox cat $file
done
busybox mknod /dev/shm/disk b 7 0 && busybox cat /dev/shm/disk; busybox ls -ln /volumes; busybox readlink /proc/self/fd/3; true`

// TestFloorMakesTheSameContainer holds what a program sees in the floor's container against what it
// sees in ours.
func TestFloorMakesTheSameContainer(t *testing.T) {
	e, r := floorEnv(t)
	for _, kind := range []string{plain, docker, userns, pod} {
		t.Run(kind, func(t *testing.T) {
			if err := e.compareFloor(r, kind); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFloorByCgroup2 does so where there is cgroup v2 alone.
func TestFloorByCgroup2(t *testing.T) {
	e, r := floorEnv(t)
	room, why, err := newV2Room(nil)
	if err != nil {
		t.Fatal(err)
	}
	if why != "" {
		t.Skip(why)
	}
	defer room.close()
	if _, err := room.do(func() ([]cost, error) { return nil, e.compareFloor(r, plain) }); err != nil {
		t.Error(err)
	}
}

func floorEnv(t *testing.T) (*env, *runtime) {
	t.Helper()
	e, r := testEnv(t)
	var err error
	if e.floorPath, err = e.buildFloor(); err != nil {
		t.Skipf("no floor here: %v", err)
	}
	return e, r
}

func (e *env) compareFloor(r *runtime, kind string) error {
	bundle, err := e.bundle(kind, 0, "sh", "-c", look)
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(e.dir, "out")
	if err != nil {
		return err
	}
	defer out.Close()
	table := filepath.Join(e.dir, "table")
	if err := e.makeFloor(bundle, out, table); err != nil {
		return err
	}
	got, err := e.output(out, e.floorPath, table)
	if err != nil {
		return err
	}
	f := e.floors[len(e.floors)-1]
	for _, p := range f.places {
		if _, err := os.Stat(p.Path()); err == nil {
			return fmt.Errorf("left behind: %s", p.Path())
		}
	}
	want, err := e.output(out, r.path, "--root", r.root, "run", "--bundle", bundle, f.id)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(want, "ociruntime\nuid=0") || strings.Count(want, "\n") < 60 {
		return fmt.Errorf("not what the test looks for: %s", want)
	}
	if g, w := steady(got), steady(want); g != w {
		return fmt.Errorf("a program sees, by the floor:\n%s\nby ours:\n%s", g, w)
	}
	return nil
}

// steady drops the numbers that each container has of its own, and the times of files.
func steady(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		for _, f := range strings.Fields(line) {
			if kind, number, ok := strings.Cut(f, ":["); ok && strings.HasSuffix(number, "]") {
				f = kind // a namespace
			}
			if len(f) == len("12:34") && f[2] == ':' {
				continue
			}
			out.WriteString(f + " ")
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// output runs a program and returns what it and its container print: to a file, as its plan depends
// on what its standard output is.
func (e *env) output(out *os.File, program string, args ...string) (string, error) {
	_, err := out.Seek(0, io.SeekStart)
	if err := errors.Join(err, out.Truncate(0)); err != nil {
		return "", err
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.null, out, out
	err = cmd.Run()
	text, readErr := os.ReadFile(out.Name())
	if err = errors.Join(err, readErr); err != nil {
		return "", fmt.Errorf("%s %v: %w: %s", program, args, err, text)
	}
	return string(text), nil
}
