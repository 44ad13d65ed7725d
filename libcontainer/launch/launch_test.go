package launch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// program is a plan that ends in the execution of argv.
func program(b *plan.Builder, argv ...string) *plan.Plan {
	var items []plan.Arg
	for _, a := range argv {
		items = append(items, plan.Str(a))
	}
	b.Step("process.args", "run "+argv[0],
		plan.CloseOnExecFrom(3),
		plan.Sys(plan.SysExecve, plan.Str(argv[0]), b.Vec("argv", items), b.Vec("envp", nil)).OnHost())
	return &b.Plan
}

// eachWay runs a test with a thread that waits for the init, and with Go's poller.
func eachWay(t *testing.T, test func(t *testing.T)) {
	t.Run("thread", test)
	t.Run(polled, test)
}

const polled = "polled"

func start(t *testing.T, pl *plan.Plan, files map[string]*os.File) (*Process, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(&Config{Plan: pl, Stdio: [3]*os.File{null, w, w}, Files: files, Dir: t.TempDir(), Polled: strings.HasSuffix(t.Name(), polled)})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { r.Close(); null.Close(); p.Close() })
	return p, r
}

func output(t *testing.T, r *os.File) string {
	b := make([]byte, 4096)
	n, err := r.Read(b)
	if err != nil && n == 0 {
		return ""
	}
	return string(b[:n])
}

func TestPlanEndsInTheProgram(t *testing.T) { eachWay(t, planEndsInTheProgram) }

