package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/ociruntime/ociruntime/specconv/problem"
	"github.com/ociruntime/ociruntime/specconv/similar"
)

// jsonReader reads a JSON text (RFC 8259) from front to back, once, straight
// into variables. The tokens are jsontext's. Its sister packages that fill
// variables by themselves learn the shape of config.json by reflection in each
// process that starts: 0.8 ms, five times the reading itself. They also stop at
// the first value of a wrong type, and this one finds all.
//
// After a syntax error nothing more is read: err is set, and each method
// returns at once.
type jsonReader struct {
	dec  *jsontext.Decoder
	text []byte
	err  error
	// place is the way from the top to the value that is read now.
	place []jsonStep
	// names holds the member names seen so far of all the open objects.
	names    []string
	problems problem.Problems
	warnings problem.Warnings
	// unknown collects the properties that nobody here knows, if it is not nil.
	unknown *problem.Warnings
}

// jsonStep is a member's name, or an index when name is empty and the index
// is not negative.
type jsonStep struct {
	name  string
	index int
}

// maxJSONDepth keeps a hostile document from using up the stack.
const maxJSONDepth = 200

var (
	errTooDeep = errors.New("nested too deeply")
	errCut     = errors.New("the document ends too early")
)

// decodeDocument reads one document: decode gets the reader with the place
// top (may be empty). The name of the document is for messages about its
// syntax.
func decodeDocument(data []byte, name, top string, decode func(*jsonReader)) (problem.Warnings, error) {
	r := newReader(data)
	if top != "" {
		r.place = append(r.place, jsonStep{name: top, index: -1})
	}
	r.document(decode)
	if r.err != nil {
		return nil, problem.Problems{{Path: name, Msg: r.err.Error()}}
	}
	return r.warnings, r.problems.OrNil()
}

func newReader(data []byte) *jsonReader {
	return &jsonReader{
		// A name given twice is a warning here, not an error as it is for jsontext.
		dec:  jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true)),
		text: data,
	}
}

func (r *jsonReader) document(decode func(*jsonReader)) {
	if r.peek() == 'n' {
		r.wrongType("an object")
		return
	}
	decode(r)
	if r.err != nil {
		return
	}
	if _, err := r.dec.ReadToken(); err == nil {
		r.syntax(errors.New("more text after the end of the document"), r.dec.InputOffset()-1)
	} else if err != io.EOF {
		r.fail(err)
	}
}

// fail records an error of the decoder.
func (r *jsonReader) fail(err error) {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.syntax(errCut, int64(len(r.text)))
	case errors.As(err, &syntax):
		r.syntax(syntax.Err, syntax.ByteOffset)
	default:
		r.syntax(err, r.dec.InputOffset())
	}
}

