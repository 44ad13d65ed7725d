package dbus

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
)

// The bytes are counted by hand from the specification.
func TestCallOnTheWire(t *testing.T) {
	call := Call{Path: "/a/b", Member: "Do", Signature: "sb", Body: []any{"hi", true}}
	got, err := call.encode(7)
	want := "l\x01\x00\x01" + "\x0c\x00\x00\x00" + "\x07\x00\x00\x00" + "\x28\x00\x00\x00" +
		"\x01\x01o\x00" + "\x04\x00\x00\x00/a/b\x00" + "\x00\x00\x00" +
		"\x03\x01s\x00" + "\x02\x00\x00\x00Do\x00" + "\x00\x00\x00\x00\x00" +
		"\x08\x01g\x00" + "\x02sb\x00" +
		"\x02\x00\x00\x00hi\x00" + "\x00" + "\x01\x00\x00\x00"
	if err != nil || string(got) != want {
		t.Errorf("got\n%q\nwant\n%q, error %v", got, want, err)
	}
}

// values holds one of each type and its form in little and in big endian.
var values = []struct {
	sig         string
	value       any
	little, big string
}{
	{"y", byte(5), "\x05", "\x05"},
	{"b", true, "\x01\x00\x00\x00", "\x00\x00\x00\x01"},
	{"n", int16(-2), "\xfe\xff", "\xff\xfe"},
	{"q", uint16(258), "\x02\x01", "\x01\x02"},
	{"i", int32(-2), "\xfe\xff\xff\xff", "\xff\xff\xff\xfe"},
	{"u", uint32(1), "\x01\x00\x00\x00", "\x00\x00\x00\x01"},
	{"x", int64(-2), "\xfe\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xfe"},
	{"t", uint64(math.MaxUint64), "\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff"},
	{"d", 1.0, "\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x3f\xf0\x00\x00\x00\x00\x00\x00"},
	{"s", "é", "\x02\x00\x00\x00\xc3\xa9\x00", "\x00\x00\x00\x02\xc3\xa9\x00"},
	{"o", ObjectPath("/"), "\x01\x00\x00\x00/\x00", "\x00\x00\x00\x01/\x00"},
	{"g", Signature("a(ss)"), "\x05a(ss)\x00", "\x05a(ss)\x00"},
	{"v", MakeVariant(uint16(1)), "\x01q\x00\x00\x01\x00", "\x01q\x00\x00\x00\x01"},
	{"ay", []byte{1, 2}, "\x02\x00\x00\x00\x01\x02", "\x00\x00\x00\x02\x01\x02"},
	{"as", []string{"a", "b"}, "\x0e\x00\x00\x00\x01\x00\x00\x00a\x00\x00\x00\x01\x00\x00\x00b\x00",
		"\x00\x00\x00\x0e\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x01b\x00"},
	{"au", []any{uint32(1)}, "\x04\x00\x00\x00\x01\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x01"},
	{"at", []any{}, "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00"}, // padding even so
	{"(yt)", Struct{byte(1), uint64(2)}, "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00",
		"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"},
	{"a{yy}", []any{Entry{byte(1), byte(2)}}, "\x02\x00\x00\x00\x00\x00\x00\x00\x01\x02", "\x00\x00\x00\x02\x00\x00\x00\x00\x01\x02"},
}

func TestValues(t *testing.T) {
	for _, c := range values {
		e := encoder{}
		if err := e.value(c.sig, c.value); err != nil || string(e.buf) != c.little {
			t.Errorf("%s %v: %q, want %q, error %v", c.sig, c.value, e.buf, c.little, err)
		}
		for text, order := range map[string]binary.ByteOrder{c.little: binary.LittleEndian, c.big: binary.BigEndian} {
			d := decoder{order: order, buf: []byte(text)}
			if v, err := d.value(c.sig); err != nil || !reflect.DeepEqual(v, c.value) || d.pos != len(text) {
				t.Errorf("%s %q: %#v, want %#v, error %v", c.sig, text, v, c.value, err)
			}
			for n := range len(text) {
				d := decoder{order: order, buf: []byte(text[:n])}
				if v, err := d.value(c.sig); err == nil {
					t.Errorf("%s %q: %#v, and no error", c.sig, text[:n], v)
				}
			}
		}
	}
}

