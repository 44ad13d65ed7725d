package load

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ociruntime/ociruntime/specconv/internal/configs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzParse holds Parse against encoding/json: whatever Parse accepts without
// a warning, encoding/json reads the same way, and the other way round.
func FuzzParse(f *testing.F) {
	for _, data := range configs.Valid() {
		f.Add(data)
	}
	for _, doc := range []string{
		`{"hostname": "\ud83d\ude00\ud83dx\u0000\/", "linux": {"devices": [{"fileMode": 438, "major": -0}]}}`,
		`{"process": {"user": {"uid": 1e3}, "rlimits": [null, {"type": "RLIMIT_CORE", "soft": 18446744073709551615}]}}`,
		`{"annotations": {"a": "b", "a": null}, "mounts": [{}, {"options": []}], "x": [1.5E-7, {"y": true}]}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, warnings, err := Parse(data)
		if (err == nil) != (got != nil) {
			t.Fatalf("%v with %v", err, got)
		}
		if err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("more than a line: %q", err)
		}
		want := &specs.Spec{}
		wantErr := json.Unmarshal(data, want)
		dropOtherPlatforms(want)
		switch {
		case err != nil:
			// Stricter about UTF-8, depth and the document null.
			if wantErr == nil && utf8.Valid(data) && !strings.Contains(err.Error(), "surrogate pair") && !strings.Contains(err.Error(), "nested too deeply") && strings.TrimSpace(string(data)) != "null" {
				t.Errorf("encoding/json accepts it: %v", err)
			}
		case wantErr != nil:
			// Not so strict about types in what it doesn't read, and in
			// values that a later duplicate replaces.
			if !json.Valid(data) {
				t.Errorf("not JSON for encoding/json: %v", wantErr)
			}
		case len(warnings) == 0 && !reflect.DeepEqual(got, want):
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	})
}
