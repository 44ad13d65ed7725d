package dbus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseVariant reads a value in GVariant text format (GLib's documentation): 'text', true, 7, uint64 7, 1.5, ['a', 'b'], @as [], (1, 'a'),
// {'key': <1>}, b'bytes with a zero at the end'. A number is an int32, or a double if it has a point or an exponent, unless something says
// otherwise: a type before it, or another element of the same array. What D-Bus has no type for (maybe) is refused, and so are handles.
func ParseVariant(text string) (Variant, error) {
	p := parser{text: text}
	n, err := p.value(0)
	if err != nil {
		return Variant{}, err
	}
	if p.space(); p.pos < len(text) {
		return Variant{}, fmt.Errorf("%q behind the value", text[p.pos:])
	}
	return n.variant()
}

// node is a value before its type is known.
type node struct {
	kind byte   // number 'n', string 's', boolean 'b', byte string 'y', or the bracket it begins with
	text string // a string's is without quotes and escapes
	kids []node // of a dictionary: keys and values in turns
	typ  string // that has been given in front of it
}

type parser struct {
	text string
	pos  int
}

func (p *parser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\n\r\v\f", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// next is the next byte that is not white space; 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.pos == len(p.text) {
		return 0
	}
	return p.text[p.pos]
}

// word reads what a number, a word or a type may consist of.
func (p *parser) word(more string) string {
	begin := p.pos
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(more, c) >= 0) {
			break
		}
		p.pos++
	}
	return p.text[begin:p.pos]
}

// value reads one value inside depth others.
func (p *parser) value(depth int) (node, error) {
	if depth > maxDepth {
		return node{}, fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	switch c := p.next(); c {
	case 0:
		return node{}, errors.New("a value is missing at the end")
	case '\'', '"':
		return p.quoted('s')
	case '[', '(', '<':
		return p.list(c, depth)
	case '{':
		return p.dictionary(depth)
	case '@':
		p.pos++
		typ := p.word("(){}")
		if err := Signature(typ).checkSingle(); err != nil {
			return node{}, err
		}
		return p.typed(typ, depth)
	}
	if rest := p.text[p.pos:]; strings.HasPrefix(rest, "b'") || strings.HasPrefix(rest, `b"`) {
		p.pos++
		return p.quoted('y')
	}
	word := p.word("+-.")
	if word == "true" || word == "false" {
		return node{kind: 'b', text: word}, nil
	}
	if isNumber(word) {
		return node{kind: 'n', text: word}, nil
	}
	if typ := typeOf(word); typ != "" {
		return p.typed(typ, depth)
	}
	return node{}, fmt.Errorf("%q is no value", p.text[p.pos-len(word):])
}

// typed reads a value behind its type.
func (p *parser) typed(typ string, depth int) (node, error) {
	n, err := p.value(depth + 1)
	if err != nil {
		return n, err
	}
	if n.typ != "" && n.typ != typ {
		return n, fmt.Errorf("two types, %q and %q, for one value", typ, n.typ)
	}
	n.typ = typ
	return n, nil
}

func isNumber(word string) bool {
	digits := strings.TrimLeft(word, "+-")
	return digits == "inf" || digits == "nan" || digits != "" && (digits[0] >= '0' && digits[0] <= '9' || digits[0] == '.')
}

// isFloat says whether a number can be a double only.
func isFloat(number string) bool {
	if strings.ContainsAny(number, "xX") {
		return false
	}
	return strings.ContainsAny(number, ".eEin")
}

func typeOf(keyword string) string {
	switch keyword {
	case "boolean":
		return "b"
	case "byte":
		return "y"
	case "int16":
		return "n"
	case "uint16":
		return "q"
	case "int32":
		return "i"
	case "uint32":
		return "u"
	case "int64":
		return "x"
	case "uint64":
		return "t"
	case "double":
		return "d"
	case "string":
		return "s"
	case "objectpath":
		return "o"
	case "signature":
		return "g"
	}
	return ""
}

func closing(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	case '<':
		return '>'
	}
	return '}'
}

