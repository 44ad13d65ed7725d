package harness

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/initimage"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
)

// Refusal is a system call that the commands of a Runtime find refused, as
// they do under the seccomp filter of an old engine or of a systemd unit.
type Refusal struct {
	Call  string
	Errno unix.Errno
}

// command puts the filter around a command: a program that loads it and then
// becomes the command. It can't be this test program, whose filter would take
// unsafe; an init image needs nothing but a plan.
func (f *Refusal) command(t T, cmd *exec.Cmd) {
	t.Helper()
	number := uint(f.Errno)
	filter, err := seccomp.Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{f.Call}, Action: specs.ActErrno, ErrnoRet: &number}},
	}, seccomp.Options{FailUnknown: true})
	if err != nil {
		t.Fatal(err)
	}
	env := cmd.Env
	if env == nil {
		env = os.Environ()
	}
	b := plan.NewBuilder()
	b.Step("default", "load the filter", plan.Sys(plan.SysSeccomp, plan.Num(1), plan.Num(0), b.SockFprog("filter", filter.Encode())))
	b.Step("default", "execute the command", plan.Sys(plan.SysExecve, plan.Str(cmd.Path), b.Vec("argv", texts(cmd.Args)), b.Vec("envp", texts(env))))
	image, err := initimage.Link(&b.Plan, []int{2}) // where the report of a failed op goes
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := initimage.Seal(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sealed.Close() })
	t.Logf("with %s refused (%v): %s", f.Call, f.Errno, strings.Join(cmd.Args[1:], " "))
	cmd.Path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), sealed.Fd())
	cmd.Args = []string{cmd.Path}
}

func texts(list []string) []plan.Arg {
	args := make([]plan.Arg, len(list))
	for i, s := range list {
		args[i] = plan.Str(s)
	}
	return args
}
