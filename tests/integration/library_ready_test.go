package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
)

// A process that was prepared is, once it is started, what it would have been without.
func TestLibraryPrepares(t *testing.T) {
	t.Parallel()
	ours(t, "has no such library")
	b := sleeper(t)
	b.Save()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, b.Root, b.Dir, b.ID)
	cmd.Env = append(os.Environ(), "OCITEST_PROBE=library-ready")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// preparing prepares processes of a container.
type preparing struct {
	c    *libcontainer.Container
	spec *specs.Spec
	null *os.File
	dir  string // of the host
}

func probeLibraryReady(args []string) error {
	root, bundle, id := args[0], args[1], args[2]
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r := libraryRuntime(root)
	spec, config, _, err := specconv.LoadBundle(bundle, func(*specs.Spec) check.Options { return check.Options{} })
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, init, err := r.Create(ctx, id, &libcontainer.CreateOptions{
		ProcessOptions: libcontainer.ProcessOptions{Stdio: [3]*os.File{null, null, null}}, Bundle: bundle, Spec: spec, Config: config, Run: true,
	})
	if err != nil {
		return err
	}
	p := &preparing{c, spec, null, filepath.Dir(bundle)}
	errs := []error{p.output(), p.missing(), p.paused()}
	late, err := p.prepare("true")
	if err != nil {
		return err
	}
	errs = append(errs, init.Kill())
	_, err = late.Exec(ctx, [3]*os.File{null, null, null})
	errs = append(errs, wants("exec in an ended container", err, libcontainer.ErrNotRunning), c.Delete(ctx, true))
	return errors.Join(errs...)
}

// prepare prepares a process whose files are not known yet.
func (p *preparing) prepare(args ...string) (*libcontainer.Prepared, error) {
	return p.c.Prepare(p.options(args))
}

func (p *preparing) options(args []string) *libcontainer.ExecOptions {
	process := *p.spec.Process
	process.Args = args
	return &libcontainer.ExecOptions{ProcessOptions: libcontainer.ProcessOptions{Stdio: [3]*os.File{p.null, p.null, p.null}}, Process: &process}
}

// output has a process get another file than was foreseen, and own it.
func (p *preparing) output() error {
	out, err := os.CreateTemp(p.dir, "out")
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Chown(1234, 1234); err != nil {
		return err
	}
	ready, err := p.prepare("sh", "-c", "echo hello")
	if err != nil {
		return err
	}
	running, err := ready.Exec(context.Background(), [3]*os.File{p.null, out, p.null})
	if err != nil {
		return err
	}
	status, err := running.Wait()
	text, rerr := os.ReadFile(out.Name())
	var st unix.Stat_t
	serr := unix.Stat(out.Name(), &st)
	if err := errors.Join(err, rerr, serr); err != nil {
		return err
	}
	if owner := p.spec.Process.User.UID; status.ExitStatus() != 0 || string(text) != "hello\n" || st.Uid != owner {
		return fmt.Errorf("exit status %d, output %q of user %d, not %d", status.ExitStatus(), text, st.Uid, owner)
	}
	return nil
}

// missing has the error of a program that is not there be that of Exec.
func (p *preparing) missing() error {
	stdio := [3]*os.File{p.null, p.null, p.null}
	_, want := p.c.Exec(context.Background(), p.options([]string{"/missing"}))
	ready, err := p.prepare("/missing")
	if err != nil {
		return err
	}
	if _, err = ready.Exec(context.Background(), stdio); err == nil || want == nil || err.Error() != want.Error() {
		return fmt.Errorf("a program that is missing: %v, not %v", err, want)
	}
	return nil
}

// paused has a container be paused after a process was prepared.
func (p *preparing) paused() error {
	ready, err := p.prepare("true")
	if err != nil {
		return err
	}
	if err := p.c.Pause(); err != nil {
		return err
	}
	_, err = ready.Exec(context.Background(), [3]*os.File{p.null, p.null, p.null})
	return errors.Join(wants("exec in a paused container", err, libcontainer.ErrPaused), p.c.Resume())
}
