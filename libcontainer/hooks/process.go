package hooks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/pidfd"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
)

// keep is how many bytes of a hook's output are remembered, the last ones of stdout and of stderr.
const keep = 4096

// dying is how long a killed hook may take to end: one that hangs in a file system can't be waited
// for.
const dying = 2 * time.Second

// process is a running hook and our ends of its pipes.
type process struct {
	pid    int
	pidfd  *os.File
	cancel *os.File // an eventfd, readable once the context has ended; nil if it never does
	stdin  *os.File // nil when all is written
	input  []byte   // what is left to be written
	output [2]stream
}

// stream collects stdout or stderr.
type stream struct {
	pipe *os.File // nil at its end
	text []byte
}

// hook runs one hook.
func (o Options) hook(ctx context.Context, kind Kind, index int, h *specs.Hook, state []byte) error {
	begin := time.Now()
	p := &process{input: state}
	defer p.close()
	stop, err := p.watch(ctx)
	defer stop()
	if err == nil {
		err = p.start(o, h)
	}
	if err == nil {
		err = p.supervise(ctx, h.Timeout, begin)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // the hook may have been killed together with the container's init
	}
	return &Error{
		Kind: kind, Index: index, Path: h.Path, Args: h.Args, Err: err, Took: time.Since(begin),
		Stdout: string(p.output[0].text), Stderr: string(p.output[1].text),
	}
}

// watch makes the end of ctx something that poll can wait for.
func (p *process) watch(ctx context.Context) (stop func() bool, err error) {
	stop = func() bool { return true }
	if ctx.Err() != nil {
		return stop, context.Cause(ctx)
	}
	if ctx.Done() == nil {
		return stop, nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return stop, fmt.Errorf("watch the hook: %w", err)
	}
	p.cancel = os.NewFile(uintptr(fd), "eventfd")
	one := []byte{1, 1, 1, 1, 1, 1, 1, 1} // of either byte order
	return context.AfterFunc(ctx, func() { _, _ = p.cancel.Write(one) }), nil
}

func (p *process) start(o Options, h *specs.Hook) error {
	var theirs [3]*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	for i := range theirs {
		r, w, err := pipe()
		if err != nil {
			return err
		}
		ours := w
		theirs[i] = r
		if i > 0 {
			ours, theirs[i] = r, w
		}
		if err := unix.SetNonblock(int(ours.Fd()), true); err != nil {
			return fmt.Errorf("make a pipe to the hook: %w", err)
		}
		if i == 0 {
			p.stdin = ours
		} else {
			p.output[i-1].pipe = ours
		}
	}
	// As much as the pipe takes is there before the hook is, which for any ordinary state is all of
	// it.
	p.write()
	stdio := theirs
	for i, f := range o.output {
		if f != nil {
			stdio[i+1] = f
		}
	}
	pid, err := o.Start(h, stdio)
	if err != nil {
		return err
	}
	p.pid = pid
	// The pid can't be another's: it is our child, and we have not waited for it.
	fd, err := unix.PidfdOpen(pid, 0)
	p.pidfd = os.NewFile(uintptr(fd), "pidfd")
	if err != nil {
		p.kill()
		return fmt.Errorf("watch the hook: %w", refusal.Explain("pidfd_open", err))
	}
	return nil
}

func pipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make a pipe to the hook: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}

// supervise serves the pipes until the hook has ended or its time is over.
func (p *process) supervise(ctx context.Context, timeout *int, begin time.Time) error {
	var limit time.Duration
	if timeout != nil {
		limit = seconds(*timeout)
	}
	for {
		var wait *unix.Timespec
		if timeout != nil {
			left := limit - time.Since(begin)
			if left <= 0 {
				p.kill()
				p.read()
				return TimeoutError{limit}
			}
			ts := unix.NsecToTimespec(left.Nanoseconds())
			wait = &ts
		}
		ended, err := p.poll(wait)
		if err != nil {
			p.kill()
			return fmt.Errorf("watch the hook: %w", err)
		}
		p.write()
		p.read()
		if ended {
			break
		}
		if ctx.Err() != nil {
			p.kill()
			p.read()
			return context.Cause(ctx)
		}
	}
	// What it left running may keep the pipes open for as long as it likes: the hook is over when
	// its first process is.
	status, err := p.wait(0)
	if err != nil {
		return fmt.Errorf("wait for the hook: %w", err)
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		return ExitError{status}
	}
	return nil
}

// seconds is a time that fits into a Duration, 292 years or less.
func seconds(n int) time.Duration {
	return time.Duration(min(int64(n), math.MaxInt64/int64(time.Second))) * time.Second
}

// poll waits for something to do; ended says that the hook is over.
func (p *process) poll(wait *unix.Timespec) (ended bool, err error) {
	fds := []unix.PollFd{{Fd: int32(p.pidfd.Fd()), Events: unix.POLLIN}}
	if p.cancel != nil {
		fds = append(fds, unix.PollFd{Fd: int32(p.cancel.Fd()), Events: unix.POLLIN})
	}
	if p.stdin != nil {
		fds = append(fds, unix.PollFd{Fd: int32(p.stdin.Fd()), Events: unix.POLLOUT})
	}
	for _, s := range p.output {
		if s.pipe != nil {
			fds = append(fds, unix.PollFd{Fd: int32(s.pipe.Fd()), Events: unix.POLLIN})
		}
	}
	if _, err := unix.Ppoll(fds, wait, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return false, err
	}
	return fds[0].Revents != 0, nil
}

// write gives the hook of its input what the pipe takes. A hook that does not read it all is fine.
func (p *process) write() {
	for p.stdin != nil {
		var n int
		var err error
		if len(p.input) > 0 {
			n, err = unix.Write(int(p.stdin.Fd()), p.input)
		}
		p.input = p.input[max(n, 0):]
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EINTR):
		case err != nil || len(p.input) == 0:
			p.stdin.Close()
			p.stdin = nil
		}
	}
}

// read takes what is in the output pipes.
func (p *process) read() {
	var buf [keep]byte
	for i := range p.output {
		s := &p.output[i]
		// Bounded, since one that writes faster than we read must not keep us from looking at the
		// clock.
		for range 64 {
			if s.pipe == nil {
				break
			}
			n, err := unix.Read(int(s.pipe.Fd()), buf[:])
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n <= 0 {
				s.pipe.Close()
				s.pipe = nil
				break
			}
			s.text = append(s.text, buf[:n]...)
			s.text = s.text[max(0, len(s.text)-keep):]
		}
	}
}

func (p *process) wait(options int) (unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(p.pid, &status, options, nil)
		if !errors.Is(err, unix.EINTR) {
			return status, err
		}
	}
}

// kill ends the hook and the process group that it leads.
func (p *process) kill() {
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	_ = unix.Kill(p.pid, unix.SIGKILL)
	_, _ = pidfd.Await(p.pidfd, dying)
	_, _ = p.wait(unix.WNOHANG)
}

func (p *process) close() {
	for _, f := range []*os.File{p.pidfd, p.cancel, p.stdin, p.output[0].pipe, p.output[1].pipe} {
		f.Close()
	}
}
