package wire

import (
	"encoding/binary"
	"math"
	"reflect"
)

// Unmarshal reads into the message to which m points. Fields that are not known, or not of the
// known kind, are passed over: a newer sender may have them. Byte slices of the message share data.
func Unmarshal(data []byte, m any) error { return readMessage(data, reflect.ValueOf(m).Elem()) }

func readMessage(data []byte, m reflect.Value) error {
	t := m.Type()
	for len(data) > 0 {
		key, n := binary.Uvarint(data)
		if n <= 0 || key>>kindBits == 0 {
			return ErrMalformed
		}
		data = data[n:]
		v, n := take(data, kind(key&(1<<kindBits-1)))
		if n <= 0 {
			return ErrMalformed
		}
		data = data[n:]
		for i := range t.NumField() {
			f := t.Field(i)
			if number(&f) != key>>kindBits {
				continue
			}
			if err := v.put(m.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// value is one that has been read.
type value struct {
	kind   kind
	number uint64
	text   []byte
}

// take takes a value from the front of data, and says how long it is: 0 or less if there is none.
func take(data []byte, k kind) (v value, length int) {
	v.kind = k
	switch {
	case k == varint:
		v.number, length = binary.Uvarint(data)
	case k == fixed64 && len(data) >= size64:
		v.number, length = binary.LittleEndian.Uint64(data), size64
	case k == fixed32 && len(data) >= size32:
		v.number, length = uint64(binary.LittleEndian.Uint32(data)), size32
	case k == counted:
		size, n := binary.Uvarint(data)
		if n > 0 && size <= uint64(len(data)-n) {
			length = n + int(size)
			v.text = data[n:length:length]
		}
	}
	return v, length
}

// put stores a value in a field that can have it.
func (v *value) put(f reflect.Value) error {
	switch f.Kind() {
	case reflect.String:
		if v.kind == counted {
			f.SetString(string(v.text))
		}
	case reflect.Bool:
		if v.kind == varint {
			f.SetBool(v.number != 0)
		}
	case reflect.Uint32:
		if v.kind == varint {
			f.SetUint(uint64(uint32(v.number)))
		}
	case reflect.Uint64:
		if v.kind == varint {
			f.SetUint(v.number)
		}
	case reflect.Int32:
		if v.kind == varint {
			f.SetInt(int64(int32(v.number)))
		}
	case reflect.Int64:
		if v.kind == varint {
			f.SetInt(int64(v.number))
		}
	case reflect.Float64:
		if v.kind == fixed64 {
			f.SetFloat(math.Float64frombits(v.number))
		}
	case reflect.Pointer:
		if v.kind != counted {
			break
		}
		if f.IsNil() { // of two, one is made
			f.Set(reflect.New(f.Type().Elem()))
		}
		return readMessage(v.text, f.Elem())
	case reflect.Slice:
		return v.add(f)
	}
	return nil
}

// add puts a value behind those that are there. Lists of numbers are only sent.
func (v *value) add(f reflect.Value) error {
	if v.kind != counted {
		return nil
	}
	switch f.Type().Elem().Kind() {
	case reflect.Uint8:
		f.SetBytes(v.text)
	case reflect.String, reflect.Pointer:
		one := reflect.New(f.Type().Elem()).Elem()
		if err := v.put(one); err != nil {
			return err
		}
		f.Set(reflect.Append(f, one))
	}
	return nil
}