func TestBadValues(t *testing.T) {
	for _, c := range []struct{ sig, text string }{
		{"b", "\x02\x00\x00\x00"},
		{"s", "\x01\x00\x00\x00\xff\x00"},
		{"s", "\x01\x00\x00\x00\x00\x00"},
		{"s", "\x01\x00\x00\x00ab"},
		{"s", "\xff\xff\xff\xff\x00"},
		{"s", "\xff\xff\xff\x7f\x00"},
		{"o", "\x03\x00\x00\x00//a\x00"},
		{"o", "\x00\x00\x00\x00\x00"},
		{"g", "\x01(\x00"},
		{"g", "\x01z\x00"},
		{"v", "\x00\x00"},
		{"v", "\x02yy\x00\x01\x02"},
		{"ay", "\x01\x00\x00\x04" + strings.Repeat("x", 64)},
		{"as", "\x03\x00\x00\x00\x01\x00\x00\x00a\x00"},
		{"v", strings.Repeat("\x01v\x00", 200)},
	} {
		d := decoder{order: binary.LittleEndian, buf: []byte(c.text)}
		if v, err := d.value(c.sig); err == nil {
			t.Errorf("%s %q: %#v, and no error", c.sig, c.text, v)
		}
	}
}

func TestUnsendable(t *testing.T) {
	deep := MakeVariant(byte(1))
	for range 2 * maxDepth {
		deep = MakeVariant(deep)
	}
	for _, c := range []struct {
		sig    Signature
		values []any
	}{
		{"s", []any{1}}, {"s", []any{"a\x00b"}}, {"s", []any{"\xff"}}, {"s", []any{ObjectPath("/")}}, {"o", []any{"/"}}, {"u", []any{"1"}},
		{"u", []any{int32(1)}}, {"ss", []any{"a"}}, {"s", []any{"a", "b"}}, {"as", []any{"a"}}, {"au", []any{[]byte{1}}}, {"ao", []any{[]string{"/"}}},
		{"(ss)", []any{Struct{"a"}}}, {"v", []any{"a"}}, {"v", []any{MakeVariant(3 + 4i)}}, {"v", []any{Typed("", 1)}}, {"v", []any{Typed("ss", "a")}},
		{"o", []any{ObjectPath("/a/")}}, {"g", []any{Signature("a")}}, {"a", nil}, {"v", []any{deep}}, {"ay", []any{make([]byte, maxArray+1)}},
	} {
		call := Call{Path: "/", Member: "M", Signature: c.sig, Body: c.values}
		if b, err := call.encode(1); err == nil {
			t.Errorf("%q %v is sent as %q", c.sig, c.values, b)
		}
	}
}

func TestSignatures(t *testing.T) {
	for sig, want := range map[string]bool{
		"": true, "s": true, "a{sv}a(oas)x": true, strings.Repeat("a", 32) + "y": true, strings.Repeat("(", 32) + "y" + strings.Repeat(")", 32): true,
		strings.Repeat("y", 255): true, "a": false, "(": false, "()": false, "(s": false, "s)": false, "{sv}": false, "a{vs}": false, "a{s}": false,
		"a{sss}": false, "a{sv": false, "r": false, "m": false, strings.Repeat("a", 33) + "y": false,
		strings.Repeat("(", 33) + "y" + strings.Repeat(")", 33): false, strings.Repeat("y", 256): false,
	} {
		if err := Signature(sig).check(); (err == nil) != want {
			t.Errorf("%q: error %v", sig, err)
		}
	}
}

// message encodes one of any kind, as a peer would.
func message(kind byte, signature Signature, body []any, fields ...any) []byte {
	b, e := encoder{}, encoder{buf: []byte{'l', kind, 0, version}}
	if signature != "" {
		fields = append(fields, Struct{byte(fieldSignature), MakeVariant(signature)})
	}
	if err := b.values(string(signature), body); err != nil {
		panic(err)
	}
	if err := e.values("uua(yv)", []any{uint32(len(b.buf)), uint32(1), fields}); err != nil {
		panic(err)
	}
	e.align(8)
	return append(e.buf, b.buf...)
}

