package dbus

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func soon() time.Time { return time.Now().Add(20 * time.Second) }

// serve accepts one connection on a socket and hands it over. It returns the socket's path.
func serve(t *testing.T, do func(conn net.Conn, in *bufio.Reader)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s,%") // what an address has to escape
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		do(conn, bufio.NewReader(conn))
	}()
	return path
}

// greet is what a server does first; it returns what the client has said.
func greet(conn net.Conn, in *bufio.Reader) string {
	auth, _ := in.ReadString('\n')
	begin, _ := in.ReadString('\n')
	io.WriteString(conn, "OK 1234deadbeef\r\n")
	return auth + begin
}

// readCall reads a call and returns its serial number.
func readCall(in io.Reader) uint32 {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0
	}
	f, _ := parseFrame(head)
	io.ReadFull(in, make([]byte, int(f.fields)-headerSize+int(f.body)))
	return f.order.Uint32(head[8:])
}

func dialed(t *testing.T, path string) *Conn {
	t.Helper()
	c, err := Dial("unix:path="+EscapeAddress(path), 1000, soon())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var ping = &Call{Path: "/", Interface: "a.b", Member: "Ping"}

func TestConversation(t *testing.T) {
	said := make(chan string, 1)
	jobRemoved := func(body ...any) []byte {
		return message(signal, "s", body, field(fieldPath, ObjectPath("/m")), field(fieldInterface, "a.b"), field(fieldMember, "Removed"))
	}
	path := serve(t, func(conn net.Conn, in *bufio.Reader) {
		said <- greet(conn, in)
		serial := readCall(in)
		// Among what nobody has asked for is a message too large to be kept.
		conn.Write(jobRemoved("early"))
		conn.Write(message(signal, "ay", []any{make([]byte, 3<<20)}, field(fieldPath, ObjectPath("/m")), field(fieldInterface, "a.b"), field(fieldMember, "Large")))
		conn.Write(answer(serial+1, "s", "somebody else's"))
		for _, b := range answer(serial, "sas", "mine", []string{"x"}) { // in pieces
			conn.Write([]byte{b})
		}
		conn.Write(message(methodCall, "", nil, field(fieldPath, ObjectPath("/")), field(fieldMember, "Ping")))
		conn.Write(jobRemoved("late"))
		conn.Write(message(errorReply, "s", []any{"no"}, field(fieldErrorName, "x.No"), field(fieldReplySerial, readCall(in))))
	})
	c := dialed(t, path)
	if got, want := <-said, "\x00AUTH EXTERNAL 31303030\r\nBEGIN\r\n"; got != want {
		t.Errorf("authentication: %q, want %q", got, want)
	}
	m, err := c.Call(ping)
	if err != nil || len(m.Body) != 2 || m.Body[0] != "mine" {
		t.Errorf("answer %+v, error %v", m, err)
	}
	m, err = c.Receive(func(m *Message) bool { return m.IsSignal("/m", "a.b", "Removed") })
	if err != nil || m.Body[0] != "late" {
		t.Errorf("signal %+v, error %v", m, err)
	}
	var e *Error
	if _, err := c.Call(ping); !errors.As(err, &e) || e.Name != "x.No" || e.Error() != "no" {
		t.Errorf("error %v", err)
	}
	if _, err := c.Call(ping); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v of a call after the other end has gone", err)
	}
}

func TestNoConnection(t *testing.T) {
	for said, want := range map[string]string{
		"REJECTED EXTERNAL\r\n": "refused", "": ErrClosed.Error(), strings.Repeat("x", 1<<13): "without an end",
	} {
		path := serve(t, func(conn net.Conn, in *bufio.Reader) {
			in.ReadString('\n')
			in.ReadString('\n')
			io.WriteString(conn, said)
		})
		c, err := Dial("unix:path="+EscapeAddress(path), 0, soon())
		if err == nil || !strings.Contains(err.Error(), path+": authenticate: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, error %v, want %s", said, c, err, want)
		}
	}
}

