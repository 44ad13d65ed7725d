package dbus

import (
	"fmt"
	"strings"
)

// ObjectPath names an object: "/org/freedesktop/systemd1".
type ObjectPath string

// Signature is the types of any number of values, each one complete: "sa(sv)".
type Signature string

// Struct is the fields of a struct.
type Struct []any

// Entry is an entry of a dictionary, which is an array of them.
type Entry struct{ Key, Value any }

// Variant is a value of any single type, together with the type.
type Variant struct {
	sig   Signature
	value any
}

// Limits of the specification ("Valid Signatures", "Message Format").
const (
	maxSignature = 255
	maxDepth     = 32 // of arrays, and as much of structs
	maxArray     = 1 << 26
	maxMessage   = 1 << 27
)

// MakeVariant makes a variant of a value whose Go type says which D-Bus type it has. One of any other kind can't be sent.
func MakeVariant(value any) Variant { return Variant{signatureOf(value), value} }

// Typed makes a variant of the type sig.
func Typed(sig Signature, value any) Variant { return Variant{sig, value} }

// Signature is the type of the value.
func (v Variant) Signature() Signature { return v.sig }

// Value is the value, as the package's documentation says.
func (v Variant) Value() any { return v.value }

// String is the type as it is written.
func (s Signature) String() string { return string(s) }

func signatureOf(value any) Signature {
	switch value.(type) {
	case byte:
		return "y"
	case bool:
		return "b"
	case int16:
		return "n"
	case uint16:
		return "q"
	case int32:
		return "i"
	case uint32:
		return "u"
	case int64:
		return "x"
	case uint64:
		return "t"
	case float64:
		return "d"
	case string:
		return "s"
	case ObjectPath:
		return "o"
	case Signature:
		return "g"
	case Variant:
		return "v"
	case []byte:
		return "ay"
	case []string:
		return "as"
	}
	return ""
}

// check says what is wrong with a signature.
func (s Signature) check() error {
	if len(s) > maxSignature {
		return fmt.Errorf("a signature of %d bytes, at most %d", len(s), maxSignature)
	}
	for rest := string(s); rest != ""; {
		n := typeLen(rest, 0, 0)
		if n == 0 {
			return fmt.Errorf("%q is not a D-Bus signature", string(s))
		}
		rest = rest[n:]
	}
	return nil
}

// checkSingle says what is wrong with the signature of one value.
func (s Signature) checkSingle() error {
	if err := s.check(); err != nil {
		return err
	}
	if s == "" || typeLen(string(s), 0, 0) != len(s) {
		return fmt.Errorf("%q is not a single D-Bus type", string(s))
	}
	return nil
}

const basicTypes = "ybnqiuxtdhsog"

// typeLen is the length of the first complete type in s, inside so many arrays and structs; 0 where there is none.
func typeLen(s string, arrays, structs int) int {
	switch {
	case s == "" || arrays > maxDepth || structs > maxDepth:
		return 0
	case s[0] == 'v' || strings.IndexByte(basicTypes, s[0]) >= 0:
		return 1
	case s[0] == '(':
		return structLen(s, arrays, structs+1)
	case s[0] != 'a':
		return 0
	case len(s) > 2 && s[1] == '{':
		value := typeLen(s[3:], arrays+1, structs+1)
		end := 3 + value
		if strings.IndexByte(basicTypes, s[2]) < 0 || value == 0 || end >= len(s) || s[end] != '}' {
			return 0
		}
		return end + 1
	}
	if n := typeLen(s[1:], arrays+1, structs); n > 0 {
		return n + 1
	}
	return 0
}

func structLen(s string, arrays, structs int) int {
	i := 1
	for i < len(s) && s[i] != ')' {
		n := typeLen(s[i:], arrays, structs)
		if n == 0 {
			return 0
		}
		i += n
	}
	if i == 1 || i >= len(s) { // no struct is empty
		return 0
	}
	return i + 1
}

// split cuts the first complete type from a signature that check has found right.
func split(sig string) (first, rest string) {
	n := elementLen(sig)
	return sig[:n], sig[n:]
}

// elementLen is typeLen for what is right already, an entry of a dictionary included.
func elementLen(sig string) int {
	depth := 0
	for i := range len(sig) {
		switch sig[i] {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case 'a':
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(sig)
}

// alignment of a type, from the beginning of the message.
func alignment(sig string) int {
	switch sig[0] {
	case 'y', 'g', 'v':
		return 1
	case 'n', 'q':
		return 2
	case 'x', 't', 'd', '(', '{':
		return 8
	}
	return 4
}

// check says what is wrong with a path.
func (p ObjectPath) check() error {
	valid := p == "/" || strings.HasPrefix(string(p), "/") && !strings.HasSuffix(string(p), "/") && !strings.Contains(string(p), "//")
	for _, c := range []byte(p) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '/':
		default:
			valid = false
		}
	}
	if !valid {
		return fmt.Errorf("%q is not an object path", string(p))
	}
	return nil
}
