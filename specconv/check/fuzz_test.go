package check

import (
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/specconv/internal/configs"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// FuzzCheck: whatever Parse accepts, Check bears, and says in lines that an
// engine can read.
func FuzzCheck(f *testing.F) {
	for _, data := range configs.Valid() {
		f.Add(data, true)
	}
	f.Add([]byte(`{"ociVersion": "1.0.0", "linux": {"devices": [{}], "netDevices": {"": {}}, "sysctl": {"": ""}, "seccomp": {"syscalls": [{}]}}}`), false)
	f.Fuzz(func(t *testing.T, data []byte, rootless bool) {
		spec, _, err := load.Parse(data)
		if err != nil {
			return
		}
		warnings, err := Spec(spec, Options{Rootless: rootless, SystemdCgroup: rootless, NoPivot: !rootless})
		if err != nil && (err.Error() == "" || strings.ContainsRune(err.Error(), '\n')) {
			t.Errorf("not one line: %q", err.Error())
		}
		for _, w := range warnings {
			if w.Path == "" || w.Msg == "" || strings.ContainsRune(w.String(), '\n') {
				t.Errorf("not one line with a place: %q", w.String())
			}
		}
	})
}
