package criu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// Worker is a running `criu swrk`. Its methods are for one goroutine.
type Worker struct {
	// Pid is the process. Until the first request it does nothing: it can be moved to another
	// cgroup.
	Pid int

	path  string
	sock  *os.File
	ended chan struct{} // closed when the process has ended; it is not reaped yet
}

// firstFile is the number that the first of Start's files has in criu: behind standard streams and
// socket.
const firstFile = 4

// Descriptor is the number that the file at an index of Start's files has in criu.
func Descriptor(i int) int32 { return int32(firstFile + i) }

// Start starts criu in the namespaces of the calling thread, with these standard streams and files.
// It leads a process group.
//
// criu opens what Images and Work of a request name below the /proc of who made the socket, which
// is this process.
func Start(path string, stdio [3]*os.File, files ...*os.File) (*Worker, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make the socket to criu: %w", err)
	}
	w := &Worker{path: path, sock: os.NewFile(uintptr(pair[0]), "criu")}
	defer unix.Close(pair[1])
	if err = unix.SetNonblock(pair[1], false); err == nil {
		attr := &syscall.ProcAttr{Env: environment(), Sys: &syscall.SysProcAttr{Setpgid: true}}
		for _, f := range stdio {
			attr.Files = append(attr.Files, f.Fd())
		}
		attr.Files = append(attr.Files, uintptr(pair[1]))
		for _, f := range files {
			attr.Files = append(attr.Files, f.Fd())
		}
		w.Pid, err = syscall.ForkExec(path, []string{path, "swrk", "3"}, attr)
	}
	if err != nil {
		w.sock.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	if err := w.watch(); err != nil {
		w.Kill()
		return nil, errors.Join(err, w.reap())
	}
	return w, nil
}

// watch waits in Go's poller for the end of criu, and ends with it what it has left behind.
func (w *Worker) watch() error {
	fd, err := unix.PidfdOpen(w.Pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch criu: %w", err)
	}
	pidfd := os.NewFile(uintptr(fd), "criu")
	raw, err := pidfd.SyscallConn()
	if err != nil {
		pidfd.Close()
		return fmt.Errorf("watch criu: %w", err)
	}
	w.ended = make(chan struct{})
	go func() {
		defer pidfd.Close()
		_ = raw.Read(func(fd uintptr) bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n == 1 && err == nil
		})
		// Until it is reaped, the name of its group can't be another's.
		w.Kill()
		close(w.ended)
	}()
	return nil
}

// Close lets criu end, and waits until it has.
func (w *Worker) Close() error {
	w.sock.Close()
	<-w.ended
	return w.reap()
}