func planEndsInTheProgram(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	b.Host("greet", "hooks", "greet")
	pl := program(b, "/bin/echo", "hello", "world")
	p, r := start(t, pl, nil)
	var met []string
	if err := p.Serve(t.Context(), func(s *plan.Step, _ []*os.File) error { met = append(met, string(s.Do)); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := output(t, r); got != "hello world\n" {
		t.Errorf("the program wrote %q", got)
	}
	if len(met) != 1 || met[0] != "greet" {
		t.Errorf("host steps: %v", met)
	}
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// A program that runs is one, even if nobody has looked before ctx ended.
func TestProgramBeforeTheEndOfContext(t *testing.T) { eachWay(t, programBeforeTheEndOfContext) }

func programBeforeTheEndOfContext(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	p, r := start(t, program(b, "/bin/echo", "hello"), nil)
	if got := output(t, r); got != "hello\n" {
		t.Fatalf("the program wrote %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Serve(ctx, nil); err != nil {
		t.Errorf("error: %v", err)
	}
	if s, err := p.Wait(); err != nil || s.ExitStatus() != 0 {
		t.Errorf("wait: %v %v", s, err)
	}
}

// One that does not run when ctx ends never does.
func TestEndOfContextBeforeTheProgram(t *testing.T) { eachWay(t, endOfContextBeforeTheProgram) }

func endOfContextBeforeTheProgram(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	b.Host("end", "hooks", "end the context")
	p, _ := start(t, program(b, "/bin/true"), nil)
	ctx, cancel := context.WithCancel(t.Context())
	err := p.Serve(ctx, func(*plan.Step, []*os.File) error { cancel(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) || !p.image.reaped {
		t.Errorf("error %v, image %+v", err, p.image)
	}
}

func TestFailedExecIsReportedWithItsPlace(t *testing.T) { eachWay(t, failedExecIsReportedWithItsPlace) }

func failedExecIsReportedWithItsPlace(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	p, _ := start(t, program(b, "/nonexistent/program"), nil)
	err := p.Serve(t.Context(), nil)
	if !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "process.args: run /nonexistent/program: execve: ") {
		t.Errorf("error: %v", err)
	}
}

// A profile that doesn't allow execve is the likeliest reason for these words.
func TestOwnFilterIsBlamed(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("process.user", "set the groups", plan.Sys(plan.SysSetgroups))
	b.Step("linux.seccomp", "load the filter", plan.Sys(plan.SysSeccomp))
	b.Step("process.args", "run it", plan.Sys(plan.SysExecve).Says("exec /bin/app"))
	for _, c := range []struct {
		op    int
		errno unix.Errno
		want  string
	}{
		{0, unix.ENOSYS, "process.user: set the groups: setgroups: function not implemented"},
		{1, unix.EPERM, "linux.seccomp: load the filter: seccomp: operation not permitted"},
		{2, unix.ENOSYS, "exec /bin/app: execve: function not implemented (refused by the container's own filter, linux.seccomp)"},
		{2, unix.EPERM, "exec /bin/app: execve: operation not permitted (perhaps refused by the container's own filter, linux.seccomp)"},
		{2, unix.ENOENT, "exec /bin/app: no such file or directory"},
	} {
		err := NewStepError(&b.Plan, c.op, c.errno)
		if err.Error() != c.want || !errors.Is(err, c.errno) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestSpawnedChildIsOurs(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	b.Step("linux.namespaces", "spawn", b.SpawnChild(0, nil))
	b.Host("look", "hooks", "look")
	p, r := start(t, program(b, "/bin/echo", "child"), nil)
	err := p.Serve(t.Context(), func(*plan.Step, []*os.File) error {
		if p.Pid() == 0 || p.Pid() == p.image.pid {
			t.Errorf("pid %d, image %d", p.Pid(), p.image.pid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := output(t, r); got != "child\n" {
		t.Errorf("the program wrote %q", got)
	}
	if s, err := p.Wait(); err != nil || s.ExitStatus() != 0 {
		t.Errorf("wait: %v %v", s, err)
	}
}

func TestKilledInitIsNamed(t *testing.T) { eachWay(t, killedInitIsNamed) }

func killedInitIsNamed(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	b.Host("kill", "hooks", "be killed")
	p, _ := start(t, program(b, "/bin/true"), nil)
	err := p.Serve(t.Context(), func(*plan.Step, []*os.File) error { return unix.Kill(p.Pid(), unix.SIGKILL) })
	var k *KilledError
	if !errors.As(err, &k) || !k.Killed(unix.SIGKILL) || !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("error: %v", err)
	}
}

// An init that waits for an answer does not end by itself when the host fails.
func TestUnansweredInitIsKilled(t *testing.T) {
	for _, spawns := range []bool{false, true} {
		b := plan.NewBuilder()
		b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
		if spawns {
			b.Step("linux.namespaces", "spawn", b.SpawnChild(0, nil))
		}
		b.Host("first", "hooks", "lose the socket")
		b.Step("default", "close descriptors on exec", plan.CloseOnExecFrom(3))
		b.Host("second", "hooks", "never come to this")
		p, _ := start(t, program(b, "/bin/true"), nil)
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		sock := p.sock
		err = p.Serve(t.Context(), func(s *plan.Step, _ []*os.File) error {
			if s.Do != "first" {
				t.Errorf("host step %q", s.Do)
			}
			p.sock = null
			return nil
		})
		if !errors.Is(err, unix.ENOTSOCK) {
			t.Errorf("error: %v", err)
		}
		p.sock = sock
		null.Close()
		if !p.image.reaped || spawns && !p.spawned.reaped {
			t.Errorf("processes left: %+v, %+v", p.image, p.spawned)
		}
	}
}

// One file for several descriptors makes fork keep copies of it, which must not lie where the image
// is.
func TestDescriptorsInEachOthersWay(t *testing.T) {
	for n := range 24 {
		b := plan.NewBuilder()
		b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
		b.Plan.Preserve = n
		preserve := make([]*os.File, n)
		for i := range preserve {
			preserve[i] = os.Stdin
		}
		// Without Dir there is no fallback for an image that can't be executed.
		p, err := Start(&Config{Plan: program(b, "/bin/true"), Stdio: [3]*os.File{os.Stdin, os.Stdin, os.Stdin}, Preserve: preserve})
		if err != nil {
			t.Fatalf("with %d more descriptors: %v", n, err)
		}
		if err := p.Serve(t.Context(), nil); err != nil {
			t.Errorf("with %d more descriptors: %v", n, err)
		}
		if _, err := p.Wait(); err != nil {
			t.Error(err)
		}
		p.Close()
	}
}

// Of an image that can be started neither from a memfd nor from a file, both reasons are told,
// unless they are one: a directory on a noexec mount says nothing about why the memfd was refused.
func TestBothReasonsAreTold(t *testing.T) {
	memfd, same, other := fmt.Errorf("memfd: %w", unix.EPERM), fmt.Errorf("file: %w", unix.EPERM), fmt.Errorf("file: %w", unix.EACCES)
	if err := bothWays(memfd, nil); err != nil {
		t.Error(err)
	}
	if err := bothWays(memfd, same); !errors.Is(err, unix.EPERM) || strings.Contains(err.Error(), "file:") {
		t.Error(err)
	}
	if err := bothWays(memfd, other); !errors.Is(err, unix.EPERM) || !errors.Is(err, unix.EACCES) {
		t.Error(err)
	}
}

// An init that does not come on is left when ctx ends.
func TestHangUpOnStopped(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		b := plan.NewBuilder()
		b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
		b.Host("stop", "hooks", "stop the init")
		p, _ := start(t, program(b, "/bin/true"), nil)
		ctx, cancel := context.WithCancel(t.Context())
		err := p.Serve(ctx, func(*plan.Step, []*os.File) error {
			time.AfterFunc(20*time.Millisecond, cancel)
			return unix.Kill(p.Pid(), unix.SIGSTOP)
		})
		if !errors.Is(err, context.Canceled) || !p.image.reaped {
			t.Errorf("error %v, image %+v", err, p.image)
		}
	})
}

// Somebody who has got hold of the init writes another process's pid to the page: nothing happens
// to that.
func TestForgedPid(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	victim, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Kill(victim, unix.SIGKILL) }()
	const at = plan.PageSize - 8
	for _, pid := range []int32{int32(victim), 0, -1, int32(-victim)} {
		p := &Process{pidAt: at, page: make([]byte, plan.PageSize)}
		binary.NativeEndian.PutUint32(p.page[at:], uint32(pid))
		if got := p.Pid(); got != 0 {
			// Before -1 ends all processes that there are.
			t.Fatalf("process %d is taken for the init: %d", pid, got)
		}
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	if err := unix.Kill(victim, 0); err != nil {
		t.Errorf("the other process: %v", err)
	}
}
