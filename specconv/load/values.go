package load

import (
	"strconv"
	"strings"
)

// readString reads a string or null.
func readString[T ~string](r *jsonReader, dst *T) {
	*dst = ""
	switch r.peek() {
	case 'n':
		r.token()
	case '"':
		*dst = T(r.token().String())
	default:
		r.wrongType("a string")
	}
}

// readBool reads a boolean or null.
func readBool(r *jsonReader, dst *bool) {
	*dst = false
	switch r.peek() {
	case 'n', 'f':
		r.token()
	case 't':
		r.token()
		*dst = r.err == nil
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
	if r.peek() != '0' {
		r.wrongType("a number")
		return
	}
	literal := r.token().String()
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
	r.members(func(name string) {
		*v = *new(T)
		read(r, v)
		m[name] = *v
	})
	*dst = m
}

func readStrings(r *jsonReader, dst *[]string) { readList(r, dst, readString[string]) }
