package specconv

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonReader reads a JSON text (RFC 8259) from front to back, once, straight
// into variables. encoding/json would do, but learns the shape of config.json
// by reflection in each process that starts: 0.8 ms, five times the reading
// itself. This one knows the place of every value too, for its messages.
//
// After a syntax error nothing more is read: err is set, and each method
// returns at once.
type jsonReader struct {
	text string
	pos  int
	err  error
	// place is the way from the top to the value that is read now.
	place []jsonStep
	// names holds the member names seen so far of all the open objects.
	names    []string
	problems Problems
	warnings Warnings
}

// jsonStep is a member's name, or an index when name is empty and the index
// is not negative.
type jsonStep struct {
	name  string
	index int
}

// maxJSONDepth keeps a hostile document from using up the stack.
const maxJSONDepth = 200

// decodeDocument reads one document: decode gets the reader with the place
// top (may be empty). The name of the document is for messages about its
// syntax.
func decodeDocument(data []byte, name, top string, decode func(*jsonReader)) (Warnings, error) {
	r := &jsonReader{text: string(data)}
	if top != "" {
		r.place = append(r.place, jsonStep{name: top, index: -1})
	}
	if at := invalidUTF8(r.text); at >= 0 {
		r.pos = at
		r.syntax("a byte that is not UTF-8")
	} else {
		r.document(decode)
	}
	if r.err != nil {
		return nil, Problems{{Path: name, Msg: r.err.Error()}}
	}
	return r.warnings, r.problems.orNil()
}

func (r *jsonReader) document(decode func(*jsonReader)) {
	if r.peek() == 'n' {
		r.wrongType("an object")
		return
	}
	decode(r)
	if r.err == nil && r.peek() != 0 {
		r.syntax("more text after the end of the document")
	}
}

func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, c := range s {
		if c == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return -1
}

// syntax records that the text at the present position is not JSON.
func (r *jsonReader) syntax(what string) {
	if r.err != nil {
		return
	}
	before := r.text[:min(r.pos, len(r.text))]
	line := strings.Count(before, "\n") + 1
	column := len(before) - strings.LastIndexByte(before, '\n')
	if place := r.where(); place != "" {
		what += ", at " + place
	}
	r.err = fmt.Errorf("not valid JSON: line %d, column %d: %s", line, column, what)
}

// unexpected is a syntax error at the present character.
func (r *jsonReader) unexpected(want string) {
	if r.pos >= len(r.text) {
		r.syntax("the document ends where " + want + " should be")
		return
	}
	c, _ := utf8.DecodeRuneInString(r.text[r.pos:])
	r.syntax(fmt.Sprintf("found %q where %s should be", c, want))
}

// where gives the place of the present value.
func (r *jsonReader) where() string {
	path := ""
	for _, step := range r.place {
		if step.index >= 0 {
			path = fmt.Sprintf("%s[%d]", path, step.index)
			continue
		}
		path = memberPath(path, step.name)
	}
	return path
}

// memberPath gives the place of a member in the object at path.
func memberPath(path, name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_')
	})
	switch {
	case !plain:
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

func (r *jsonReader) problem(format string, args ...any) {
	if r.err == nil {
		r.problems = append(r.problems, Problem{r.where(), fmt.Sprintf(format, args...)})
	}
}

// peek skips white space and gives the next character, 0 at the end.
func (r *jsonReader) peek() byte {
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		case 0:
			r.unexpected("a value")
			return 0
		default:
			return c
		}
	}
	return 0
}

// wrongType records that the next value, which it skips, is not of the type
// that is wanted ("a list").
func (r *jsonReader) wrongType(want string) {
	found := ""
	switch c := r.peek(); {
	case c == '{':
		found = "an object"
	case c == '[':
		found = "a list"
	case c == '"':
		found = "a string"
	case c == 't', c == 'f':
		found = "a boolean"
	case c == 'n':
		found = "null"
	default:
		found = "a number"
	}
	r.skip()
	r.problem("must be %s, not %s", want, found)
}

