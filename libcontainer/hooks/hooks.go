package hooks

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
)

// Kind is the name of a list of hooks in config.json.
type Kind string

// The kinds, in the order in which they run.
const (
	Prestart        Kind = "prestart"
	CreateRuntime   Kind = "createRuntime"
	CreateContainer Kind = "createContainer"
	StartContainer  Kind = "startContainer"
	Poststart       Kind = "poststart"
	Poststop        Kind = "poststop"
)

// Options say how hooks are run. The zero value runs them on the host in the caller's working
// directory.
type Options struct {
	// Dir is the working directory of [Options.Exec], or empty.
	Dir string
	// Start starts a hook with the files as its descriptors 0, 1 and 2, and returns its pid, that
	// of a child of this process which nobody else waits for. When the hook's time is over, its
	// process group is killed if it leads one. Nil means Exec.
	Start func(h *specs.Hook, stdio [3]*os.File) (pid int, err error)

	output [2]*os.File // stdout and stderr, where an annotation says so
}

// Run runs the hooks in order until one fails. The error is an [*Error]. When ctx ends, the hook
// that runs is killed together with its process group, and the error wraps the cause.
func Run(ctx context.Context, kind Kind, list []specs.Hook, state *specs.State, o Options) error {
	var failure error
	run(ctx, kind, list, state, o, func(err error) bool {
		failure = err
		return false
	})
	return failure
}

// RunAll runs all hooks in order and hands every failure to warn, as the specification asks for
// poststop hooks.
func RunAll(ctx context.Context, kind Kind, list []specs.Hook, state *specs.State, o Options, warn func(error)) {
	run(ctx, kind, list, state, o, func(err error) bool {
		warn(err)
		return true
	})
}

func run(ctx context.Context, kind Kind, list []specs.Hook, state *specs.State, o Options, failed func(error) (goOn bool)) {
	if len(list) == 0 {
		return
	}
	text, err := json.Marshal(state)
	if err != nil {
		failed(fmt.Errorf("hooks.%s: write the container's state: %w", kind, err))
		return
	}
	if o.Start == nil {
		o.Start = o.Exec
	}
	if o.output, err = openOutput(state.Annotations); err != nil {
		failed(fmt.Errorf("hooks.%s: %w", kind, err))
		return
	}
	defer closeAll(o.output[:])
	for i := range list {
		if err := o.hook(ctx, kind, i, &list[i], text); err != nil && !failed(err) {
			return
		}
	}
}

// Exec starts a hook on the host, as the leader of a process group of its own, so that a time-out
// ends its children too.
func (o Options) Exec(h *specs.Hook, stdio [3]*os.File) (pid int, err error) {
	env := h.Env
	if env == nil {
		// Absent, not empty: as in runc, such a hook gets our own environment.
		env = os.Environ()
	}
	args, attr := Args(h), &syscall.ProcAttr{
		Dir:   o.Dir,
		Env:   env,
		Files: []uintptr{stdio[0].Fd(), stdio[1].Fd(), stdio[2].Fd()},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	}
	err = entry.AsCaller(func() (err error) {
		pid, err = syscall.ForkExec(h.Path, args, attr)
		return err
	})
	if err != nil && o.Dir != "" {
		// ForkExec does not tell whether the program or the directory was at fault.
		if derr := unix.Access(o.Dir, unix.X_OK); derr != nil {
			return 0, fmt.Errorf("enter directory %s: %w", o.Dir, derr)
		}
	}
	return pid, err
}

// Args is the argument vector of a hook, which without args in config.json is its path alone.
func Args(h *specs.Hook) []string {
	if len(h.Args) == 0 {
		return []string{h.Path}
	}
	return h.Args
}
