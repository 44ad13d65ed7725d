package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/bootstrap"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/events"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/orphans"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/service"
)

const (
	// garbage is how much of the heap may be garbage at first, in percent: so much that no
	// container is created and started while the collector works (6 % of the CPU time of its life).
	garbage = 100
	// endTime is how long the last answers and events may take.
	endTime = 4 * time.Second
)

// daemon serves a socket until the last container is gone, and tells containerd of events, at an
// address.
func daemon(a *bootstrap.Args, l *net.UnixListener, address string) error {
	debug.SetGCPercent(garbage)
	openLog()
	// A bundle must not stay busy for as long as the pod's other containers run.
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// Caught and not ignored, which children would inherit. The daemon ends with its containers,
	// and not with containerd's service or with who reads its log.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	ended := make(chan struct{})
	queue := events.New(strings.TrimPrefix(address, "unix://"), a.Namespace, warn)
	unlisten := func() {
		if err := os.Remove(l.Addr().String()); err != nil && !errors.Is(err, os.ErrNotExist) {
			warn(err.Error())
		}
	}
	s := service.New(a.Namespace, queue, warn, unlisten, func() { close(ended) })
	server, err := ttrpc.NewServer(
		ttrpc.WithServerHandshaker(ttrpc.UnixCredentialsFunc(sameUser)), ttrpc.WithUnaryServerInterceptor(s.Guard),
	)
	if err != nil {
		return err
	}
	s.Register(server)
	if err := orphans.Reap(s.Owns); err != nil {
		warn(err.Error())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	select {
	case err := <-served:
		return err
	case <-ended:
		finish(server, queue)
		return nil
	}
}

// finish ends the daemon: the last answers are given, and the last events.
func finish(server *ttrpc.Server, queue *events.Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	// What is not over by then is a client that waits for the end of the connection.
	_ = server.Shutdown(ctx)
	queue.Flush(endTime)
}

// sameUser lets nobody in but who started us: the socket's mode is not all that protects it.
func sameUser(c *unix.Ucred) error {
	if int(c.Uid) != os.Geteuid() {
		return fmt.Errorf("user %d may not use this shim", c.Uid)
	}
	return nil
}

// openLog makes containerd's fifo standard error, where a panic goes, too. It is not waited for
// when it is full: no call may hang because containerd does not read.
func openLog() {
	fd, err := unix.Open("log", unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return // there is nobody to be told
	}
	defer unix.Close(fd)
	_ = unix.Dup3(fd, int(os.Stderr.Fd()), 0)
}

// warn writes a line as containerd's own log has them.
func warn(text string) {
	fmt.Fprintf(os.Stderr, "time=%q level=warning msg=%q runtime=%s\n", time.Now().Format(time.RFC3339Nano), text, runtimeName)
}
