package dbus

import (
	"fmt"
	"strconv"
	"strings"
)

// String is the value in GVariant text format, with its type in front where that is not to be seen from the value: [ParseVariant] makes the
// same of it.
func (v Variant) String() string {
	var b strings.Builder
	if v.sig != "" && !plain(string(v.sig), v.value) {
		b.WriteString("@" + string(v.sig) + " ")
	}
	write(&b, string(v.sig), v.value)
	return b.String()
}

// plain says whether a value is taken to be of the type sig when nothing says so.
func plain(sig string, value any) bool {
	switch v := value.(type) {
	case bool, int32, float64, string, Variant:
		return true
	case []string:
		return len(v) > 0
	case []any:
		for _, element := range v {
			if plain(sig[1:], element) {
				return true // and the others are of the same type
			}
		}
		return false
	case Entry:
		key, rest := split(sig[1 : len(sig)-1])
		return plain(key, v.Key) && plain(rest, v.Value)
	case Struct:
		rest := sig[1 : len(sig)-1]
		for _, field := range v {
			var first string
			if first, rest = split(rest); !plain(first, field) {
				return false
			}
		}
		return true
	}
	return false
}

func write(b *strings.Builder, sig string, value any) {
	switch v := value.(type) {
	case byte:
		fmt.Fprintf(b, "0x%02x", v)
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		b.WriteString(strings.ToLower(text))
	case string:
		quote(b, v)
	case ObjectPath:
		quote(b, string(v))
	case Signature:
		quote(b, string(v))
	case Variant:
		b.WriteString("<" + v.String() + ">")
	case []byte:
		list(b, sig, v)
	case []string:
		list(b, sig, v)
	case []any:
		list(b, sig, v)
	case Struct:
		fields(b, sig[1:len(sig)-1], v)
	case Entry:
		key, rest := split(sig[1 : len(sig)-1])
		write(b, key, v.Key)
		b.WriteString(": ")
		write(b, rest, v.Value)
	default: // integers, booleans
		fmt.Fprint(b, v)
	}
}

func list[T any](b *strings.Builder, sig string, values []T) {
	brackets := "[]"
	if sig[1] == '{' {
		brackets = "{}"
	}
	b.WriteByte(brackets[0])
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		write(b, sig[1:], v)
	}
	b.WriteByte(brackets[1])
}

func fields(b *strings.Builder, sig string, values Struct) {
	b.WriteByte('(')
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		var first string
		first, sig = split(sig)
		write(b, first, v)
	}
	if len(values) == 1 {
		b.WriteByte(',')
	}
	b.WriteByte(')')
}

func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r < 1<<16:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
}
