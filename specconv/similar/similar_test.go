package similar

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	known := []string{"create", "run", "start", "state", "stats", "list", "memory", "destination", "maskedPaths", "uidMappings", "gidMappings"}
	for word, want := range map[string]string{
		"strat": "start", "crate": "create", "creat": "create", "lst": "list", "memroy": "memory", "Memory": "memory",
		"dest": "destination", "maskedPath": "maskedPaths", "uidmapping": "uidMappings", "stae": "state",
		"cheese": "", "rm": "", "x": "", "": "", "list": "", strings.Repeat("memory", 1000): "",
	} {
		if got := Name(word, known); got != want {
			t.Errorf("%.20q: %q, want %q", word, got, want)
		}
	}
	if got := Hint("strat", known); got != `: did you mean "start"?` {
		t.Error(got)
	}
	if got := Hint("cheese", known); got != "" {
		t.Error(got)
	}
}