func (w *Worker) reap() error {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(w.Pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Kill ends criu and its helpers, one of which may hold the socket open and wait for ever; who
// waits for an answer hears that there will be none. Close has still to be called.
func (w *Worker) Kill() {
	_ = unix.Kill(-w.Pid, unix.SIGKILL)
	raw, err := w.sock.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}

// CheckVersion refuses a criu that is too old. It has to be the first request.
func (w *Worker) CheckVersion(ctx context.Context) error {
	resp, err := w.ask(ctx, rpc.CriuReqType_VERSION, nil)
	if err != nil {
		return err
	}
	v := resp.GetVersion()
	if !resp.GetSuccess() || v == nil {
		return fmt.Errorf("%s does not say its version: %s or newer is needed", w.path, Oldest)
	}
	have := Version(v.GetMajorNumber()*10000 + v.GetMinorNumber()*100 + v.GetSublevel())
	if v.GetGitid() != "" {
		// What is built between two releases counts as the next.
		have = have - have%100 + 100
	}
	if have < Oldest {
		return fmt.Errorf("%s is version %s: %s or newer is needed", w.path, have, Oldest)
	}
	return nil
}

// Features asks which of those that not every kernel supports are to be had.
func (w *Worker) Features(ctx context.Context) (*rpc.CriuFeatures, error) {
	yes := true
	resp, err := w.ask(ctx, rpc.CriuReqType_FEATURE_CHECK, &rpc.CriuFeatures{MemTrack: &yes, LazyPages: &yes})
	if err != nil {
		return nil, err
	}
	return resp.GetFeatures(), nil
}

// ask makes a request after which others follow.
func (w *Worker) ask(ctx context.Context, kind rpc.CriuReqType, features *rpc.CriuFeatures) (*rpc.CriuResp, error) {
	keep := true
	resp, files, err := w.roundTrip(ctx, &rpc.CriuReq{Type: &kind, Features: features, KeepOpen: &keep})
	closeAll(files)
	if err == nil && resp.GetType() != kind {
		err = fmt.Errorf("%s answers to something else (%s)", w.path, resp.GetType())
	}
	return resp, err
}

// Notification is a moment of a dump or a restore at which criu waits for us.
type Notification struct {
	Script string // the name of the moment
	Pid    int    // of the restored init, as we see it, or 0
	Files  []*os.File
}

// Do has criu dump or restore. It calls notify at each notification, and closes afterwards those of
// its files that notify has left there; an error of notify ends the request. The error of a request
// that criu has refused is a [RefusedError].
//
// When ctx ends, a restore is killed, and a dump is told at the next notification to take back what
// it has done, which a dead criu can't: a process that is just being made to run code of criu's
// would die with it, or never wake up.
func (w *Worker) Do(ctx context.Context, kind rpc.CriuReqType, opts *rpc.CriuOpts, notify func(*Notification) error) (*rpc.CriuResp, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	life := ctx
	if kind != rpc.CriuReqType_RESTORE {
		var release func()
		life, release = outlive(ctx, retreat)
		defer release()
	}
	req := &rpc.CriuReq{Type: &kind, Opts: opts}
	var failed error
	for {
		resp, files, err := w.roundTrip(life, req)
		if err != nil {
			closeAll(files)
			if failed != nil {
				err = failed // of which the rest is a consequence
			}
			return nil, err
		}
		if resp.GetType() == rpc.CriuReqType_NOTIFY {
			n := &Notification{resp.GetNotify().GetScript(), int(resp.GetNotify().GetPid()), files}
			switch {
			case failed != nil:
			case ctx.Err() != nil:
				failed = context.Cause(ctx)
				if n.Script == "pre-dump" { // there is nothing to take back yet
					w.Kill()
				}
			default:
				failed = notify(n)
			}
			closeAll(n.Files)
			answer, ok := rpc.CriuReqType_NOTIFY, failed == nil
			req = &rpc.CriuReq{Type: &answer, NotifySuccess: &ok}
			continue
		}
		closeAll(files)
		switch {
		case failed != nil:
			return nil, failed
		case resp.GetType() != kind || !resp.GetSuccess():
			return nil, &RefusedError{Errno: unix.Errno(resp.GetCrErrno()), First: resp.GetCrErrmsg()}
		}
		return resp, nil
	}
}

// retreat is how long a dump may take to come to its next notification, and to an end from there,
// when it is not wanted any more. One that serves memory, or writes much of it, is killed then.
const retreat = 5 * time.Second

// outlive makes a context that ends some time after ctx, with its cause.
func outlive(ctx context.Context, by time.Duration) (context.Context, func()) {
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-life.Done():
		case <-time.After(by):
			end(context.Cause(ctx))
		}
	})
	return life, func() {
		stop()
		end(nil)
	}
}

// RefusedError is the answer of a criu that could not do what was asked. The reason is in its log,
// see [Reason].
type RefusedError struct {
	Errno unix.Errno
	First string // the first error that it met, which need not be the reason
}

func (e *RefusedError) Error() string {
	if e.First != "" {
		return "criu: " + Plain(e.First)
	}
	if e.Errno != 0 {
		return "criu failed with " + unix.ErrnoName(e.Errno)
	}
	return "criu failed"
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
