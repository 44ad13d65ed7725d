package launch

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/initimage"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// Ready is an image that only has to be started: it is linked, and what it shares with the runtime
// is there.
type Ready struct {
	config     *Config
	process    *Process
	sync, page *os.File // the init's ends
	numbers    []int    // what the init has the plan's files as
	image      []byte
	sealed     *os.File // the image in a memfd, if that can be had
	unsealed   error    // why it can't
}

// Prepare does all of [Start] that does not take Config.Stdio. It has to be followed by Ready.Start
// or by Ready.Close.
func Prepare(c *Config) (*Ready, error) {
	r := &Ready{config: c, process: &Process{plan: c.Plan, pidAt: pidAt(c.Plan)}}
	err := r.share()
	if err == nil {
		for i := range c.Plan.Files {
			r.numbers = append(r.numbers, len(c.Stdio)+c.Plan.Preserve+i)
		}
		if r.image, err = initimage.Link(c.Plan, r.numbers); err != nil {
			err = fmt.Errorf("link the init image: %w", err)
		} else {
			r.sealed, r.unsealed = initimage.Seal(r.image)
		}
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// pidAt is where the page has the pid of the child that the image spawns, 0 if it does not.
func pidAt(pl *plan.Plan) (at int) {
	for i := range pl.Steps {
		for j := range pl.Steps[i].Ops {
			if o := &pl.Steps[i].Ops[j]; o.Call == plan.Spawn {
				at = o.PidAt()
			}
		}
	}
	return at
}

// share makes the socket between the runtime and the init, and the page.
func (r *Ready) share() error {
	p := r.process
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make the socket to the init: %w", err)
	}
	if r.config.Polled {
		err = unix.SetNonblock(pair[0], true) // by which os.NewFile knows
	}
	p.sock = os.NewFile(uintptr(pair[0]), "sync")
	r.sync = os.NewFile(uintptr(pair[1]), "sync")
	if err != nil {
		return err
	}
	if r.page = r.config.Page; r.page == nil {
		fd, err := unix.MemfdCreate("progress", unix.MFD_CLOEXEC)
		if err != nil {
			return fmt.Errorf("make the progress page: %w", refusal.Explain("memfd_create", err))
		}
		r.page = os.NewFile(uintptr(fd), "progress")
	}
	size := max(p.plan.PageLen, plan.PageSize)
	if err := r.page.Truncate(int64(size)); err != nil {
		return fmt.Errorf("make the progress page: %w", err)
	}
	if p.page, err = unix.Mmap(int(r.page.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map the progress page: %w", err)
	}
	// A page that nobody has touched yet would be charged to the container's memory limit by the
	// init's first store.
	p.page[plan.PageOp] = 0
	p.page[p.pidAt] = 0
	return nil
}

// Start starts the image, with these as 0, 1 and 2, and returns while it runs.
func (r *Ready) Start(stdio [3]*os.File) (*Process, error) {
	p := r.process
	files, err := r.descriptors(stdio)
	if err == nil {
		err = r.exec(files)
		runtime.KeepAlive(r)
	}
	if err == nil {
		r.process = nil // which is the caller's now
	}
	// Ours must be the only end of the host: with theirs open here, end of file would never come.
	r.Close()
	if err != nil {
		return nil, err
	}
	return p, nil
}

// exec starts the image from the sealed memfd, or from a file where the host does not execute
// memfds.
func (r *Ready) exec(files []uintptr) error {
	c, err := r.config, r.unsealed
	if err == nil {
		err = r.process.forkExec(c, files, r.sealed)
		if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) || c.Dir == "" {
			return err
		}
	}
	f, ferr := initimage.SealFile(r.image, c.Dir)
	if ferr != nil {
		return fmt.Errorf("start the init image from a memfd (%w) or a file: %w", err, ferr)
	}
	defer f.Close()
	return bothWays(err, r.process.forkExec(c, files, f))
}

// Close lets go of what was to be shared, and of what was not started.
func (r *Ready) Close() {
	if r.process != nil {
		r.process.Close()
		r.process = nil
	}
	r.sync.Close()
	r.sealed.Close() // nil, if there is none
	if r.page != r.config.Page {
		r.page.Close()
	}
}

// descriptors lays out the init's descriptor table: it is part of the plan, and nothing else is in
// it.
func (r *Ready) descriptors(stdio [3]*os.File) ([]uintptr, error) {
	c := r.config
	files := make([]uintptr, 0, len(stdio)+len(c.Preserve)+len(c.Plan.Files))
	for _, f := range stdio {
		files = append(files, f.Fd())
	}
	if len(c.Preserve) != c.Plan.Preserve {
		return nil, fmt.Errorf("%d descriptors to preserve, %d in the plan", len(c.Preserve), c.Plan.Preserve)
	}
	for _, f := range c.Preserve {
		files = append(files, f.Fd())
	}
	own := map[string]*os.File{"sync": r.sync, "progress": r.page}
	for _, pf := range c.Plan.Files {
		f := own[pf.Name]
		if f == nil {
			f = c.Files[pf.Name]
		}
		if f == nil {
			return nil, fmt.Errorf("%s: the plan's file %q was not opened", pf.From, pf.Name)
		}
		files = append(files, f.Fd())
	}
	return files, nil
}
