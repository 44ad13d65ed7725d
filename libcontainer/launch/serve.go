package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// Serve meets the init at each rendezvous in turn and calls do for every host step there. It
// returns nil when the user's program has been executed or, for a plan that waits for `start`, when
// the last rendezvous is over. On any error, of the init's or of ours, the init is dead and reaped
// when Serve returns. When ctx ends before, Serve gives its cause.
//
// files are the descriptors that the init brought to the rendezvous; Serve closes them.
func (p *Process) Serve(ctx context.Context, do func(s *plan.Step, files []*os.File) error) error {
	stop := hangUp(ctx, p.sock)
	err := p.serve(ctx, do)
	stop()
	if err == nil && p.pidAt != 0 {
		// The image that spawned the init left as soon as its child existed.
		err = p.image.wait(0)
		if err == nil && p.program() == &p.image {
			err = errors.New("the container init has been lost: somebody has written over its pid")
		}
	}
	if err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

// hangUp ends every wait of ours on a socket, now and later, when ctx does. The other side does not
// notice.
func hangUp(ctx context.Context, sock *os.File) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		raw, err := sock.SyscallConn() // not Fd: the socket may be closed meanwhile
		if err == nil {
			_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) })
		}
	})
}

func (p *Process) serve(ctx context.Context, do func(*plan.Step, []*os.File) error) error {
	for _, group := range rendezvous(p.plan) {
		if err := p.meet(ctx, group, do); err != nil {
			return err
		}
		if _, err := p.sock.Write([]byte{0}); err != nil {
			return p.lost(ctx, "answer", err)
		}
	}
	if p.plan.Waits {
		return nil
	}
	return p.awaitExec(ctx)
}

// rendezvous lists the runs of consecutive host steps.
func rendezvous(pl *plan.Plan) (groups [][]*plan.Step) {
	host := false
	for i := range pl.Steps {
		s := &pl.Steps[i]
		if s.Site == plan.Host {
			if !host || s.Begins {
				groups = append(groups, nil)
			}
			groups[len(groups)-1] = append(groups[len(groups)-1], s)
		}
		host = s.Site == plan.Host
	}
	return groups
}

// meet waits until the init has reached a rendezvous and does the host's part of it.
func (p *Process) meet(ctx context.Context, group []*plan.Step, do func(*plan.Step, []*os.File) error) error {
	var b [8]byte
	n, files, err := receive(p.sock, b[:])
	for _, f := range files {
		defer f.Close()
	}
	switch {
	case err != nil:
		return p.lost(ctx, "hear from", err)
	case n == 0:
		return p.gone(ctx)
	case n == len(b):
		return p.stepError(readProgress(b[:]))
	}
	for _, s := range group {
		if err := do(s, files); err != nil {
			return err
		}
	}
	return nil
}

// receive reads one message and the descriptors that came with it.
func receive(sock *os.File, b []byte) (int, []*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(4*4))
	raw, err := sock.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	var n, oobn int
	var answer error
	err = raw.Read(func(fd uintptr) (over bool) {
		for {
			n, oobn, _, _, answer = unix.Recvmsg(int(fd), b, oob, unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(answer, unix.EINTR) {
				return !errors.Is(answer, unix.EAGAIN) // which only a polled socket says
			}
		}
	})
	if err = errors.Join(err, answer); err != nil || oobn == 0 {
		return n, nil, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return n, nil, err
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // credentials and the like: not ours
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "from the init"))
		}
	}
	return n, files, nil
}

// awaitExec waits until the init has executed the user's program.
func (p *Process) awaitExec(ctx context.Context) error {
	op, errno, err := await(p.sock)
	switch {
	case err != nil:
		return err
	case errno != 0:
		return p.stepError(op, errno)
	}
	if op, errno := p.Progress(); op != p.plan.OpCount()-1 || errno != 0 || ctx.Err() != nil && !closedByPeer(p.sock) {
		return p.gone(ctx)
	}
	return nil
}

// closedByPeer reports whether the init has closed its end of a socket, by execve or by its death,
// although it can't be read any more that it did, after hangUp.
func closedByPeer(sock *os.File) bool {
	raw, err := sock.SyscallConn()
	if err != nil {
		return false
	}
	closed := false
	err = raw.Control(func(fd uintptr) {
		for {
			// POLLHUP is always told, and only when both ways are closed
			fds := []unix.PollFd{{Fd: int32(fd)}}
			if _, err := unix.Poll(fds, 0); !errors.Is(err, unix.EINTR) {
				closed = err == nil && fds[0].Revents&unix.POLLHUP != 0
				return
			}
		}
	})
	return err == nil && closed
}

// AwaitStart waits on the connection that `start` made to an init until this has executed the
// user's program, the last op of its plan. When an op has failed, errno is not 0; an init that went
// away before is an error, and so is the end of ctx before the program ran, after which the init
// may be anywhere.
func AwaitStart(ctx context.Context, conn, page *os.File, last int) (op int, errno unix.Errno, err error) {
	defer hangUp(ctx, conn)()
	if op, errno, err = await(conn); err != nil || errno != 0 {
		return op, errno, err
	}
	var head [8]byte
	if _, err := page.ReadAt(head[:], 0); err != nil {
		return 0, 0, fmt.Errorf("read the init's progress: %w", err)
	}
	switch op, errno = readProgress(head[:]); {
	case ctx.Err() != nil && (op < last || errno != 0 || !closedByPeer(conn)):
		return 0, 0, context.Cause(ctx)
	case op < last && errno == 0:
		err = errors.New("container init was killed before it could execute the program")
	}
	return op, errno, err
}

// await reads the report of a failed op, or the end of file that execve (or death) leaves behind.
func await(conn *os.File) (op int, errno unix.Errno, err error) {
	var b [8]byte
	n, err := read(conn, b[:])
	switch {
	case n == len(b):
		op, errno = readProgress(b[:])
		return op, errno, nil
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET):
		// A reset is an end of file behind an answer that nobody read any more.
		return 0, 0, fmt.Errorf("read the init's report: %w", err)
	}
	return 0, 0, nil
}

func read(f *os.File, b []byte) (int, error) {
	n, err := f.Read(b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// lost explains a failure to talk to the init. The socket itself says when the init is gone;
// whatever else fails is the host's affair, and the init may be waiting still.
func (p *Process) lost(ctx context.Context, what string, err error) error {
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return p.gone(ctx)
	}
	return fmt.Errorf("%s the container's init: %w", what, err)
}

// gone explains an init that went away without a report, or was hung up on because ctx has ended.
func (p *Process) gone(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	op, errno := p.Progress()
	if errno != 0 {
		return p.stepError(op, errno)
	}
	e := &KilledError{}
	e.Step, _ = p.plan.At(op)
	// The socket is closed a moment before the process can be waited for. One that lives on without
	// it is of no use.
	c := p.program()
	err := c.kill()
	e.Status = c.status
	return errors.Join(e, err)
}

// KilledError says that the init ended without reporting an error: somebody or the kernel killed
// it.
type KilledError struct {
	Step   *plan.Step
	Status unix.WaitStatus
}

func (e *KilledError) Error() string {
	how := "ended"
	if e.Status.Signaled() {
		how = "was killed by " + unix.SignalName(e.Status.Signal())
	}
	if e.Step == nil {
		return "container init " + how
	}
	return fmt.Sprintf("%s: container init %s while it was about to %s", place(e.Step), how, e.Step.What)
}

// Killed reports whether the init was ended by signal sig.
func (e *KilledError) Killed(sig unix.Signal) bool {
	return e.Status.Signaled() && e.Status.Signal() == sig
}
