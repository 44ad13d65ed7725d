package resources

import (
	"fmt"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Every kind of problem is in the tests of those who ask: specconv and the compiler of limits.
func TestCheckSaysEverything(t *testing.T) {
	var got []string
	Check("here", &specs.LinuxResources{
		Devices: []specs.LinuxDeviceCgroup{{Type: "x"}},
		Memory:  &specs.LinuxMemory{Limit: new(int64(-2))},
		Unified: map[string]string{"cgroup.procs": "1", "b/c": "2"},
	}, func(place, format string, args ...any) {
		got = append(got, place+": "+fmt.Sprintf(format, args...))
	})
	want := `here.devices[0].type: must be a, c or b, not "x"
here.memory.limit: must be a number of bytes, or -1 for no limit, not -2
here.unified["b/c"]: must be the name of a file in the cgroup's directory
here.unified["cgroup.procs"]: is not a limit: of cgroup.* only max.depth, max.descendants and pressure can be set`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestPageSize(t *testing.T) {
	for text, want := range map[string]string{
		"2MB": "2MB", "64KB": "64KB", "1024MB": "1GB", "1GB": "1GB", "16GB": "16GB", "2048KB": "2MB",
		"": "", "B": "", "MB": "", "2": "", "2B": "", "02MB": "", "+2MB": "", "2TB": "", "2mb": "", "99999999999KB": "",
	} {
		if got, ok := PageSize(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}
