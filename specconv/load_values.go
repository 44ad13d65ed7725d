package specconv

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// stringToken reads a string; the next character must be its quote. Without
// escapes it is a piece of the document, not a copy.
func (r *jsonReader) stringToken() string {
	start := r.pos + 1
	for i := start; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			r.pos = i + 1
			return r.text[start:i]
		case c == '\\':
			return r.escapedString(start, i)
		case c < ' ':
			r.pos = i
			r.unexpected("the rest of a string")
			return ""
		}
	}
	r.pos = len(r.text)
	r.unexpected("the end of a string")
	return ""
}

// escapedString goes on with a string that began at start and has its first
// backslash at i.
func (r *jsonReader) escapedString(start, i int) string {
	var b strings.Builder
	b.WriteString(r.text[start:i])
	for i < len(r.text) {
		c := r.text[i]
		switch {
		case c == '"':
			r.pos = i + 1
			return b.String()
		case c < ' ':
			r.pos = i
			r.unexpected("the rest of a string")
			return ""
		case c != '\\':
			b.WriteByte(c)
			i++
		default:
			n := r.escape(&b, r.text[i:])
			if n == 0 {
				r.pos = i
				r.syntax("an escape that JSON does not have")
				return ""
			}
			i += n
		}
	}
	r.pos = len(r.text)
	r.unexpected("the end of a string")
	return ""
}

// escape appends what the escape at the beginning of s means and gives its
// length, 0 if it is none.
func (r *jsonReader) escape(b *strings.Builder, s string) int {
	if len(s) < 2 {
		return 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		return 2
	}
	c, ok := hexEscape(s)
	if !ok {
		return 0
	}
	if utf16.IsSurrogate(c) {
		if low, ok := hexEscape(s[6:]); ok {
			if both := utf16.DecodeRune(c, low); both != utf8.RuneError {
				b.WriteRune(both)
				return 12
			}
		}
		c = utf8.RuneError
	}
	b.WriteRune(c)
	return 6
}

// hexEscape reads \uXXXX at the beginning of s.
func hexEscape(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var c rune
	for _, digit := range []byte(s[2:6]) {
		switch {
		case '0' <= digit && digit <= '9':
			digit -= '0'
		case 'a' <= digit && digit <= 'f':
			digit -= 'a' - 10
		case 'A' <= digit && digit <= 'F':
			digit -= 'A' - 10
		default:
			return 0, false
		}
		c = c<<4 | rune(digit)
	}
	return c, true
}

// numberToken reads a number and gives it as it is written; the next
// character must be its first.
func (r *jsonReader) numberToken() string {
	start := r.pos
	if r.text[r.pos] == '-' {
		r.pos++
	}
	if strings.HasPrefix(r.text[r.pos:], "0") {
		r.pos++
	} else if !r.digits() {
		return ""
	}
	if strings.HasPrefix(r.text[r.pos:], ".") {
		r.pos++
		if !r.digits() {
			return ""
		}
	}
	if r.pos < len(r.text) && r.text[r.pos]|0x20 == 'e' {
		r.pos++
		if r.pos < len(r.text) && (r.text[r.pos] == '+' || r.text[r.pos] == '-') {
			r.pos++
		}
		if !r.digits() {
			return ""
		}
	}
	return r.text[start:r.pos]
}

func (r *jsonReader) digits() bool {
	start := r.pos
	for r.pos < len(r.text) && '0' <= r.text[r.pos] && r.text[r.pos] <= '9' {
		r.pos++
	}
	if r.pos == start {
		r.unexpected("a digit")
		return false
	}
	return true
}

// readString reads a string or null.
func readString[T ~string](r *jsonReader, dst *T) {
	*dst = ""
	switch {
	case r.null():
	case r.peek() == '"':
		*dst = T(r.stringToken())
	default:
		r.wrongType("a string")
	}
}

// readBool reads a boolean or null.
func readBool(r *jsonReader, dst *bool) {
	*dst = false
	switch c := r.peek(); {
	case r.null():
	case c == 't':
		r.word("true")
		*dst = true
	case c == 'f':
		r.word("false")
	default:
		r.wrongType("a boolean")
	}
}

type integer interface {
	~int | ~int32 | ~int64 | ~uint | ~uint16 | ~uint32 | ~uint64
}

// readInt reads a whole number that fits T, or null.
func readInt[T integer](r *jsonReader, dst *T) {
	*dst = 0
	if r.null() {
		return
	}
	if c := r.peek(); c != '-' && (c < '0' || c > '9') {
		r.wrongType("a number")
		return
	}
	literal := r.numberToken()
	if r.err != nil {
		return
	}
	if strings.ContainsAny(literal, ".eE") {
		r.problem("must be a whole number without point and exponent, not %s", literal)
		return
	}
	n, ok := parseInt[T](literal)
	if !ok {
		smallest, biggest := limitsOf[T]()
		r.problem("must be between %d and %d, not %s", smallest, biggest, literal)
		return
	}
	*dst = n
}

func parseInt[T integer](literal string) (T, bool) {
	if strings.HasPrefix(literal, "-") {
		n, err := strconv.ParseInt(literal, 10, 64)
		t := T(n)
		return t, err == nil && int64(t) == n && (t < 0) == (n < 0)
	}
	n, err := strconv.ParseUint(literal, 10, 64)
	t := T(n)
	return t, err == nil && uint64(t) == n && t >= 0
}

// limitsOf gives the smallest and the biggest value of T.
func limitsOf[T integer]() (smallest, biggest T) {
	if ones := ^T(0); ones > 0 {
		return 0, ones
	}
	// Signed: double until it overflows.
	biggest = 1
	for biggest*2+1 > biggest {
		biggest = biggest*2 + 1
	}
	return -biggest - 1, biggest
}

// readPtr reads a value into a new variable; null leaves it unset.
func readPtr[T any](r *jsonReader, dst **T, read func(*jsonReader, *T)) {
	*dst = nil
	if r.null() {
		return
	}
	v := new(T)
	read(r, v)
	*dst = v
}

// readList reads a list. Null leaves it unset, an empty list does not.
func readList[T any](r *jsonReader, dst *[]T, read func(*jsonReader, *T)) {
	*dst = nil
	if r.null() {
		return
	}
	list := []T{}
	r.list(func() {
		list = append(list, *new(T))
		read(r, &list[len(list)-1])
	})
	*dst = list
}

// readMap reads an object whose names are data. Null leaves it unset.
func readMap[T any](r *jsonReader, dst *map[string]T, read func(*jsonReader, *T)) {
	*dst = nil
	if r.null() {
		return
	}
	m := map[string]T{}
	v := new(T)
	r.object(func(name string) bool {
		*v = *new(T)
		read(r, v)
		m[name] = *v
		return true
	})
	*dst = m
}

func readStrings(r *jsonReader, dst *[]string) { readList(r, dst, readString[string]) }
