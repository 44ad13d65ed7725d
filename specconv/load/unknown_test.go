package load

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUnknown(t *testing.T) {
	got := Unknown([]byte(`{
		"ociVersion": "1.0.2", "hostnam": "x", "annotations": {"whatever": "x"}, "vm": {"a": 1}, "windows": {"b": 2},
		"process": {"arg": ["x"], "user": {"cheese": {"deep": {"deeper": 1}}}},
		"mounts": [{}, {"dest": "/x", "Type": "tmpfs"}],
		"linux": {"resources": {"memory": {"limitt": 1}}, "seccomp": {"syscalls": [{"name": ["read"]}]}, "sysctl": {"a.b": "1"}}
	}`))
	want := []string{
		`hostnam: unknown, and ignored: did you mean "hostname"?`,
		`process.arg: unknown, and ignored: did you mean "args"?`,
		`process.user.cheese: unknown, and ignored`,
		`mounts[1].dest: unknown, and ignored: did you mean "destination"?`,
		`linux.resources.memory.limitt: unknown, and ignored: did you mean "limit"?`,
		`linux.seccomp.syscalls[0].name: unknown, and ignored: did you mean "names"?`,
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("not wanted: %s", got[i])
		case got[i].String() != want[i]:
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	if got := Unknown([]byte(`{"hostname": `)); got != nil {
		t.Errorf("of a text that is no JSON: %v", got)
	}
}

// TestExamplesAreKnown keeps the tables of properties complete: what engines and the specification
// write is known.
func TestExamplesAreKnown(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if unknown := Unknown(data); unknown != nil {
			t.Errorf("%s: %v", file, unknown)
		}
	}
}
