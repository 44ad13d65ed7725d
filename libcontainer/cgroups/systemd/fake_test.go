package systemd

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	godbus "github.com/godbus/dbus/v5"
)

// fakeSystemd listens where a user's systemd does. answer is asked for the answer to each call of
// systemd's manager: a godbus.Error, the values of an answer, or nil to close all connections.
type fakeSystemd struct {
	answer    func(member string, body []any) any
	listener  net.Listener
	conns     chan net.Conn
	connected atomic.Int32
}

func newFakeSystemd(t *testing.T, answer func(member string, body []any) any) *fakeSystemd {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+dir+"/bus")
	if err := os.Mkdir(filepath.Join(dir, "systemd"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "systemd/private"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &fakeSystemd{answer: answer, listener: l, conns: make(chan net.Conn, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.connected.Add(1)
			s.conns <- conn
			go s.serve(conn)
		}
	}()
	return s
}

func (s *fakeSystemd) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for begun := false; !begun; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch line = strings.Trim(line, "\x00\r\n"); {
		case line == "AUTH":
			io.WriteString(conn, "REJECTED EXTERNAL\r\n")
		case strings.HasPrefix(line, "AUTH EXTERNAL"):
			io.WriteString(conn, "OK 00\r\n")
		case line == "BEGIN":
			begun = true
		default:
			io.WriteString(conn, "ERROR\r\n")
		}
	}
	for serial := uint32(1); ; serial++ {
		call, err := godbus.DecodeMessage(in)
		if err != nil {
			return
		}
		member, _ := call.Headers[godbus.FieldMember].Value().(string)
		var body any = []any{}
		if member != "AddMatch" {
			body = s.answer(member, call.Body)
		}
		if body == nil {
			s.closeAll()
			return
		}
		reply(call, serial, body).EncodeTo(conn, binary.LittleEndian)
	}
}

// closeAll closes the connections there are by now, and none that is made because of that.
func (s *fakeSystemd) closeAll() {
	var conns []net.Conn
	for range len(s.conns) {
		conns = append(conns, <-s.conns)
	}
	for _, conn := range conns {
		conn.Close()
	}
}

// reply answers call with an error or with values.
func reply(call *godbus.Message, serial uint32, body any) *godbus.Message {
	m := &godbus.Message{Type: godbus.TypeMethodReply, Headers: map[godbus.HeaderField]godbus.Variant{
		godbus.FieldReplySerial: godbus.MakeVariant(call.Serial()),
	}}
	switch body := body.(type) {
	case godbus.Error:
		m.Type = godbus.TypeError
		m.Headers[godbus.FieldErrorName] = godbus.MakeVariant(body.Name)
	case []any:
		if m.Body = body; len(body) > 0 {
			m.Headers[godbus.FieldSignature] = godbus.MakeVariant(godbus.SignatureOf(body...))
		}
	}
	return m
}

func refusal(name string) godbus.Error { return godbus.Error{Name: service + "." + name} }
