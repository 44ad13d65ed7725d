package cgroups

import (
	"encoding/json"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func FuzzCompile(f *testing.F) {
	f.Add([]byte(`{"memory":{"limit":1},"unified":{"cpu.max":"1 2"},"devices":[{"allow":true}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var res specs.LinuxResources
		if json.Unmarshal(text, &res) != nil {
			t.Skip("not resources")
		}
		for _, host := range []*Layout{v1Host(), v2Host(), hybridHost(), {}} {
			set, err := Compile(&res, host)
			if err != nil {
				if !strings.HasPrefix(err.Error(), "linux.resources.") {
					t.Errorf("error without its place: %v", err)
				}
				continue
			}
			for _, w := range set.Writes {
				if w.From == "" || w.File == "" || strings.Contains(w.File, "/") || strings.Contains(w.Value, "\n") {
					t.Errorf("bad write %#v", w)
				}
				if host.version(w.Controller) == 0 && w.Controller != "" {
					t.Errorf("write for a controller that the host lacks: %s", w)
				}
			}
		}
	})
}
