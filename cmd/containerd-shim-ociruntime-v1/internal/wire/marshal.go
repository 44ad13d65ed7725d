package wire

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
)

// Marshal writes the message to which m points. What is zero is left out.
func Marshal(m any) []byte { return appendMessage(nil, reflect.ValueOf(m).Elem()) }

func appendMessage(b []byte, m reflect.Value) []byte {
	t := m.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		b = appendField(b, number(&f), m.Field(i))
	}
	return b
}

func appendField(b []byte, number uint64, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Slice:
		return appendSlice(b, number, v)
	case reflect.Array:
		for i := range v.Len() {
			b = appendField(b, number+uint64(i), v.Index(i))
		}
		return b
	}
	if v.IsZero() {
		return b
	}
	return appendValue(b, number, v)
}

func appendSlice(b []byte, number uint64, v reflect.Value) []byte {
	switch v.Type().Elem().Kind() {
	case reflect.Uint8:
		if v.Len() == 0 {
			return b
		}
		return appendBytes(b, number, v.Bytes())
	case reflect.Uint64:
		if v.Len() == 0 {
			return b
		}
		var packed []byte
		for i := range v.Len() {
			packed = binary.AppendUvarint(packed, v.Index(i).Uint())
		}
		return appendBytes(b, number, packed)
	default:
		for i := range v.Len() {
			b = appendValue(b, number, v.Index(i))
		}
		return b
	}
}

// appendValue writes a value even if it is zero.
func appendValue(b []byte, number uint64, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		// A receiver refuses the whole message for a byte that is no UTF-8, and the name of a file
		// in the text of an error may have one.
		return appendBytes(b, number, []byte(strings.ToValidUTF8(v.String(), replacement)))
	case reflect.Bool:
		return append(appendKey(b, number, varint), 1)
	case reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(appendKey(b, number, varint), v.Uint())
	case reflect.Int32, reflect.Int64:
		return binary.AppendUvarint(appendKey(b, number, varint), uint64(v.Int()))
	case reflect.Float64:
		return binary.LittleEndian.AppendUint64(appendKey(b, number, fixed64), math.Float64bits(v.Float()))
	case reflect.Pointer:
		return appendBytes(b, number, appendMessage(nil, v.Elem()))
	default:
		panic("wire: a field of type " + v.Type().String())
	}
}

func appendBytes(b []byte, number uint64, text []byte) []byte {
	b = binary.AppendUvarint(appendKey(b, number, counted), uint64(len(text)))
	return append(b, text...)
}

func appendKey(b []byte, number uint64, k kind) []byte {
	return binary.AppendUvarint(b, number<<kindBits|uint64(k))
}
