package dbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errShort = errors.New("the message ends within a value")

// decoder reads values. What is in buf begins where the message does, as the alignment asks for.
type decoder struct {
	order binary.ByteOrder
	buf   []byte
	pos   int
	depth int // of containers
}

// take gives the next n bytes, after padding.
func (d *decoder) take(align, n int) ([]byte, error) {
	begin := (d.pos + align - 1) / align * align
	if begin > len(d.buf) || n > len(d.buf)-begin {
		return nil, errShort
	}
	d.pos = begin + n
	return d.buf[begin:d.pos], nil
}

func (d *decoder) uint32() (uint32, error) {
	b, err := d.take(4, 4)
	if err != nil {
		return 0, err
	}
	return d.order.Uint32(b), nil
}

// values reads one value of each type of sig.
func (d *decoder) values(sig string) ([]any, error) {
	var values []any
	for sig != "" {
		var first string
		first, sig = split(sig)
		v, err := d.value(first)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// value reads one value of the type sig.
func (d *decoder) value(sig string) (any, error) {
	switch sig[0] {
	case 'a', '(', '{', 'v':
		// A variant brings a signature of its own, so that the limit on signatures alone is none.
		if d.depth++; d.depth > 2*maxDepth {
			return nil, fmt.Errorf("values are nested more than %d deep", 2*maxDepth)
		}
		defer func() { d.depth-- }()
		return d.container(sig)
	case 's', 'o', 'g':
		return d.text(sig[0])
	}
	size := alignment(sig)
	b, err := d.take(size, size)
	if err != nil {
		return nil, err
	}
	return d.number(sig[0], b)
}

func (d *decoder) number(kind byte, b []byte) (any, error) {
	switch kind {
	case 'y':
		return b[0], nil
	case 'n':
		return int16(d.order.Uint16(b)), nil
	case 'q':
		return d.order.Uint16(b), nil
	case 'i':
		return int32(d.order.Uint32(b)), nil
	case 'u', 'h':
		return d.order.Uint32(b), nil
	case 'x':
		return int64(d.order.Uint64(b)), nil
	case 't':
		return d.order.Uint64(b), nil
	case 'd':
		return math.Float64frombits(d.order.Uint64(b)), nil
	case 'b':
		n := d.order.Uint32(b)
		if n > 1 {
			return nil, fmt.Errorf("a boolean of value %d", n)
		}
		return n == 1, nil
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}

func (d *decoder) text(kind byte) (any, error) {
	if kind == 'g' {
		return d.signature()
	}
	n, err := d.uint32()
	if err != nil {
		return nil, err
	}
	s, err := d.terminated(n)
	if err != nil {
		return nil, err
	}
	if kind == 'o' {
		return ObjectPath(s), ObjectPath(s).check()
	}
	return s, checkText(s)
}

func (d *decoder) signature() (Signature, error) {
	n, err := d.take(1, 1)
	if err != nil {
		return "", err
	}
	s, err := d.terminated(uint32(n[0]))
	if err != nil {
		return "", err
	}
	return Signature(s), Signature(s).check()
}

// terminated reads n bytes and the zero behind them.
func (d *decoder) terminated(n uint32) (string, error) {
	if n >= maxMessage { // more than an int may hold
		return "", errShort
	}
	b, err := d.take(1, int(n)+1)
	if err != nil {
		return "", err
	}
	if b[n] != 0 {
		return "", errors.New("a string without a zero byte at its end")
	}
	return string(b[:n]), nil
}

func (d *decoder) container(sig string) (any, error) {
	switch sig[0] {
	case 'v':
		own, err := d.signature()
		if err == nil {
			err = own.checkSingle()
		}
		if err != nil {
			return nil, err
		}
		v, err := d.value(string(own))
		return Variant{own, v}, err
	case 'a':
		return d.array(sig[1:])
	}
	if _, err := d.take(8, 0); err != nil {
		return nil, err
	}
	values, err := d.values(sig[1 : len(sig)-1])
	if err != nil {
		return nil, err
	}
	if sig[0] == '{' {
		return Entry{values[0], values[1]}, nil
	}
	return Struct(values), nil
}

func (d *decoder) array(sig string) (any, error) {
	n, err := d.uint32()
	if err != nil {
		return nil, err
	}
	if n > maxArray {
		return nil, fmt.Errorf("an array of %d bytes, at most %d", n, maxArray)
	}
	if _, err := d.take(alignment(sig), 0); err != nil {
		return nil, err
	}
	end := d.pos + int(n)
	if end > len(d.buf) {
		return nil, errShort
	}
	if sig == "y" {
		b, err := d.take(1, int(n))
		return append([]byte{}, b...), err
	}
	whole := d.buf
	d.buf = d.buf[:end] // no element may reach beyond
	defer func() { d.buf = whole }()
	if sig == "s" {
		return elements[string](d, sig)
	}
	return elements[any](d, sig)
}

// elements reads values until the end.
func elements[T any](d *decoder, sig string) ([]T, error) {
	list := []T{}
	for d.pos < len(d.buf) {
		v, err := d.value(sig)
		if err != nil {
			return nil, err
		}
		list = append(list, v.(T))
	}
	return list, nil
}