// syntax records that the text at an offset is not JSON.
func (r *jsonReader) syntax(what error, offset int64) {
	if r.err != nil {
		return
	}
	before := r.text[:min(int(offset), len(r.text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	at := ""
	if place := r.where(); place != "" {
		at = ", at " + place
	}
	r.err = fmt.Errorf("not valid JSON: line %d, column %d: %w%s", line, column, what, at)
}

// where gives the place of the present value.
func (r *jsonReader) where() string {
	path := ""
	for _, step := range r.place {
		if step.index >= 0 {
			path = fmt.Sprintf("%s[%d]", path, step.index)
			continue
		}
		path = problem.MemberPath(path, step.name)
	}
	return path
}

func (r *jsonReader) problem(format string, args ...any) {
	if r.err == nil {
		r.problems = append(r.problems, problem.Problem{Path: r.where(), Msg: fmt.Sprintf(format, args...)})
	}
}

// peek gives the kind of the next token, 0 where there is none.
func (r *jsonReader) peek() jsontext.Kind {
	if r.err != nil {
		return 0
	}
	return r.dec.PeekKind()
}

// token reads the next token. It is the zero token after an error.
func (r *jsonReader) token() jsontext.Token {
	if r.err != nil {
		return jsontext.Token{}
	}
	t, err := r.dec.ReadToken()
	if err != nil {
		r.fail(err)
		return jsontext.Token{}
	}
	return t
}

// wrongType records that the next value, which it skips, is not of the type
// that is wanted ("a list").
func (r *jsonReader) wrongType(want string) {
	found := ""
	switch r.peek() {
	case '{':
		found = "an object"
	case '[':
		found = "a list"
	case '"':
		found = "a string"
	case 't', 'f':
		found = "a boolean"
	case 'n':
		found = "null"
	default:
		found = "a number"
	}
	r.skip()
	r.problem("must be %s, not %s", want, found)
}

// skip reads a value and forgets it. It looks into lists and objects for names
// that are given twice.
func (r *jsonReader) skip() {
	switch r.peek() {
	case '{':
		r.members(func(string) { r.skip() })
	case '[':
		r.list(func() { r.skip() })
	default:
		r.token()
	}
}

// null reads a null, if that is what comes next.
func (r *jsonReader) null() bool {
	if r.peek() != 'n' {
		return false
	}
	r.token()
	return r.err == nil
}

// fields are the properties of an object that the specification has, and how to read each.
type fields []struct {
	name string
	read func()
}

// object reads an object into the known fields; others are skipped. A name that is right but for
// upper and lower case is taken, with a warning, as runtimes do that are written in Go.
func (r *jsonReader) object(known fields) {
	r.members(func(name string) {
		for i := range known {
			if known[i].name == name {
				known[i].read()
				return
			}
		}
		for i := range known {
			if strings.EqualFold(known[i].name, name) {
				known[i].read()
				msg := "taken for " + known[i].name + ": names are in upper and lower case"
				r.warnings = append(r.warnings, problem.Problem{Path: r.where(), Msg: msg})
				return
			}
		}
		if r.unknown != nil {
			r.noteUnknown(name, known)
		}
		r.skip()
	})
}

func (r *jsonReader) noteUnknown(name string, known fields) {
	var names []string
	for i := range known {
		names = append(names, known[i].name)
	}
	msg := "unknown, and ignored" + similar.Hint(name, names)
	*r.unknown = append(*r.unknown, problem.Problem{Path: r.where(), Msg: msg})
}

// members reads an object, and calls member to read the value behind each name. A null is taken for
// an empty object.
func (r *jsonReader) members(member func(name string)) {
	if r.null() {
		return
	}
	if !r.enter('{', "an object") {
		return
	}
	first := len(r.names)
	var seen map[string]struct{}
	for r.more('}') {
		name := r.token().String()
		if r.err != nil {
			break
		}
		r.place = append(r.place, jsonStep{name: name, index: -1})
		seen = r.noteName(first, name, seen)
		member(name)
		r.place = r.place[:len(r.place)-1]
	}
	r.names = r.names[:first]
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
		r.warnings = append(r.warnings, problem.Problem{Path: r.where(), Msg: "given more than once: the last one counts"})
	}
	r.names = append(r.names, name)
	return seen
}

// list reads a list and calls item to read each of its values.
func (r *jsonReader) list(item func()) {
	if !r.enter('[', "a list") {
		return
	}
	for i := 0; r.more(']'); i++ {
		r.place = append(r.place, jsonStep{index: i})
		item()
		r.place = r.place[:len(r.place)-1]
	}
}

// enter reads the opening bracket of what is wanted ("a list").
func (r *jsonReader) enter(bracket jsontext.Kind, want string) bool {
	switch kind := r.peek(); {
	case kind == 0:
		r.token() // says what is wrong with it
	case kind != bracket:
		r.wrongType(want)
	case r.dec.StackDepth() >= maxJSONDepth:
		r.syntax(errTooDeep, r.dec.InputOffset())
	default:
		r.token()
		return r.err == nil
	}
	return false
}

// more says whether another value follows in the open list or object. It reads
// the closing bracket.
func (r *jsonReader) more(end jsontext.Kind) bool {
	if r.err != nil {
		return false
	}
	if r.peek() != end {
		return true
	}
	r.token()
	return false
}
