package main

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer"
)

func TestStateTextIsJSON(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	for _, s := range []*libcontainer.State{
		{},
		{Version: "1.3.0", ID: "a", Pid: 7, Status: libcontainer.Running, Bundle: "/b", Rootfs: "/b/rootfs", Created: created, Owner: "root"},
		{ID: "\"\\\n<ü\xff", Bundle: "\x00\x7f", Annotations: map[string]string{"b": "", "a.b/c": "\t&"}, Created: created},
	} {
		want, err := json.MarshalIndent(s, "", "  ")
		if got := stateText(s); err != nil || got != string(want) {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
	// A field that is added has to be written here, too.
	if n := reflect.TypeFor[libcontainer.State]().NumField(); n != 9 {
		t.Errorf("State has %d fields, stateText writes 9", n)
	}
}
