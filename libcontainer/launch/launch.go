package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// Config says what to start and with which descriptors.
type Config struct {
	Plan *plan.Plan
	// Stdio is what the container's process gets as 0, 1 and 2.
	Stdio [3]*os.File
	// Preserve follows at 3, 4, …; its length is Plan.Preserve.
	Preserve []*os.File
	// Files are the plan's files by name; "sync" is made here.
	Files map[string]*os.File
	// Cgroup is a directory of the cgroup v2 tree in which the image is born (CLONE_INTO_CGROUP,
	// Linux 5.7), or nil.
	//
	// Sandboxes hide clone3, whose flags their filters can't see, and C libraries then make do with
	// clone(2). Here there is no such fallback: the image would be born outside of the limits and
	// moved behind the lock of all cgroups, what it has touched by then would stay charged to us,
	// and what it spawns in turn would need the same again. A sandbox for making containers has no
	// reason to hide clone3; the error says so.
	Cgroup *os.File
	// Page backs the progress page. It outlives the command when it is a file in the container's
	// directory, so that `start` and `state` can see how far the init came; nil means that nobody
	// else needs it.
	Page *os.File
	// Dir is where an image file goes on hosts that refuse to execute a memfd.
	Dir string
	// Polled has Go's poller wait for the init, and not a thread: for a program that launches many.
	Polled bool
}

// Process is a started init. Its methods are for one goroutine.
type Process struct {
	plan    *plan.Plan
	sock    *os.File
	page    []byte
	image   child // as it was started
	spawned child // what it has spawned; the pid is 0 until it is known
	pidAt   int   // see pidAt
}

// Start links the plan, starts the image and returns while it runs.
func Start(c *Config) (*Process, error) {
	r, err := Prepare(c)
	if err != nil {
		return nil, err
	}
	return r.Start(c.Stdio)
}

// FilesWanted is about how many descriptors the runtime needs to launch a plan: the files
// themselves, once more while fork moves them to their numbers, and its own.
func FilesWanted(pl *plan.Plan) int { return 2*(3+pl.Preserve+len(pl.Files)) + 24 }

// bothWays is the error of an image that could be started neither from a memfd nor from a file.
func bothWays(memfd, file error) error {
	var first, second unix.Errno
	switch {
	case file == nil:
		return nil
	case errors.As(memfd, &first) && errors.As(file, &second) && first == second:
		// What is wrong is not the kind of file.
		return memfd
	}
	return fmt.Errorf("%w, and from a file in its place: %w", memfd, file)
}

func (p *Process) forkExec(c *Config, files []uintptr, image *os.File) error {
	// The image's own descriptor has to lie above the init's table: fork moves the others to their
	// numbers before it executes /proc/self/fd/N. Those that are in each other's way it puts for a
	// moment behind the highest of them.
	fd, err := unix.FcntlInt(image.Fd(), unix.F_DUPFD_CLOEXEC, max(int(slices.Max(files)), len(files))+len(files)+8)
	if errors.Is(err, unix.EINVAL) {
		err = unix.EMFILE // so fcntl(2) says that the number is above the limit
	}
	if err != nil {
		return fmt.Errorf("start the init image: %w", err)
	}
	defer unix.Close(fd)
	call := "clone" // what Go's runtime makes of attr
	attr := &syscall.ProcAttr{Files: files, Env: []string{}, Sys: &syscall.SysProcAttr{Cloneflags: uintptr(c.Plan.Clone)}}
	if c.Cgroup != nil {
		call = "clone3"
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(c.Cgroup.Fd())
	}
	path := fmt.Sprintf("/proc/self/fd/%d", fd)
	pid := 0
	err = entry.AsCaller(func() (err error) {
		pid, err = syscall.ForkExec(path, []string{"ociruntime", "init"}, attr)
		return err
	})
	if err != nil {
		what := "start the init image"
		if c.Plan.Clone != 0 {
			what += " in new namespaces (" + plan.CloneText(c.Plan.Clone) + ")"
		}
		if c.Cgroup != nil {
			err = &birthError{err}
		}
		return fmt.Errorf("%s: %w", what, refusal.Explain(call, err))
	}
	p.image.pid = pid
	return nil
}

// Pid is the init's process id as the host sees it: the image itself, or, once it has spawned one,
// its child in the container's pid namespace.
func (p *Process) Pid() int { return p.program().pid }

// program is the process that becomes the user's program, as far as it is known.
func (p *Process) program() *child {
	if p.spawned.pid == 0 && p.pidAt != 0 && p.page != nil {
		// Who may trace the init, as a process of the container with CAP_SYS_PTRACE, can write to
		// the page: what is no child of ours is neither signalled nor changed.
		if pid := int(int32(binary.NativeEndian.Uint32(p.page[p.pidAt:]))); isChild(pid) {
			p.spawned.pid = pid
		}
	}
	if p.spawned.pid != 0 {
		return &p.spawned
	}
	return &p.image
}

// SetHome gives the init the environment entry that it could not know when it was linked, "HOME=…".
func (p *Process) SetHome(entry string) error {
	if len(entry) >= plan.PageHomeLen {
		return fmt.Errorf("%.20s…: longer than %d bytes", entry, plan.PageHomeLen-1)
	}
	copy(p.page[plan.PageHome:], entry+"\x00")
	return nil
}

// Page is the page shared with the init; it is valid until Close.
func (p *Process) Page() []byte { return p.page }

// Progress is the index of the op that the init began last, and the errno with which it failed, or
// 0.
func (p *Process) Progress() (op int, errno unix.Errno) { return readProgress(p.page) }

// readProgress reads the head of a progress page.
func readProgress(page []byte) (op int, errno unix.Errno) {
	return int(binary.NativeEndian.Uint32(page[plan.PageOp:])), unix.Errno(binary.NativeEndian.Uint32(page[plan.PageErrno:]))
}
