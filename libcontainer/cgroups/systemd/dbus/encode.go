package dbus

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// encoder writes values in little endian. What is in buf begins where the message does, as the alignment asks for.
type encoder struct {
	buf   []byte
	depth int // of containers
}

func (e *encoder) align(n int) {
	for len(e.buf)%n != 0 {
		e.buf = append(e.buf, 0)
	}
}

func (e *encoder) uint32(n uint32) {
	e.align(4)
	e.buf = binary.LittleEndian.AppendUint32(e.buf, n)
}

func (e *encoder) uint64(n uint64) {
	e.align(8)
	e.buf = binary.LittleEndian.AppendUint64(e.buf, n)
}

// values writes one value for each type of sig.
func (e *encoder) values(sig string, values []any) error {
	for i, v := range values {
		if sig == "" {
			return fmt.Errorf("%d values, but types for %d", len(values), i)
		}
		var first string
		first, sig = split(sig)
		if err := e.value(first, v); err != nil {
			return err
		}
	}
	if sig != "" {
		return fmt.Errorf("%d values, none for the types %q", len(values), sig)
	}
	return nil
}

// value writes one value of the type sig.
func (e *encoder) value(sig string, value any) error {
	switch sig[0] {
	case 'a', '(', '{', 'v':
		if e.depth++; e.depth > 2*maxDepth {
			return fmt.Errorf("values are nested more than %d deep", 2*maxDepth)
		}
		defer func() { e.depth-- }()
		return e.container(sig, value)
	case 's', 'o', 'g':
		return e.text(sig[0], value)
	}
	if !e.number(sig[0], value) {
		return mismatch(sig, value)
	}
	return nil
}

func mismatch(sig string, value any) error {
	return fmt.Errorf("a value of Go type %T where the D-Bus type is %q", value, sig)
}

func (e *encoder) number(kind byte, value any) bool {
	switch v := value.(type) {
	case byte:
		e.buf = append(e.buf, v)
		return kind == 'y'
	case bool:
		n := uint32(0)
		if v {
			n = 1
		}
		e.uint32(n)
		return kind == 'b'
	case int16:
		e.align(2)
		e.buf = binary.LittleEndian.AppendUint16(e.buf, uint16(v))
		return kind == 'n'
	case uint16:
		e.align(2)
		e.buf = binary.LittleEndian.AppendUint16(e.buf, v)
		return kind == 'q'
	case int32:
		e.uint32(uint32(v))
		return kind == 'i'
	case uint32:
		e.uint32(v)
		return kind == 'u' || kind == 'h'
	case int64:
		e.uint64(uint64(v))
		return kind == 'x'
	case uint64:
		e.uint64(v)
		return kind == 't'
	case float64:
		e.uint64(math.Float64bits(v))
		return kind == 'd'
	}
	return false
}

func (e *encoder) text(kind byte, value any) error {
	var s string
	var err error
	switch v := value.(type) {
	case string:
		if s = v; kind != 's' {
			return mismatch(string(kind), value)
		}
		err = checkText(v)
	case ObjectPath:
		if s = string(v); kind != 'o' {
			return mismatch(string(kind), value)
		}
		err = v.check()
	case Signature:
		if s = string(v); kind != 'g' {
			return mismatch(string(kind), value)
		}
		if err = v.check(); err == nil {
			e.buf = append(append(append(e.buf, byte(len(s))), s...), 0)
		}
		return err
	default:
		return mismatch(string(kind), value)
	}
	if err != nil {
		return err
	}
	e.uint32(uint32(len(s)))
	e.buf = append(append(e.buf, s...), 0)
	return nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("%q is not a D-Bus string: it is not UTF-8, or has a zero byte in it", s)
	}
	return nil
}

func (e *encoder) container(sig string, value any) error {
	switch v := value.(type) {
	case Variant:
		if sig != "v" {
			return mismatch(sig, value)
		}
		if v.sig == "" {
			return fmt.Errorf("no D-Bus type for a value of Go type %T", v.value)
		}
		if err := v.sig.checkSingle(); err != nil {
			return err
		}
		e.buf = append(append(append(e.buf, byte(len(v.sig))), v.sig...), 0)
		return e.value(string(v.sig), v.value)
	case Struct:
		if sig[0] != '(' {
			return mismatch(sig, value)
		}
		e.align(8)
		return e.values(sig[1:len(sig)-1], v)
	case Entry:
		if sig[0] != '{' {
			return mismatch(sig, value)
		}
		e.align(8)
		return e.values(sig[1:len(sig)-1], []any{v.Key, v.Value})
	}
	if sig[0] != 'a' {
		return mismatch(sig, value)
	}
	return e.array(sig[1:], value)
}

// array writes an array of elements of the type sig. Its length is that of the elements alone, without the padding before the first.
func (e *encoder) array(sig string, value any) error {
	e.uint32(0)
	at := len(e.buf) - 4
	e.align(alignment(sig))
	begin := len(e.buf)
	switch v := value.(type) {
	case []byte:
		if sig != "y" {
			return mismatch("a"+sig, value)
		}
		e.buf = append(e.buf, v...)
	case []string:
		for _, s := range v {
			if err := e.value(sig, s); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			if err := e.value(sig, element); err != nil {
				return err
			}
		}
	default:
		return mismatch("a"+sig, value)
	}
	n := len(e.buf) - begin
	if n > maxArray {
		return fmt.Errorf("an array of %d bytes, at most %d", n, maxArray)
	}
	binary.LittleEndian.PutUint32(e.buf[at:], uint32(n))
	return nil
}
