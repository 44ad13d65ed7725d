package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/tests/harness"
)

// A program with many processes waits for them without a thread for each, and can tell by the error
// what a container's status does not allow.
func TestLibraryWaits(t *testing.T) {
	t.Parallel()
	ours(t, "has no such library")
	b := sleeper(t)
	b.Save()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, b.Root, b.Dir, b.ID)
	cmd.Env = append(os.Environ(), "OCITEST_PROBE=library-wait")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func probeLibraryWait(args []string) error {
	root, bundle, id := args[0], args[1], args[2]
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	given := libcontainer.ProcessOptions{Stdio: [3]*os.File{null, null, null}}
	r := libraryRuntime(root)
	spec, config, _, err := specconv.LoadBundle(bundle, func(*specs.Spec) check.Options { return check.Options{} })
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, init, err := r.Create(ctx, id, &libcontainer.CreateOptions{ProcessOptions: given, Bundle: bundle, Spec: spec, Config: config})
	if err != nil {
		return err
	}
	errs := []error{c.Start(ctx, "")}
	errs = append(errs, wants("start again", c.Start(ctx, ""), libcontainer.ErrRunning))
	errs = append(errs, wants("delete", c.Delete(ctx, false), libcontainer.ErrRunning))
	errs = append(errs, waitForMany(c, given, spec.Process))

	short, cancel := context.WithCancel(ctx)
	cancel()
	_, err = init.WaitContext(short)
	errs = append(errs, wants("wait", err, context.Canceled))
	errs = append(errs, init.Signal(unix.SIGKILL))
	status, err := init.WaitContext(ctx)
	if again, _ := init.Wait(); err != nil || status.Signal() != unix.SIGKILL || again != status {
		errs = append(errs, fmt.Errorf("init: status %x, then %x, %v", status, again, err))
	}
	errs = append(errs, wants("signal", init.Signal(unix.SIGTERM), os.ErrProcessDone))
	_, err = c.Exec(ctx, &libcontainer.ExecOptions{ProcessOptions: given, Process: spec.Process})
	errs = append(errs, wants("exec", err, libcontainer.ErrNotRunning))
	errs = append(errs, wants("start", c.Start(ctx, ""), libcontainer.ErrNotRunning))
	errs = append(errs, c.Delete(ctx, true))
	return errors.Join(errs...)
}

func wants(what string, err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return fmt.Errorf("%s: %v, which is not %v", what, err, kind)
}

// waitForMany has three goroutines wait for each of twenty processes.
func waitForMany(c *libcontainer.Container, given libcontainer.ProcessOptions, process *specs.Process) error {
	const many, waiters = 20, 3
	var all []*libcontainer.Process
	for range many {
		p, err := c.Exec(context.Background(), &libcontainer.ExecOptions{ProcessOptions: given, Process: process})
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	before, err := strconv.Atoi(harness.StatusField(os.Getpid(), "Threads"))
	if err != nil {
		return err
	}
	answers := make(chan error)
	for _, p := range all {
		for range waiters {
			go func() {
				answers <- nil // it is about to wait
				status, err := p.WaitContext(context.Background())
				if err == nil && status.Signal() != unix.SIGTERM {
					err = fmt.Errorf("process %d ended with %x", p.Pid, status)
				}
				answers <- err
			}()
		}
	}
	for range many * waiters {
		<-answers
	}
	var errs []error
	for _, p := range all {
		errs = append(errs, p.Signal(unix.SIGTERM))
	}
	for range many * waiters {
		errs = append(errs, <-answers)
	}
	after, err := strconv.Atoi(harness.StatusField(os.Getpid(), "Threads"))
	// Threads are never given back, so that this counts those of the wait.
	if err != nil || after > before+many/2 {
		errs = append(errs, fmt.Errorf("%d threads, were %d: %v", after, before, err))
	}
	return errors.Join(errs...)
}
