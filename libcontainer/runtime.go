// Package libcontainer is the library behind the ociruntime command: a [Runtime] (a root directory
// and a few settings) makes and finds [Container]s, and a container has the verbs of the OCI
// runtime specification.
//
// It is the host's side: it opens what the plan names, makes the cgroup, launches the init image
// and meets it at its rendezvous. What happens inside the container is specconv's plan. Nothing has
// to be registered by the importing program, and nothing is re-executed.
package libcontainer

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/systemd"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
)

// Runtime is where containers live and how they are made. The zero value is not useful: Root is
// required.
type Runtime struct {
	// Root is the directory that holds one directory a container, absolute.
	Root string
	// SystemdCgroup asks for cgroups made by systemd.
	SystemdCgroup bool
	// NoCgroup makes containers without a cgroup, which stay in the caller's and have no limits.
	NoCgroup bool
	// Rootless makes cgroup permission errors harmless. Nil decides by what the process may do.
	Rootless *bool
	// Subreaper says that this program has become the parent of what loses its own
	// (PR_SET_CHILD_SUBREAPER, prctl(2)), and has no children but those of one container. Delete
	// ends these where nothing else holds a container's processes together.
	Subreaper bool
	// Resident is for a program that stays and has many containers: what it waits for takes no
	// thread each. A command that does one thing and ends is faster without.
	Resident bool
	// Warn is told what goes wrong without ending the command; nil drops it.
	Warn func(msg string)
}

// ProcessOptions are what a process gets from the caller, and where others are told of it.
type ProcessOptions struct {
	Stdio [3]*os.File
	// Preserve is handed to the container's process as 3, 4, …
	Preserve []*os.File
	// ListenFDs is how many of Preserve came by socket activation; the process is told with
	// LISTEN_FDS and LISTEN_PID.
	ListenFDs int
	// ConsoleSocket and PidfdSocket are paths of unix sockets, or empty.
	ConsoleSocket string
	PidfdSocket   string
	// Console, when not nil, receives the master of the container's terminal in place of a console
	// socket.
	Console func(master *os.File) error
	PidFile string
	Trace   string // file for the trace, or empty
}

// announced says that somebody is told of the process before its program runs.
func (o *ProcessOptions) announced() bool {
	return o.ConsoleSocket != "" || o.Console != nil || o.PidfdSocket != "" || o.PidFile != ""
}

// CreateOptions are the parts of `create` and `run` that do not stand in config.json.
type CreateOptions struct {
	ProcessOptions
	Bundle string      // absolute
	Spec   *specs.Spec // loaded and checked
	// Config is the text of config.json, kept beside the state: later edits of the bundle have no
	// effect.
	Config       []byte
	NoPivot      bool
	NoNewKeyring bool
	// Notify gives the container's process a socket on which to report that it is ready; see
	// ForwardReady.
	Notify bool
	// Run goes straight on to the user's program: there will be no Start.
	Run bool
	// Hold is for a container of which only the namespaces are wanted, for others to join: there
	// will be no Start, and its program need not exist. The init waits, in 64 KB of memory, and
	// reaps the orphans of its pid namespace. With process.noNewPrivileges it does so below
	// linux.seccomp, which has to allow it accept4, close, close_range, sendto and exit_group.
	Hold bool
}

// ExecOptions are what `exec` needs beside the process itself.
type ExecOptions struct {
	ProcessOptions
	// whole: the caller has merged flags and the container's own process
	Process      *specs.Process
	Cgroup       []string // `--cgroup` arguments
	IgnorePaused bool
	// Config is what [Container.Config] has given, for a caller that has asked for it anyway: it is
	// not read once more then, and not changed.
	Config *specs.Spec
	// Filter is what compile.SeccompFilter has given for Config, or nil: then it is compiled.
	Filter *seccomp.Program
	// CountOOM makes a note of what the kernel has killed before, for [Process.OOM].
	CountOOM bool

	path string // see compile.ExecInput.Path
}

// rootless reports whether cgroup permission errors are to be expected and harmless.
func (r *Runtime) rootless(f *facts.Facts) bool {
	if r.Rootless != nil {
		return *r.Rootless
	}
	// The root of a container in which systemd runs may have it make cgroups as on a host.
	return f.EUID != 0 || f.InUserNS && !(r.SystemdCgroup && !systemd.User())
}
