package setup

import (
	"context"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/hooks"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// InNamespaces starts createContainer hooks: in the namespaces of the init, whose root still is the
// host's, with the container's root file system as working directory. A plan of its own does it, so
// that a process with a single thread joins.
func InNamespaces(ctx context.Context, spec *specs.Spec, init int, rootfs *os.File) func(*specs.Hook, [3]*os.File) (int, error) {
	return func(h *specs.Hook, stdio [3]*os.File) (int, error) {
		pidfd, err := unix.PidfdOpen(init, 0)
		if err != nil {
			return 0, fmt.Errorf("open the container's init: %w", refusal.Explain("pidfd_open", err))
		}
		f := os.NewFile(uintptr(pidfd), "init")
		defer f.Close()
		flags, err := probe.OtherNamespaces(init)
		if err != nil {
			return 0, err
		}
		uid, gid := compile.FirstIDs(spec)
		p, err := launch.Start(&launch.Config{
			Plan: hookPlan(h, flags, uid, gid), Stdio: stdio,
			Files: map[string]*os.File{"init": f, "rootfs": rootfs},
		})
		if err != nil {
			return 0, err
		}
		defer p.Close()
		if err := p.Serve(ctx, nil); err != nil {
			return 0, err
		}
		return p.Pid(), nil
	}
}

func hookPlan(h *specs.Hook, flags uint64, uid, gid uint32) *plan.Plan {
	b := plan.NewBuilder()
	b.Group = plan.Hooks
	const from = "hooks.createContainer"
	b.Step("default", "share the progress page with the runtime", b.MapPage(plan.PageSize))
	b.Step("default", "let nobody look into this process", plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"))
	b.Step("default", "close every inherited descriptor on exec", plan.CloseOnExecFrom(3))
	init := b.File(plan.File{Name: "init", From: from})
	rootfs := b.File(plan.File{Name: "rootfs", From: from})
	if flags != 0 {
		b.Step(from, "join the container's namespaces", plan.Setns(init, plan.As(flags, plan.AsClone)))
	}
	if flags&unix.CLONE_NEWUSER != 0 {
		b.Step(from, "become a user of the user namespace", plan.Become(uid, gid)...)
	}
	b.Step(from, "go to the container's root file system", plan.Fchdir(rootfs))
	if flags&unix.CLONE_NEWPID != 0 {
		b.Step(from, "start a process in the pid namespace", b.SpawnChild(0, nil))
	}
	env := h.Env
	if env == nil {
		env = os.Environ()
	}
	b.Step(from, "execute "+h.Path, plan.Sys(plan.SysSetsid),
		plan.Sys(plan.SysExecve, plan.Str(h.Path), b.Vec("argv", strs(hooks.Args(h))), b.Vec("envp", strs(env))).OnHost())
	return &b.Plan
}

func strs(list []string) []plan.Arg {
	args := make([]plan.Arg, len(list))
	for i, s := range list {
		args[i] = plan.Str(s)
	}
	return args
}