// A connection is of no use after nonsense, or after a deadline, and says so.
func TestBrokenConversation(t *testing.T) {
	for name, c := range map[string]struct {
		sent func(serial uint32) []byte
		want error
	}{
		"nonsense":     {func(uint32) []byte { return bytes.Repeat([]byte("x"), 100) }, nil},
		"half":         {func(serial uint32) []byte { return answer(serial, "s", "mine")[:20] }, ErrClosed},
		"large header": {func(uint32) []byte { return []byte("l\x02\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04") }, nil},
		"large answer": {func(serial uint32) []byte { return answer(serial, "ay", make([]byte, 1<<20)) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialed(t, serve(t, func(conn net.Conn, in *bufio.Reader) {
				greet(conn, in)
				conn.Write(c.sent(readCall(in)))
			}))
			if m, err := conn.Call(ping); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%+v, error %v", m, err)
			}
			if m, err := conn.Call(ping); !errors.Is(err, ErrClosed) {
				t.Errorf("afterwards: %+v, error %v", m, err)
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	for name, call := range map[string]*Call{
		"nobody answers": ping, "nobody reads": {Path: "/", Member: "M", Signature: "ay", Body: []any{make([]byte, 8<<20)}},
	} {
		release := make(chan struct{})
		c := dialed(t, serve(t, func(conn net.Conn, in *bufio.Reader) { greet(conn, in); <-release }))
		c.SetDeadline(time.Now().Add(20 * time.Millisecond))
		if m, err := c.Call(call); !errors.Is(err, ErrTimeout) {
			t.Errorf("%s: %+v, error %v", name, m, err)
		}
		close(release)
	}
}

// Where many come at the same time, each waits for its turn.
func TestFullQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	sa := &unix.SockaddrUnix{Name: path}
	if err := errors.Join(unix.Bind(fd, sa), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), path)
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	defer l.Close()
	waiting := 0
	for ; err == nil; waiting++ {
		fd, serr := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if serr != nil {
			t.Fatal(serr)
		}
		defer unix.Close(fd)
		err = unix.Connect(fd, sa)
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
	if _, err := Dial("unix:path="+path, 0, time.Now().Add(20*time.Millisecond)); !errors.Is(err, ErrTimeout) {
		t.Errorf("error %v where nobody takes connections", err)
	}
	done := make(chan error, 1)
	go func() {
		c, err := Dial("unix:path="+path, 0, soon())
		if err == nil {
			c.Close()
		}
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	for range waiting {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() { defer conn.Close(); greet(conn, bufio.NewReader(conn)) }()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"unix:path=/run/dbus/system_bus_socket": "/run/dbus/system_bus_socket", "unix:guid=00,path=/a%20b%2c%2C%25": "/a b,,%", "unix:abstract=/tmp/x": "@/tmp/x",
		"unix:path=@x": "./@x", "unix:" + "path=" + EscapeAddress("/ä ,;%="): "/ä ,;%=",
	} {
		if sa, err := parseAddress(address); err != nil || sa.Name != want {
			t.Errorf("%s: %+v, want %s, error %v", address, sa, want, err)
		}
	}
	for _, address := range []string{"", "unix", "unix:", "unix:path=", "unix:path=/a%2", "unix:path=/a%zz", "unix:path=%00a", "tcp:host=localhost,port=1", "unix:runtime=yes"} {
		if c, err := Dial(address, 0, soon()); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %+v, error %v", address, c, err)
		}
	}
	name := "ociruntime-test-" + filepath.Base(t.TempDir()) + "-" + time.Now().Format("150405.000000")
	l, err := net.Listen("unix", "@"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err == nil {
			greet(conn, bufio.NewReader(conn))
			conn.Close()
		}
	}()
	// The first that works counts.
	c, err := Dial("unix:path=/nonexistent/socket;tcp:host=h,port=1;unix:abstract="+EscapeAddress(name)+";", 0, soon())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	_, err = Dial("unix:path=/nonexistent/a;unix:path=/nonexistent/b", 0, soon())
	if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "/nonexistent/a") || !strings.Contains(err.Error(), "/nonexistent/b") {
		t.Errorf("error %v", err)
	}
}
