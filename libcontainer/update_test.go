package libcontainer

import (
	"errors"
	"testing"
)

func TestEditMember(t *testing.T) {
	edit := func([]byte) ([]byte, error) { return []byte(`{"new":1}`), nil }
	for text, want := range map[string]string{
		`{"a":[1, 2],"x":{"old":0},"z":"<>"}`: `{"a":[1,2],"x":{"new":1},"z":"\u003c\u003e"}`,
		`{"X":{"old":0}}`:                     `{"x":{"new":1}}`,
		`{"x":null}`:                          `{"x":{"new":1}}`,
		`{}`:                                  `{"x":{"new":1}}`,
		`null`:                                `{"x":{"new":1}}`,
		``:                                    `{"x":{"new":1}}`,
	} {
		if got, err := editMember([]byte(text), "x", edit); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	var seen string
	_, err := editMember([]byte(`{"X":1,"x":2}`), "x", func(old []byte) ([]byte, error) {
		seen = string(old)
		return nil, errors.New("no")
	})
	if seen != "2" || err == nil {
		t.Errorf("edit got %s, and its error became %v", seen, err)
	}
}