// list reads an array, a tuple or a variant. A tuple of one value has a comma behind it.
func (p *parser) list(open byte, depth int) (node, error) {
	n := node{kind: open}
	end := closing(open)
	comma := false
	for p.pos++; p.next() != end; {
		if len(n.kids) > 0 && !comma {
			return n, fmt.Errorf("%q where a comma or %q should be", p.text[p.pos:], end)
		}
		kid, err := p.value(depth + 1)
		if err != nil {
			return n, err
		}
		n.kids = append(n.kids, kid)
		if comma = p.next() == ','; comma {
			p.pos++
		}
	}
	p.pos++
	single := len(n.kids) == 1
	switch {
	case open == '(' && single != comma, open == '[' && comma, open == '<' && (!single || comma):
		return n, fmt.Errorf("%q where a value should be", end)
	}
	return n, nil
}

func (p *parser) dictionary(depth int) (node, error) {
	n := node{kind: '{'}
	for p.pos++; p.next() != '}' || len(n.kids) > 0; {
		for _, separator := range []byte{':', ','} {
			kid, err := p.value(depth + 1)
			if err != nil {
				return n, err
			}
			n.kids = append(n.kids, kid)
			c := p.next()
			if c == '}' && separator == ',' {
				p.pos++
				return n, nil
			}
			if c != separator {
				return n, fmt.Errorf("%q where %q should be", p.text[p.pos:], separator)
			}
			p.pos++
		}
	}
	p.pos++
	return n, nil
}

// quoted reads a string or a byte string.
func (p *parser) quoted(kind byte) (node, error) {
	quote := p.text[p.pos]
	begin := p.pos
	var b []byte
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case quote:
			p.pos++
			return node{kind: kind, text: string(b)}, nil
		case '\\':
			var err error
			if b, err = p.escape(b, kind); err != nil {
				return node{}, err
			}
		default:
			b = append(b, c)
		}
	}
	return node{}, fmt.Errorf("the string %s has no end", p.text[begin:])
}

// escape appends what an escape sequence means, and moves to its last byte. Strings know characters by number, byte strings bytes.
func (p *parser) escape(b []byte, kind byte) ([]byte, error) {
	if p.pos++; p.pos == len(p.text) {
		return b, nil // the string has no end
	}
	c := p.text[p.pos]
	switch digits := escapeDigits(c, kind); {
	case digits == 0:
	case c|0x20 == 'u':
		end := p.pos + 1 + digits
		n, err := strconv.ParseUint(p.text[p.pos+1:min(end, len(p.text))], 16, 32)
		if err != nil || end > len(p.text) || !utf8.ValidRune(rune(n)) {
			return b, fmt.Errorf("%q is no character by number", p.text[p.pos-1:min(end, len(p.text))])
		}
		p.pos = end - 1
		return utf8.AppendRune(b, rune(n)), nil
	default:
		end := p.pos
		for end < len(p.text) && end < p.pos+digits && p.text[end] >= '0' && p.text[end] <= '7' {
			end++
		}
		n, err := strconv.ParseUint(p.text[p.pos:end], 8, 8)
		if err != nil {
			return b, fmt.Errorf("%q is no byte by number", p.text[p.pos-1:end])
		}
		p.pos = end - 1
		return append(b, byte(n)), nil
	}
	if c == '\n' { // a line that goes on
		return b, nil
	}
	if i := strings.IndexByte("abfnrtv", c); i >= 0 {
		c = "\a\b\f\n\r\t\v"[i]
	}
	return append(b, c), nil
}

// escapeDigits is how many digits may follow the letter of an escape sequence, or begin with it.
func escapeDigits(c, kind byte) int {
	switch {
	case kind == 's' && c == 'u':
		return 4
	case kind == 's' && c == 'U':
		return 8
	case kind == 'y' && c >= '0' && c <= '7':
		return 3
	}
	return 0
}
