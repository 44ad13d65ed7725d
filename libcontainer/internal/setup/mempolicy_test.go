package setup

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestMovedPolicy(t *testing.T) {
	for _, c := range []struct {
		mode                        specs.MemoryPolicyModeType
		nodes, maps, allowed, moved string
	}{
		{specs.MpolBind, "1", "55d5 bind:1 file=/bin/sh", "0-3", ""},
		{specs.MpolBind, "1,2", "55d5 bind:1-2 file=/bin/sh", "0-3", ""},
		{specs.MpolBind, "2", "55d5 bind:1 file=/bin/sh", "1-2", "bind:1"},
		{specs.MpolInterleave, "0-9", "55d5 interleave=static:1 file=/bin/sh", "1", ""},
		{specs.MpolInterleave, "0-1", "55d5 interleave:8 file=/bin/sh", "8", "interleave:8"},
		{specs.MpolPreferred, "2-3", "55d5 prefer:2 file=/bin/sh", "0-3", ""},
		{specs.MpolPreferredMany, "2-3", "55d5 prefer (many):2-3 file=/bin/sh", "0-3", ""},
		{specs.MpolBind, "1", "", "0", ""},
	} {
		m := &specs.LinuxMemoryPolicy{Mode: c.mode, Nodes: c.nodes}
		if got := movedPolicy(c.maps, c.allowed, m); got != c.moved {
			t.Errorf("%s for %s, allowed %s: %q, want %q", c.mode, c.nodes, c.allowed, got, c.moved)
		}
	}
}
