package dbus

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var (
	// ErrClosed is the error of a connection that the other end has closed, or that an earlier error has made useless.
	ErrClosed = errors.New("the D-Bus connection is closed")
	// ErrTimeout is the error of what has not happened before the deadline.
	ErrTimeout = errors.New("no answer")
)

// Conn is a connection to a bus, or directly to a service. It is for one goroutine.
type Conn struct {
	fd       int // -1: closed
	deadline time.Time
	serial   uint32
	buf      []byte // room for what is received
	in       []byte // the part of buf that is not yet used
}

// Dial connects to the first address that works; there may be several, separated by ";". uid is the caller's, as the other end knows it.
func Dial(addresses string, uid int, deadline time.Time) (*Conn, error) {
	var failed error
	for address := range strings.SplitSeq(addresses, ";") {
		if address == "" {
			continue
		}
		c, err := dial(address, uid, deadline)
		if err == nil {
			return c, nil
		}
		if failed != nil {
			err = fmt.Errorf("%w; %w", failed, err)
		}
		failed = err
	}
	if failed == nil {
		failed = errors.New("no D-Bus address")
	}
	return nil, failed
}

func dial(address string, uid int, deadline time.Time) (*Conn, error) {
	sa, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	c := &Conn{fd: -1, deadline: deadline, buf: make([]byte, 4096)}
	if err := c.connect(sa); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", sa.Name, err)
	}
	if err := c.authenticate(uid); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: authenticate: %w", sa.Name, err)
	}
	return c, nil
}

// connect waits in the queue where more connections than it holds have come at the same time. A socket that doesn't block would be refused
// with EAGAIN, and nothing says when to come again.
func (c *Conn) connect(sa *unix.SockaddrUnix) (err error) {
	if c.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	for {
		left := time.Until(c.deadline)
		if left <= 0 {
			return ErrTimeout
		}
		patience := unix.NsecToTimeval(left.Nanoseconds() + 1000) // zero would be forever
		if err = unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err != nil {
			return err
		}
		switch err = unix.Connect(c.fd, sa); err {
		case unix.EINTR: // by the Go runtime's own signals; with a timeout, the kernel starts nothing anew
		case unix.EAGAIN:
			return fmt.Errorf("%w: %w", ErrTimeout, err)
		default:
			return err
		}
	}
}

// authenticate says who we are; the other end asks the kernel whether that is true. It is not asked first which ways it knows, and BEGIN goes
// along: there is nothing to say in between.
func (c *Conn) authenticate(uid int) error {
	const maxLine = 1 << 12
	hello := []byte("\x00AUTH EXTERNAL ")
	for _, digit := range []byte(strconv.Itoa(uid)) {
		hello = append(hello, '3', digit) // in hexadecimal: '0' is 0x30
	}
	if err := c.write(append(hello, "\r\nBEGIN\r\n"...)); err != nil {
		return err
	}
	for {
		line, rest, ok := bytes.Cut(c.in, []byte("\r\n"))
		switch {
		case ok && (bytes.HasPrefix(line, []byte("OK ")) || string(line) == "OK"):
			c.in = rest
			return nil
		case ok:
			return fmt.Errorf("user %d is refused: %q", uid, line)
		case len(c.in) > maxLine:
			return errors.New("a line without an end")
		}
		if err := c.fill(len(c.in) + 1); err != nil {
			return err
		}
	}
}

// Hello makes the connection known to the bus, which gives it a name.
func (c *Conn) Hello() error {
	_, err := c.Call(&Call{Destination: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus", Interface: "org.freedesktop.DBus", Member: "Hello"})
	return err
}

// SetDeadline says until when what follows may take.
func (c *Conn) SetDeadline(t time.Time) { c.deadline = t }

// Close ends the connection.
func (c *Conn) Close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}

// Call calls a method and returns its answer; one that reports an error becomes an *[Error]. Whatever else arrives meanwhile is dropped.
func (c *Conn) Call(call *Call) (*Message, error) {
	c.serial++
	b, err := call.encode(c.serial)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call.Member, err)
	}
	if err := c.write(b); err != nil {
		c.Close() // half a message may be sent
		return nil, err
	}
	m, err := c.Receive(func(m *Message) bool { return m.answers(c.serial) })
	if err != nil {
		return nil, err
	}
	return m, m.err()
}

// Receive waits for the next message that want, which sees all of it but the body, says yes to. Others are dropped.
func (c *Conn) Receive(want func(*Message) bool) (*Message, error) {
	for {
		m, wanted, err := c.receive(want)
		if err != nil {
			c.Close() // where the next message begins is not known any more
			return nil, err
		}
		if wanted {
			return m, nil
		}
	}
}

func (c *Conn) receive(want func(*Message) bool) (m *Message, wanted bool, err error) {
	if err = c.fill(headerSize); err != nil {
		return nil, false, err
	}
	f, err := parseFrame(c.in[:headerSize])
	if err != nil {
		return nil, false, err
	}
	if err = c.fill(int(f.fields)); err != nil {
		return nil, false, err
	}
	if m, err = parseHeader(f, c.in[:f.fields]); err != nil {
		return nil, false, err
	}
	c.in = c.in[f.fields:]
	if !want(m) {
		return nil, false, c.skip(int(f.body))
	}
	if f.body > maxKept {
		return nil, false, fmt.Errorf("an answer of %d bytes, at most %d are expected", f.body, maxKept)
	}
	if err = c.fill(int(f.body)); err != nil {
		return nil, false, err
	}
	err = m.parseBody(f, c.in[:f.body])
	c.in = c.in[f.body:]
	return m, true, err
}

// fill waits until at least n bytes are there.
func (c *Conn) fill(n int) error {
	if len(c.in) >= n {
		return nil
	}
	room := c.buf
	if len(room) < n {
		room = make([]byte, n)
	}
	have := copy(room, c.in)
	for c.buf = room; have < n; {
		got, err := c.read(room[have:])
		if err != nil {
			return err
		}
		have += got
	}
	c.in = room[:have]
	return nil
}

// skip drops the next n bytes, however many.
func (c *Conn) skip(n int) error {
	for n > len(c.in) {
		n -= len(c.in)
		c.in = c.in[:0]
		if err := c.fill(1); err != nil {
			return err
		}
	}
	c.in = c.in[n:]
	return nil
}

func (c *Conn) read(b []byte) (int, error) {
	for {
		if err := c.wait(unix.POLLIN); err != nil {
			return 0, err
		}
		n, err := unix.Read(c.fd, b)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err == unix.ECONNRESET:
			return 0, fmt.Errorf("%w: %w", ErrClosed, err)
		case err == nil && n == 0:
			return 0, ErrClosed
		default:
			return n, err
		}
	}
}

func (c *Conn) write(b []byte) error {
	for len(b) > 0 {
		if err := c.wait(unix.POLLOUT); err != nil {
			return err
		}
		n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			b = b[n:]
		case unix.EINTR, unix.EAGAIN:
		case unix.EPIPE, unix.ECONNRESET:
			return fmt.Errorf("%w: %w", ErrClosed, err)
		default:
			return err
		}
	}
	return nil
}

// wait waits until the socket is ready.
func (c *Conn) wait(events int16) error {
	if c.fd < 0 {
		return ErrClosed
	}
	for {
		left := time.Until(c.deadline)
		if left <= 0 {
			return ErrTimeout
		}
		fds := []unix.PollFd{{Fd: int32(c.fd), Events: events}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}
