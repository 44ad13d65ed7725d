package ttrpc

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/wire"
)

const (
	// bufferSize is enough for most requests. There is a buffer for each connection.
	bufferSize = 1 << 10
	// retryPause is how long nobody is let in when there is no descriptor or memory for it.
	retryPause = 100 * time.Millisecond
)

// Handler answers a call. The context ends with the time that the caller has given it, and with the
// connection. An error that is no *Error is of unknown kind.
type Handler func(ctx context.Context, service, method string, payload []byte) (answer any, err error)

// Server serves connections.
type Server struct {
	handle  Handler
	welcome func(*unix.Ucred) error

	mu    sync.Mutex
	ended bool
	conns map[net.Conn]struct{}
	calls int           // that are not answered
	quiet chan struct{} // closed when there are none, once it is asked for
	l     net.Listener
}

// NewServer is a server of those whom welcome gives no error.
func NewServer(welcome func(*unix.Ucred) error, handle Handler) *Server {
	return &Server{handle: handle, welcome: welcome, conns: make(map[net.Conn]struct{})}
}

// Serve takes connections until Shutdown or Close.
func (s *Server) Serve(l *net.UnixListener) error {
	s.mu.Lock()
	s.l = l
	ended := s.ended
	s.mu.Unlock()
	if ended {
		return l.Close()
	}
	for {
		conn, err := l.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case isScarcity(err):
			time.Sleep(retryPause)
		case err != nil:
			return err
		case peer(conn, s.welcome) != nil || !s.add(conn):
			conn.Close()
		default:
			go s.converse(conn)
		}
	}
}

// isScarcity reports whether an error passes.
func isScarcity(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, unix.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// peer asks who is at the other end.
func peer(conn *net.UnixConn, welcome func(*unix.Ucred) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var c *unix.Ucred
		if c, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); inner == nil {
			inner = welcome(c)
		}
	})
	return errors.Join(err, inner)
}

func (s *Server) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.conns[conn] = struct{}{}
	}
	return !s.ended
}

// converse answers the calls of a connection, each as soon as it can.
func (s *Server) converse(conn net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	defer func() {
		cancel()
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	c := &conversation{server: s, conn: conn}
	r := bufio.NewReaderSize(conn, bufferSize)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		if err := c.check(&f); err != nil {
			c.answer(f.stream, nil, err)
			continue
		}
		if f.kind == typeRequest && s.begin() {
			go c.call(ctx, f)
		}
	}
}

// conversation is a connection.
type conversation struct {
	server *Server
	conn   net.Conn
	last   uint32 // call
	mu     sync.Mutex
}

// check looks at the head of a frame.
func (c *conversation) check(f *frame) error {
	switch {
	case f.tooLong:
		return &Error{ResourceExhausted, errTooLong.Error()}
	case f.stream%2 != 1:
		return &Error{InvalidArgument, "a client's calls have odd numbers"}
	case f.kind == typeData:
		return &Error{InvalidArgument, "no call of that number takes more data"}
	case f.kind == typeRequest && f.stream <= c.last:
		return &Error{InvalidArgument, "the numbers of calls must grow"}
	case f.kind == typeRequest:
		c.last = f.stream
	}
	return nil
}

// call makes one call.
func (c *conversation) call(ctx context.Context, f frame) {
	defer c.server.end()
	var r request
	if err := wire.Unmarshal(f.body, &r); err != nil {
		c.answer(f.stream, nil, &Error{InvalidArgument, "the request: " + err.Error()})
		return
	}
	if r.TimeoutNano != 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.TimeoutNano))
		defer cancel()
	}
	answer, err := c.server.handle(ctx, r.Service, r.Method, r.Payload)
	c.answer(f.stream, answer, err)
}

// answer answers a call. When that fails, there is nobody to be told; the reader sees it, too.
func (c *conversation) answer(stream uint32, answer any, err error) {
	r := &response{Status: statusOf(err)}
	if r.Status == nil {
		r.Payload = wire.Marshal(answer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := writeFrame(c.conn, stream, typeResponse, r); errors.Is(err, errTooLong) {
		_ = writeFrame(c.conn, stream, typeResponse, &response{Status: statusOf(&Error{ResourceExhausted, err.Error()})})
	}
}

func statusOf(err error) *status {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return &status{int32(e.Code), err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return &status{int32(DeadlineExceeded), err.Error()}
	case errors.Is(err, context.Canceled):
		return &status{int32(Canceled), err.Error()}
	}
	return &status{int32(Unknown), err.Error()}
}

// begin counts a call, unless the server ends.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.calls++
	}
	return !s.ended
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls--
	if s.calls == 0 && s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
}

// Shutdown takes no more connections and calls, and waits until those that there are have been
// answered, or for the end of the context.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.ended = true
	l := s.l
	quiet := make(chan struct{})
	if s.calls == 0 {
		close(quiet)
	} else {
		s.quiet = quiet
	}
	s.mu.Unlock()
	var err error
	if l != nil {
		err = l.Close()
	}
	select {
	case <-quiet:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	return err
}

// Close ends the server at once.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.Shutdown(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		err = errors.Join(err, conn.Close())
	}
	return err
}
