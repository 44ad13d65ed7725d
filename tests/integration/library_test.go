package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/tests/harness"
)

// A process that makes containers for years, as an engine's would, keeps nothing of them.
func TestLibraryKeepsNothing(t *testing.T) {
	t.Parallel()
	ours(t, "has no such library")
	b := sleeper(t)
	addHook(b.Spec, "createRuntime", hook("true"))
	addHook(b.Spec, "startContainer", specs.Hook{Path: "/bin/true", Args: []string{"true"}})
	b.Save()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, b.Root, b.Dir, b.ID, "100")
	cmd.Env = append(os.Environ(), "OCITEST_PROBE=library")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	fails := b.Bundle().Args("/missing")
	fails.Save()
	cmd = exec.Command(self, b.Root, fails.Dir, fails.ID, "30")
	cmd.Env = append(os.Environ(), "OCITEST_PROBE=library")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("with a program that is missing: %v: %s", err, out)
	}
}

// probeLibrary uses the library in its own process: root directory, bundle, id, how often. It says
// what is left of so many containers that was not there after the first ones.
func probeLibrary(args []string) error {
	root, bundle, id := args[0], args[1], args[2]
	times, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r := libraryRuntime(root)
	var before footprint
	for i := range 5 + times {
		if err := useLibrary(r, bundle, id, i%2 == 1, [3]*os.File{null, null, null}); err != nil {
			return fmt.Errorf("container %d: %w", i, err)
		}
		if i == 4 { // what Go's runtime and the packages make once is there
			before = takeFootprint()
		}
	}
	return before.compare(takeFootprint())
}

// libraryRuntime has systemd make the cgroups where it does for the other tests: the bundle's
// cgroupsPath is in systemd's form then. With cgroup v1, systemd removes empty cgroups of others
// below its own, and a container may begin in one.
func libraryRuntime(root string) *libcontainer.Runtime {
	return &libcontainer.Runtime{Root: root, SystemdCgroup: harness.SystemdCgroups()}
}

// useLibrary makes a container, with a further process in it, and deletes it.
func useLibrary(r *libcontainer.Runtime, bundle, id string, run bool, stdio [3]*os.File) error {
	spec, config, _, err := specconv.LoadBundle(bundle, func(*specs.Spec) check.Options { return check.Options{} })
	if err != nil {
		return err
	}
	missing := spec.Process.Args[0] == "/missing"
	c, init, err := r.Create(context.Background(), id, &libcontainer.CreateOptions{
		ProcessOptions: libcontainer.ProcessOptions{Stdio: stdio}, Bundle: bundle, Spec: spec, Config: config, Run: run || missing,
	})
	if missing {
		if err == nil {
			err = errors.New("a program that is missing runs")
			return errors.Join(err, c.Delete(context.Background(), true))
		}
		return nil
	}
	if err != nil {
		return err
	}
	if !run {
		err = c.Start(context.Background(), "")
	}
	if err == nil {
		further := *spec.Process
		further.Args = []string{"true"}
		var p *libcontainer.Process
		o := &libcontainer.ExecOptions{ProcessOptions: libcontainer.ProcessOptions{Stdio: stdio}, Process: &further}
		if run {
			p, err = execPrepared(c, o)
		} else {
			p, err = c.Exec(context.Background(), o)
		}
		if err == nil {
			_, err = p.Wait()
		}
	}
	err = errors.Join(err, c.Delete(context.Background(), true))
	_, werr := init.Wait()
	return errors.Join(err, werr)
}

// execPrepared prepares a process twice, and starts one of them.
func execPrepared(c *libcontainer.Container, o *libcontainer.ExecOptions) (*libcontainer.Process, error) {
	never, err := c.Prepare(o)
	if err != nil {
		return nil, err
	}
	never.Close()
	ready, err := c.Prepare(o)
	if err != nil {
		return nil, err
	}
	return ready.Exec(context.Background(), o.Stdio)
}

// footprint is what a process holds of the kernel's.
type footprint struct {
	files          []string
	maps, children int
	threads        string
}

func takeFootprint() footprint {
	var f footprint
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			f.files = append(f.files, name)
		}
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	f.maps = strings.Count(string(maps), "\n")
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		f.children += len(strings.Fields(string(text)))
	}
	f.threads = harness.StatusField(os.Getpid(), "Threads")
	return f
}

func (f footprint) compare(now footprint) error {
	var errs []error
	if len(now.files) > len(f.files) {
		slices.Sort(now.files)
		errs = append(errs, fmt.Errorf("%d open files, were %d: %q", len(now.files), len(f.files), now.files))
	}
	// Go's heap and its threads grow a little by themselves.
	const slack = 30
	if now.maps > f.maps+slack {
		errs = append(errs, fmt.Errorf("%d mappings, were %d", now.maps, f.maps))
	}
	if now.children > f.children {
		errs = append(errs, fmt.Errorf("%d children, were %d", now.children, f.children))
	}
	var before, after int
	_, _ = fmt.Sscan(f.threads, &before)
	_, _ = fmt.Sscan(now.threads, &after)
	if after > before+slack {
		errs = append(errs, fmt.Errorf("%d threads, were %d", after, before))
	}
	return errors.Join(errs...)
}
