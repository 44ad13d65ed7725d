package dbus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Call is a call of a method.
type Call struct {
	Destination       string // name on the bus; nobody minds it on a direct connection
	Path              ObjectPath
	Interface, Member string
	Signature         Signature
	Body              []any
}

// Message is what has been received. Fields that it doesn't have are empty.
type Message struct {
	Path              ObjectPath
	Interface, Member string
	Sender            string
	Body              []any

	kind        byte
	errorName   string
	replySerial uint32
	signature   Signature
}

// Error is the answer to a call that has failed.
type Error struct {
	Name string // org.freedesktop.systemd1.NoSuchUnit
	Text string // for people; may be empty
}

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Name
	}
	return e.Text
}

const (
	methodCall = iota + 1
	methodReturn
	errorReply
	signal
)

const (
	fieldPath = iota + 1
	fieldInterface
	fieldMember
	fieldErrorName
	fieldReplySerial
	fieldDestination
	fieldSender
	fieldSignature
)

const (
	version    = 1
	headerSize = 16 // up to and with the length of the header fields
	// maxKept is our own limit, for a message's header fields and for a body that is looked at: in memory, a value takes up to a hundred
	// times what it takes on the wire.
	maxKept = 1 << 16
)

// answers says whether the message is the answer, be it an error, to the call of that serial number.
func (m *Message) answers(serial uint32) bool {
	return (m.kind == methodReturn || m.kind == errorReply) && m.replySerial == serial
}

// IsSignal says whether the message is that signal.
func (m *Message) IsSignal(path ObjectPath, iface, member string) bool {
	return m.kind == signal && m.Path == path && m.Interface == iface && m.Member == member
}

// err is the error that an answer reports.
func (m *Message) err() error {
	if m.kind != errorReply {
		return nil
	}
	e := &Error{Name: m.errorName}
	if len(m.Body) > 0 {
		e.Text, _ = m.Body[0].(string)
	}
	return e
}

// encode returns the message of a call.
func (c *Call) encode(serial uint32) ([]byte, error) {
	if err := c.Signature.check(); err != nil {
		return nil, err
	}
	// A body begins on a multiple of 8, so that it can be written before its length, which comes first, is known.
	body := &encoder{}
	if err := body.values(string(c.Signature), c.Body); err != nil {
		return nil, err
	}
	var fields []any
	add := func(code byte, value any, given bool) {
		if given {
			fields = append(fields, Struct{code, MakeVariant(value)})
		}
	}
	add(fieldPath, c.Path, true)
	add(fieldDestination, c.Destination, c.Destination != "")
	add(fieldInterface, c.Interface, c.Interface != "")
	add(fieldMember, c.Member, true)
	add(fieldSignature, c.Signature, c.Signature != "")
	e := &encoder{buf: []byte{'l', methodCall, 0, version}}
	if err := e.values("uua(yv)", []any{uint32(len(body.buf)), serial, fields}); err != nil {
		return nil, err
	}
	e.align(8)
	if n := len(e.buf) + len(body.buf); n > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes, at most %d", n, maxMessage)
	}
	return append(e.buf, body.buf...), nil
}

// frame is what a message's first headerSize bytes say about it.
type frame struct {
	order  binary.ByteOrder
	kind   byte
	fields uint32 // bytes from the beginning to the body
	body   uint32 // bytes
}

func parseFrame(b []byte) (frame, error) {
	f := frame{order: binary.LittleEndian, kind: b[1]}
	switch {
	case b[0] == 'B':
		f.order = binary.BigEndian
	case b[0] != 'l':
		return f, fmt.Errorf("a message begins with %q", b[0])
	}
	serial, fields := f.order.Uint32(b[8:]), f.order.Uint32(b[12:])
	f.body = f.order.Uint32(b[4:])
	if fields > maxArray || f.body > maxMessage || uint64(fields)+uint64(f.body)+headerSize > maxMessage {
		return f, fmt.Errorf("a message of more than %d bytes", maxMessage)
	}
	f.fields = (headerSize + fields + 7) / 8 * 8
	switch {
	case f.kind == 0 || b[3] != version || serial == 0:
		return f, fmt.Errorf("a message of type %d, protocol %d, number %d", f.kind, b[3], serial)
	case f.fields > maxKept:
		return f, fmt.Errorf("a message with a header of %d bytes", f.fields)
	}
	return f, nil
}

// parseHeader reads the header fields; b is the message up to its body.
func parseHeader(f frame, b []byte) (*Message, error) {
	d := &decoder{order: f.order, buf: b, pos: headerSize - 4}
	list, err := d.value("a(yv)")
	if err != nil {
		return nil, err
	}
	m := &Message{kind: f.kind}
	for _, field := range list.([]any) {
		code, v := field.(Struct)[0].(byte), field.(Struct)[1].(Variant)
		if !m.set(code, v.value) {
			return nil, fmt.Errorf("header field %d of type %q", code, v.sig)
		}
	}
	missing := false
	switch m.kind {
	case methodReturn:
		missing = m.replySerial == 0
	case errorReply:
		missing = m.replySerial == 0 || m.errorName == ""
	case signal:
		missing = m.Path == "" || m.Interface == "" || m.Member == ""
	}
	if missing {
		return nil, errors.New("a message without a field that its type needs")
	}
	return m, nil
}

// set takes a header field, if it is of the type it should be. Unknown ones do not matter.
func (m *Message) set(code byte, value any) (ok bool) {
	switch code {
	case fieldPath:
		m.Path, ok = value.(ObjectPath)
	case fieldInterface:
		m.Interface, ok = value.(string)
	case fieldMember:
		m.Member, ok = value.(string)
	case fieldErrorName:
		m.errorName, ok = value.(string)
	case fieldReplySerial:
		m.replySerial, ok = value.(uint32)
	case fieldSender:
		m.Sender, ok = value.(string)
	case fieldSignature:
		m.signature, ok = value.(Signature)
	default:
		ok = code != 0
	}
	return ok
}

// parseBody reads the body.
func (m *Message) parseBody(f frame, body []byte) error {
	d := &decoder{order: f.order, buf: body}
	values, err := d.values(string(m.signature))
	if err == nil && d.pos != len(body) {
		err = fmt.Errorf("%d bytes behind the last value", len(body)-d.pos)
	}
	m.Body = values
	return err
}