// skip reads a value and forgets it.
func (r *jsonReader) skip() {
	switch c := r.peek(); {
	case c == '{':
		r.object(func(string) bool { r.skip(); return true })
	case c == '[':
		r.list(func() { r.skip() })
	case c == '"':
		r.stringToken()
	case c == 't':
		r.word("true")
	case c == 'f':
		r.word("false")
	case c == 'n':
		r.word("null")
	case c == '-', '0' <= c && c <= '9':
		r.numberToken()
	default:
		r.unexpected("a value")
	}
}

func (r *jsonReader) word(word string) {
	if !strings.HasPrefix(r.text[r.pos:], word) {
		r.unexpected("a value")
		return
	}
	r.pos += len(word)
}

// null reads a null, if that is what comes next.
func (r *jsonReader) null() bool {
	if r.peek() != 'n' {
		return false
	}
	r.word("null")
	return true
}

// object reads an object. It calls member for each name; member either reads
// the value, or reads nothing and returns false, when it does not know the name.
// A null is taken for an empty object.
func (r *jsonReader) object(member func(name string) bool) {
	if r.null() {
		return
	}
	if r.peek() != '{' {
		r.wrongType("an object")
		return
	}
	if !r.enter() {
		return
	}
	first := len(r.names)
	var seen map[string]struct{}
	for r.more('}', first == len(r.names)) {
		if r.peek() != '"' {
			r.unexpected("a member's name")
			break
		}
		name := r.stringToken()
		if r.peek() != ':' {
			r.unexpected("a colon")
			break
		}
		r.pos++
		r.place = append(r.place, jsonStep{name: name, index: -1})
		seen = r.noteName(first, name, seen)
		r.member(name, member)
		r.place = r.place[:len(r.place)-1]
	}
	r.names = r.names[:first]
}

func (r *jsonReader) member(name string, member func(name string) bool) {
	if member(name) {
		return
	}
	if known := knownName(name); known != "" && known != name && member(known) {
		r.warnings = append(r.warnings, Problem{r.where(), "taken for " + known + ": names are in upper and lower case"})
		return
	}
	r.skip()
}

// noteName warns about a name that the open object has already had. The names
// of the object begin at first. Big objects get a map.
func (r *jsonReader) noteName(first int, name string, seen map[string]struct{}) map[string]struct{} {
	own := r.names[first:]
	if len(own) > 32 && seen == nil {
		seen = make(map[string]struct{}, 4*len(own))
		for _, n := range own {
			seen[n] = struct{}{}
		}
	}
	duplicate := false
	if seen != nil {
		_, duplicate = seen[name]
		seen[name] = struct{}{}
	} else {
		duplicate = slices.Contains(own, name)
	}
	if duplicate {
		r.warnings = append(r.warnings, Problem{r.where(), "given more than once: the last one counts"})
	}
	r.names = append(r.names, name)
	return seen
}

// list reads a list and calls item to read each of its values.
func (r *jsonReader) list(item func()) {
	if r.peek() != '[' {
		r.wrongType("a list")
		return
	}
	if !r.enter() {
		return
	}
	for i := 0; r.more(']', i == 0); i++ {
		r.place = append(r.place, jsonStep{index: i})
		item()
		r.place = r.place[:len(r.place)-1]
	}
}

// enter steps over an opening bracket.
func (r *jsonReader) enter() bool {
	if len(r.place) > maxJSONDepth {
		r.syntax("nested too deeply")
		return false
	}
	r.pos++
	return true
}

// more steps over what stands between the values of a list or object and says
// whether another one follows.
func (r *jsonReader) more(end byte, first bool) bool {
	if r.err != nil {
		return false
	}
	switch c := r.peek(); {
	case c == end:
		r.pos++
		return false
	case first:
		return r.err == nil
	case c == ',':
		r.pos++
		return true
	}
	r.unexpected(fmt.Sprintf("a comma or %q", end))
	return false
}
