package specconv

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestExample(t *testing.T) {
	tests := []struct {
		golden           string
		rootless, cgroup bool
	}{
		{"testdata/example.json", false, false},
		{"testdata/example-cgroup2.json", false, true},
		{"testdata/example-rootless.json", true, true},
	}
	for _, tt := range tests {
		spec := Example(tt.rootless, tt.cgroup, 1000, 1001)
		warnings, err := check.Spec(spec, check.Options{Rootless: tt.rootless})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s is not valid: %v, warnings %v", tt.golden, err, warnings)
		}
		got, err := ExampleJSON(spec)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(tt.golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(tt.golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs: got\n%s", tt.golden, got)
		}
		again, _, err := load.Parse(got)
		if err != nil || !reflect.DeepEqual(again, spec) {
			t.Errorf("%s: read again: %+v, %v", tt.golden, again, err)
		}
	}
}
