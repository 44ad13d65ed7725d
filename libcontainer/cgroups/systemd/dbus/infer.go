package dbus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A pattern is a type with gaps: N is any number, F one with a point, S any of the types of text, and * any type at all.

// variant gives the value the type that it has.
func (n *node) variant() (Variant, error) {
	pattern, err := n.pattern()
	if err != nil {
		return Variant{}, err
	}
	if strings.Contains(pattern, "*") {
		return Variant{}, errors.New("an empty array needs a type before it, such as @as []")
	}
	sig := Signature(strings.NewReplacer("N", "i", "F", "d", "S", "s").Replace(pattern))
	if err := sig.checkSingle(); err != nil {
		return Variant{}, err
	}
	v, err := n.build(string(sig))
	return Variant{sig, v}, err
}

func (n *node) pattern() (string, error) {
	own, err := n.inner()
	if err != nil || n.typ == "" {
		return own, err
	}
	both, ok := unify(own, n.typ)
	if !ok {
		return "", fmt.Errorf("a value of the type %q was announced, and is none", n.typ)
	}
	return both, nil
}

// inner is the pattern without regard to the type in front.
func (n *node) inner() (string, error) {
	switch n.kind {
	case 'n':
		if isFloat(n.text) {
			return "F", nil
		}
		return "N", nil
	case 's':
		return "S", nil
	case 'y':
		return "ay", nil
	case '<':
		return "v", nil
	case '[':
		element, err := same(n.kids, 0, 1)
		return "a" + element, err
	case '{':
		key, err := same(n.kids, 0, 2)
		if err != nil {
			return "", err
		}
		value, err := same(n.kids, 1, 2)
		return "a{" + key + value + "}", err
	case '(':
		fields := ""
		for i := range n.kids {
			field, err := n.kids[i].pattern()
			if err != nil {
				return "", err
			}
			fields += field
		}
		return "(" + fields + ")", nil
	}
	return "b", nil
}

// same is the pattern that every step-th value from the first on has.
func same(kids []node, first, step int) (string, error) {
	all := "*"
	for i := first; i < len(kids); i += step {
		one, err := kids[i].pattern()
		if err != nil {
			return "", err
		}
		both, ok := unify(all, one)
		if !ok {
			return "", errors.New("values of different types in one array")
		}
		all = both
	}
	return all, nil
}

// unify is the pattern of what matches both.
func unify(p, q string) (string, bool) {
	var both strings.Builder
	for p != "" && q != "" {
		switch {
		case p[0] == '*':
			n := elementLen(q)
			both.WriteString(q[:n])
			p, q = p[1:], q[n:]
			continue
		case q[0] == '*':
			p, q = q, p
			continue
		}
		c := meet(p[0], q[0])
		if c == 0 {
			c = meet(q[0], p[0])
		}
		if c == 0 {
			return "", false
		}
		both.WriteByte(c)
		p, q = p[1:], q[1:]
	}
	return both.String(), p == "" && q == ""
}

// meet is what is both p and the narrower q; 0 if nothing is.
func meet(p, q byte) byte {
	switch {
	case p == q,
		p == 'N' && strings.IndexByte("ynqiuxtdF", q) >= 0,
		p == 'F' && q == 'd',
		p == 'S' && strings.IndexByte("sog", q) >= 0:
		return q
	}
	return 0
}

// build makes the value, whose pattern is known to match sig.
func (n *node) build(sig string) (any, error) {
	switch n.kind {
	case 'n':
		return n.number(sig[0])
	case 's':
		return n.string(sig[0])
	case 'b':
		return n.text == "true", nil
	case 'y':
		return append([]byte(n.text), 0), nil
	case '<':
		return n.kids[0].variant()
	case '(':
		fields := make(Struct, len(n.kids))
		rest := sig[1 : len(sig)-1]
		for i := range n.kids {
			var first string
			var err error
			first, rest = split(rest)
			if fields[i], err = n.kids[i].build(first); err != nil {
				return nil, err
			}
		}
		return fields, nil
	case '{':
		return n.entries(sig[2 : len(sig)-1])
	}
	switch sig {
	case "ay":
		return buildList[byte](n, "y")
	case "as":
		return buildList[string](n, "s")
	}
	return buildList[any](n, sig[1:])
}

func buildList[T any](n *node, sig string) (any, error) {
	list := make([]T, len(n.kids))
	for i := range n.kids {
		v, err := n.kids[i].build(sig)
		if err != nil {
			return nil, err
		}
		list[i] = v.(T)
	}
	return list, nil
}

func (n *node) entries(sig string) (any, error) {
	key, value := split(sig)
	entries := make([]any, len(n.kids)/2)
	for i := range entries {
		k, err := n.kids[2*i].build(key)
		if err != nil {
			return nil, err
		}
		v, err := n.kids[2*i+1].build(value)
		if err != nil {
			return nil, err
		}
		entries[i] = Entry{k, v}
	}
	return entries, nil
}

func (n *node) string(kind byte) (any, error) {
	switch kind {
	case 'o':
		return ObjectPath(n.text), ObjectPath(n.text).check()
	case 'g':
		return Signature(n.text), Signature(n.text).check()
	}
	return n.text, checkText(n.text)
}

func (n *node) number(kind byte) (v any, err error) {
	switch kind {
	case 'y':
		v, err = unsigned[byte](n.text, 8)
	case 'n':
		v, err = signed[int16](n.text, 16)
	case 'q':
		v, err = unsigned[uint16](n.text, 16)
	case 'i':
		v, err = signed[int32](n.text, 32)
	case 'u':
		v, err = unsigned[uint32](n.text, 32)
	case 'x':
		v, err = signed[int64](n.text, 64)
	case 't':
		v, err = unsigned[uint64](n.text, 64)
	default:
		v, err = strconv.ParseFloat(n.text, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no number of the D-Bus type %q", n.text, string(kind))
	}
	return v, nil
}

// signed and unsigned take a zero in front for octal, as C does.
func signed[T int16 | int32 | int64](text string, bits int) (T, error) {
	n, err := strconv.ParseInt(text, 0, bits)
	return T(n), err
}

func unsigned[T byte | uint16 | uint32 | uint64](text string, bits int) (T, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 0, bits)
	return T(n), err
}
