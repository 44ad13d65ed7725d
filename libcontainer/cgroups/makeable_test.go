package cgroups

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMakeable(t *testing.T) {
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, "own"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tree := func(mount string) *Hierarchy { return &Hierarchy{Mount: mount} }
	places := []Place{
		{Tree: tree(top), Rel: "/own"},
		{Tree: tree(top), Rel: "/own/deep/below"},
		{Tree: tree(top), Rel: "/file/x"},
		{Tree: tree(top + "/missing"), Rel: "/x"},
	}
	may := Makeable(places)
	if len(may) != 2 || may[0] != places[0] || may[1] != places[1] {
		t.Errorf("%+v", may)
	}
}

func TestWithin(t *testing.T) {
	v1 := Place{Tree: &Hierarchy{Controllers: []string{"pids", "cpu"}}, Rel: "/x"}
	v2 := Place{Tree: &Hierarchy{}, Rel: "/x", V2: true}
	s := &Settings{Writes: []Write{
		{Controller: "pids", File: "pids.max"}, {Controller: "memory", File: "memory.limit_in_bytes"},
		{Controller: "devices", File: "devices.deny"}, {Controller: "cpu", File: "cpu.max", V2: true},
	}}
	for _, tt := range []struct {
		places      []Place
		in, lacking string
	}{
		{nil, "", "pids.max memory.limit_in_bytes cpu.max "},
		{[]Place{v1}, "pids.max ", "memory.limit_in_bytes cpu.max "},
		{[]Place{v2}, "cpu.max ", "pids.max memory.limit_in_bytes "},
	} {
		in, lacking := s.Within(tt.places)
		files := func(list []Write) (text string) {
			for _, w := range list {
				text += w.File + " "
			}
			return text
		}
		if files(in.Writes) != tt.in || files(lacking) != tt.lacking {
			t.Errorf("%d places: in force %q, lacking %q", len(tt.places), files(in.Writes), files(lacking))
		}
	}
}