func field(code byte, value any) any { return Struct{code, MakeVariant(value)} }

func answer(serial uint32, signature Signature, body ...any) []byte {
	return message(methodReturn, signature, body, field(fieldReplySerial, serial))
}

// parse reads a message that is there as a whole.
func parse(b []byte) (*Message, error) {
	if len(b) < headerSize {
		return nil, errShort
	}
	f, err := parseFrame(b)
	if err != nil {
		return nil, err
	}
	if uint64(len(b)) != uint64(f.fields)+uint64(f.body) {
		return nil, errShort
	}
	m, err := parseHeader(f, b[:f.fields])
	if err != nil {
		return nil, err
	}
	return m, m.parseBody(f, b[f.fields:])
}

func TestMessages(t *testing.T) {
	m, err := parse(message(signal, "uo", []any{uint32(1), ObjectPath("/job")}, field(fieldPath, ObjectPath("/p")), field(fieldInterface, "a.b"),
		field(fieldMember, "M"), field(fieldSender, ":1.2"), field(200, "of the future")))
	if err != nil || !m.IsSignal("/p", "a.b", "M") || m.Sender != ":1.2" || !reflect.DeepEqual(m.Body, []any{uint32(1), ObjectPath("/job")}) {
		t.Errorf("%+v, error %v", m, err)
	}
	m, err = parse(message(errorReply, "s", []any{"gone"}, field(fieldErrorName, "x.NoSuchUnit"), field(fieldReplySerial, uint32(9))))
	if err != nil || !m.answers(9) || m.answers(1) || !reflect.DeepEqual(m.err(), &Error{"x.NoSuchUnit", "gone"}) {
		t.Errorf("%+v, error %v", m, err)
	}
	for name, b := range map[string][]byte{
		"answer to nothing": message(methodReturn, "", nil), "nameless error": message(errorReply, "", nil, field(fieldReplySerial, uint32(1))),
		"signal from nowhere": message(signal, "", nil, field(fieldMember, "M")), "path of type s": message(signal, "", nil, field(fieldPath, "/")),
		"type 0": message(0, "", nil), "field 0": message(signal, "", nil, field(0, "")), "body too long": append(answer(1, "y", byte(1)), 1),
	} {
		if m, err := parse(b); err == nil {
			t.Errorf("%s: %+v, and no error", name, m)
		}
	}
	for name, change := range map[string]string{
		"byte order": "x\x02\x00\x01", "version": "l\x02\x00\x02", "body": "l\x02\x00\x01\xff\xff\xff\xff", "number": "l\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"fields": "l\x02\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00", "sum": "l\x02\x00\x01\x00\x00\x00\x08\x01\x00\x00\x00\x00\x00\x00\x04",
	} {
		b := answer(1, "")
		copy(b, change)
		if f, err := parseFrame(b); err == nil {
			t.Errorf("%s: %+v, and no error", name, f)
		}
	}
}

// Whatever arrives is either refused or means the same when it is sent again.
func FuzzMessage(f *testing.F) {
	for _, c := range values {
		f.Add(answer(1, Signature(c.sig), c.value))
	}
	f.Add(message(errorReply, "s", []any{"gone"}, field(fieldErrorName, "x.y"), field(fieldReplySerial, uint32(9))))
	f.Add(bytes.Replace(answer(1, "v", deepVariant(60)), []byte("l\x02"), []byte("B\x02"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		once := answer(1, m.signature, m.Body...)
		again, err := parse(once)
		if err != nil {
			t.Fatalf("%#v: %v", m.Body, err)
		}
		if twice := answer(1, again.signature, again.Body...); !bytes.Equal(once, twice) {
			t.Errorf("%q became %q", once, twice)
		}
	})
}

func deepVariant(depth int) Variant {
	v := MakeVariant("end")
	for range depth {
		v = MakeVariant(v)
	}
	return v
}
