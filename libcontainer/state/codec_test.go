package state

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// fill gives every field of a record a value, those of later versions too: a field that the codec forgets fails the test.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(1 << 63)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"": text, "b": "", "a": text}))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), text)
		fill(v.Index(1), text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	}
}

func TestCodecWritesWhatJSONReads(t *testing.T) {
	for _, text := range []string{"plain", "with \"quotes\", \\ and \n\x01 and ünïcode <&>"} {
		want := &Record{}
		fill(reflect.ValueOf(want).Elem(), text)
		got := &Record{}
		if err := json.Unmarshal(want.encode(), got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
		}
	}
	zero := &Record{}
	if err := json.Unmarshal(zero.encode(), &Record{}); err != nil {
		t.Error(err)
	}
}

func TestDecodeIsJSON(t *testing.T) {
	full := &Record{}
	fill(reflect.ValueOf(full).Elem(), "plain")
	full.WaitOp = -1
	for _, want := range []*Record{full, {ID: "x", Phase: Created, Config: Config{Namespaces: []Namespace{{Type: "NEWPID"}}}}} {
		text := string(want.encode())
		got, reference := &Record{}, &Record{}
		if !got.decode(text) {
			t.Fatalf("not read: %s", text)
		}
		if err := json.Unmarshal([]byte(text), reference); err != nil || !reflect.DeepEqual(got, reference) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, reference)
		}
	}
}

// FuzzDecode holds the reader against encoding/json: it may give up, but never read something else.
func FuzzDecode(f *testing.F) {
	full := &Record{}
	fill(reflect.ValueOf(full).Elem(), "plain")
	f.Add(string(full.encode()))
	f.Add(`{"version":1,"id":"a\u0062"}`)
	f.Add(`{"version":1,}`)
	f.Add(`{"config":{"namespaces":[{"type":"a"},]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got := &Record{}
		if !got.decode(text) {
			return
		}
		want := &Record{}
		if err := json.Unmarshal([]byte(text), want); err != nil {
			t.Fatalf("%q was read, encoding/json says %v", text, err)
		}
	})
}
