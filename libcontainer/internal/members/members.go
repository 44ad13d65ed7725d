// Package members reads and writes JSON objects by a table of their members, with the tokens of
// jsontext. encoding/json would do the same from a type alone, but has to look at that type by
// reflection first, in each process anew: for a container's record and its state that was an eighth
// of the CPU time of `state`, and a twentieth of that of `exec`.
package members

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Member is a member of an object. Value points to where it is kept: *string, *int, *uint64, *bool,
// *time.Time, *[]string or *map[string]string. It is a [Table] for an object, a [List] for an array
// of objects, and [Derived] for what follows from other members.
type Member struct {
	Name  string
	Value any
	// Optional leaves a zero value out, and an object of such.
	Optional bool
}

// Table is the members of an object, in the order in which they are written.
type Table []Member

// Derived gives the value of a member that is written for other programs, and skipped in reading.
type Derived func() any

// List is an array of objects.
type List struct {
	Len int
	At  func(i int) Table
	Add func() Table // a new one at the end
}

// Append adds the object in its shortest form. Like encoding/json it writes <, > and & as escapes,
// what is not UTF-8 as U+FFFD, and a nil map as null; an empty array is null, too.
func (t Table) Append(dst []byte) ([]byte, error) { return t.append(dst) }

// AppendIndent is Append with each member on a line of its own, behind two spaces for each level.
func (t Table) AppendIndent(dst []byte) ([]byte, error) {
	return t.append(dst, jsontext.WithIndent("  "))
}

func (t Table) append(dst []byte, more ...jsontext.Options) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	e := jsontext.NewEncoder(buf, append(more, jsontext.EscapeForHTML(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))...)
	if err := t.write(e); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func (t Table) write(e *jsontext.Encoder) error {
	err := e.WriteToken(jsontext.BeginObject)
	for _, m := range t {
		if !m.Optional || !empty(m.Value) {
			err = errors.Join(err, e.WriteToken(jsontext.String(m.Name)), write(e, m.Value))
		}
	}
	return errors.Join(err, e.WriteToken(jsontext.EndObject))
}

func write(e *jsontext.Encoder, value any) error {
	switch v := value.(type) {
	case Table:
		return v.write(e)
	case Derived:
		return write(e, v())
	case List:
		return array(e, v.Len, func(i int) error { return v.At(i).write(e) })
	case *[]string:
		return array(e, len(*v), func(i int) error { return write(e, &(*v)[i]) })
	case *map[string]string:
		if *v == nil {
			return e.WriteToken(jsontext.Null)
		}
		err := e.WriteToken(jsontext.BeginObject)
		for _, k := range slices.Sorted(maps.Keys(*v)) {
			err = errors.Join(err, e.WriteToken(jsontext.String(k)), e.WriteToken(jsontext.String((*v)[k])))
		}
		return errors.Join(err, e.WriteToken(jsontext.EndObject))
	}
	return e.WriteToken(token(value))
}

func array(e *jsontext.Encoder, n int, element func(i int) error) error {
	if n == 0 {
		return e.WriteToken(jsontext.Null)
	}
	err := e.WriteToken(jsontext.BeginArray)
	for i := range n {
		err = errors.Join(err, element(i))
	}
	return errors.Join(err, e.WriteToken(jsontext.EndArray))
}

func token(value any) jsontext.Token {
	switch v := value.(type) {
	case *string:
		return jsontext.String(*v)
	case *int:
		return jsontext.Int(int64(*v))
	case *uint64:
		return jsontext.Uint(*v)
	case *bool:
		return jsontext.Bool(*v)
	case *time.Time:
		return jsontext.String(v.Format(time.RFC3339Nano))
	}
	panic(fmt.Sprintf("a %T is no member of an object", value))
}

// kind is that of the token of such a value, or of "false" for either of two.
func kind(value any) jsontext.Kind {
	switch value.(type) {
	case *int, *uint64:
		return '0'
	case *bool:
		return 'f'
	}
	return '"'
}

func empty(value any) bool {
	switch v := value.(type) {
	case Table:
		return !slices.ContainsFunc(v, func(m Member) bool { return !empty(m.Value) })
	case List:
		return v.Len == 0
	case *[]string:
		return len(*v) == 0
	case *map[string]string:
		return len(*v) == 0
	}
	return slices.Contains([]string{"", "0", "false"}, token(value).String())
}

// Read fills in what an object has. Members that are not in the table are skipped, null changes
// nothing, and of members with the same name the last one counts.
func (t Table) Read(data []byte) error {
	// Of all readers, the decoder takes this one without a copy.
	d := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	err := t.read(d)
	if err == nil {
		if _, err = d.ReadToken(); err == io.EOF {
			return nil
		}
		err = errors.New("something follows the object")
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (t Table) read(d *jsontext.Decoder) error {
	return object(d, func(name jsontext.Token) error {
		text := name.String()
		i := slices.IndexFunc(t, func(m Member) bool { return m.Name == text })
		if i < 0 {
			return d.SkipValue()
		}
		if err := read(d, t[i].Value); err != nil {
			return fmt.Errorf("%s: %w", t[i].Name, err)
		}
		return nil
	})
}

func read(d *jsontext.Decoder, value any) error {
	switch v := value.(type) {
	case Table:
		return v.read(d)
	case Derived:
		return d.SkipValue()
	case List:
		return elements(d, func() error { return v.Add().read(d) })
	case *[]string:
		*v = nil
		return elements(d, func() error {
			*v = append(*v, "")
			return read(d, &(*v)[len(*v)-1])
		})
	case *map[string]string:
		*v = nil
		return object(d, func(name jsontext.Token) error {
			if *v == nil {
				*v = map[string]string{}
			}
			key, text := name.String(), ""
			err := read(d, &text)
			(*v)[key] = text
			return err
		})
	}
	return readScalar(d, value)
}

func readScalar(d *jsontext.Decoder, value any) error {
	given, err := d.ReadToken()
	if err != nil || given.Kind() == 'n' {
		return err
	}
	text, fits := given.String(), given.Kind() == kind(value)
	switch v := value.(type) {
	case *string:
		*v = text
	case *time.Time:
		*v, err = time.Parse(time.RFC3339Nano, text)
	case *int:
		*v, err = strconv.Atoi(text)
	case *uint64:
		*v, err = strconv.ParseUint(text, 10, 64)
	case *bool:
		*v, err = strconv.ParseBool(text)
		fits = given.Kind() == 't' || given.Kind() == 'f'
	}
	if !fits {
		return fmt.Errorf("a %s in the place of a %s", given.Kind(), kind(value))
	}
	return err
}

func object(d *jsontext.Decoder, member func(name jsontext.Token) error) error {
	return within(d, '{', func() error {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		return member(name)
	})
}

func elements(d *jsontext.Decoder, element func() error) error { return within(d, '[', element) }

// within reads what stands between the brackets of an object or an array, or null.
func within(d *jsontext.Decoder, opens jsontext.Kind, each func() error) error {
	given, err := d.ReadToken()
	switch {
	case err != nil || given.Kind() == 'n':
		return err
	case given.Kind() != opens:
		return fmt.Errorf("a %s in the place of a %s", given.Kind(), opens)
	}
	for kind := d.PeekKind(); kind != '}' && kind != ']'; kind = d.PeekKind() {
		if err := each(); err != nil {
			return err
		}
	}
	_, err = d.ReadToken()
	return err
}
