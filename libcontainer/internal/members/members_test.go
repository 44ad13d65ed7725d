package members

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample has a member of every kind, for us and for encoding/json.
type sample struct {
	Text    string            `json:"text"`
	Maybe   string            `json:"maybe,omitempty"`
	Number  int               `json:"number"`
	Big     uint64            `json:"big,omitempty"`
	On      bool              `json:"on"`
	When    time.Time         `json:"when"`
	Words   []string          `json:"words"`
	ByName  map[string]string `json:"by_name"`
	Inner   inner             `json:"inner"`
	Several []inner           `json:"several"`
}

type inner struct {
	Path string `json:"path"`
}

func (s *sample) table() Table {
	at := func(i int) Table { return Table{{Name: "path", Value: &s.Several[i].Path}} }
	return Table{
		{Name: "text", Value: &s.Text}, {Name: "maybe", Value: &s.Maybe, Optional: true},
		{Name: "number", Value: &s.Number}, {Name: "big", Value: &s.Big, Optional: true},
		{Name: "on", Value: &s.On}, {Name: "when", Value: &s.When},
		{Name: "words", Value: &s.Words}, {Name: "by_name", Value: &s.ByName},
		{Name: "inner", Value: Table{{Name: "path", Value: &s.Inner.Path}}},
		{Name: "several", Value: List{Len: len(s.Several), At: at, Add: func() Table {
			s.Several = append(s.Several, inner{})
			return at(len(s.Several) - 1)
		}}},
	}
}

// TestAsEncodingJSON compares what is written with what encoding/json makes of the same.
func TestAsEncodingJSON(t *testing.T) {
	for _, s := range []sample{
		{},
		{
			Text: "a <b> & \"c\"\n\u2028\xff", Maybe: "x", Number: -3, Big: 1<<64 - 1, On: true,
			When: time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), Words: []string{"", "ä"},
			ByName: map[string]string{"z": "1", "a": "2"}, Inner: inner{"/p"}, Several: []inner{{"1"}, {"2"}},
		},
		{ByName: map[string]string{}},
	} {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.table().Append([]byte("before "))
		// The same character, not written as an escape.
		want = []byte(strings.NewReplacer(`\u2028`, "\u2028", `\ufffd`, "\ufffd").Replace(string(want)))
		if err != nil || string(got) != "before "+string(want) {
			t.Errorf("%v\n got %s\nwant before %s", err, got, want)
		}
		var lines bytes.Buffer
		if err := json.Indent(&lines, want, "", "  "); err != nil {
			t.Fatal(err)
		}
		if got, err := s.table().AppendIndent(nil); err != nil || string(got) != lines.String() {
			t.Errorf("%v\n got %s\nwant %s", err, got, lines.String())
		}
	}
}

var documents = []string{
	`{}`, `null`, ` { "text" : "a\u00e9\ud83d\ude00\n" , "number" : -12 } `, `{"text":null,"words":null,"inner":null,"several":null}`,
	`{"unknown":{"a":[1,{"b":2}]},"on":true,"on":false}`, `{"words":["a","b"],"by_name":{"k":"v","k":"w"},"several":[{"path":"x"},{},null]}`,
	`{"when":"2026-01-02T03:04:05.6Z"}`, `{"when":"yesterday"}`, `{"number":1.5}`, `{"number":"1"}`, `{"big":-1}`, `{"big":18446744073709551616}`,
	`{"on":1}`, `{"text":1}`, `{"words":{}}`, `{"inner":[]}`, `[]`, `{`, ``, `{}{}`, `{"text":"a"`, `{"text" "a"}`, `{"words":["a",]}`, `{"text":"a",}`, "\x00",
}

// FuzzRead reads documents as encoding/json does, or both refuse them.
func FuzzRead(f *testing.F) {
	for _, d := range documents {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, document string) {
		// encoding/json takes names in any case, and reads into what an earlier member of the same
		// name has left.
		if strings.ToLower(document) != document && !strings.Contains(document, "T") || strings.Count(document, `"several"`) > 1 {
			return
		}
		var got, want sample
		err, wantErr := got.table().Read([]byte(document)), json.Unmarshal([]byte(document), &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, encoding/json %v", document, err, wantErr)
		}
		if err == nil && !same(got, want) {
			t.Errorf("%q:\n got %+v\nwant %+v", document, got, want)
		}
	})
}

// same takes an empty list for none.
func same(a, b sample) bool {
	for _, s := range []*sample{&a, &b} {
		if len(s.Words) == 0 {
			s.Words = nil
		}
		if len(s.ByName) == 0 {
			s.ByName = nil
		}
		if len(s.Several) == 0 {
			s.Several = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// TestErrors wants the member in the error.
func TestErrors(t *testing.T) {
	for document, want := range map[string]string{
		`{"inner":{"path":1}}`: "inner: path: a number in the place of a string",
		`{"number":"x"}`:       "number: ",
		`{"text":"a"`:          "unexpected EOF",
		`{} {}`:                "something follows the object",
	} {
		var s sample
		if err := s.table().Read([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", document, err, want)
		}
	}
}

// What follows from other members is written, and left alone in reading.
func TestDerived(t *testing.T) {
	asked := 0
	table := Table{{Name: "twice", Value: Derived(func() any {
		asked++
		words := []string{"a", "a"}
		return &words
	})}}
	got, err := table.Append(nil)
	if err != nil || string(got) != `{"twice":["a","a"]}` {
		t.Fatalf("%s %v", got, err)
	}
	if err := table.Read([]byte(`{"twice":{"anything":[1]}}`)); err != nil || asked != 1 {
		t.Errorf("read: %v, asked %d times", err, asked)
	}
}
